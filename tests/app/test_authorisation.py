"""Who may call what: every route, as nobody, as each role, and as another organisation.

The table is the first of docs/authorisation.md. What a route answers is brought down to one word:

- `sign in`: 401, for whoever is nobody.
- `no`: 403, the role does not allow it.
- `hidden`: 404, as if it were not there.
- `grant`: 403, a grant of the owner is needed.
- `yes`: anything else; whether the request then succeeds is another matter.
"""

from collections.abc import Callable
from typing import Any

import pytest

from app.core.ids import new_id
from app.core.security import Role
from app.organisations import service as organisations
from tests.app.authorisation_matrix import (
    CALLERS,
    HEADINGS,
    REFUSED,
    heading_of,
    rest_and_pages,
    words_for,
)
from tests.app.factories import WEBHOOK, Maker, ObjectFactory, filled

PASSWORD = "correct horse battery staple"

PUBLIC_CODES = {
    "wrong-credentials",
    "link-not-valid",
    "no-identity-provider",
    "no-second-factor",
    "no-home-key",
}
"""401 and 404 that speak of what was sent, not of who sent it."""
GRANT_CODES = {"no-access", "terms-not-accepted"}


SIGNED = {"document": "{}", "key": "", "history": [], "signature": ""}
REASON = {"reason": "Because it is so."}
PURPOSE = {"purpose": "We train a triage network for our emergency department."}

# For each operation that needs one: what its ids are, and a body that can be read.
IDS: dict[str, dict[str, Maker]] = {
    "upload_archive": {"dataset_id": ObjectFactory.new_dataset},
    "cancel_distillation": {"distillation_id": ObjectFactory.queued},
    "retry_distillation": {"distillation_id": ObjectFactory.failed},
    "get_report_html": {"distillation_id": ObjectFactory.reported},
    "get_report_pdf": {"distillation_id": ObjectFactory.reported},
    "get_certificate_html": {"distillation_id": ObjectFactory.reported},
    "get_certificate_pdf": {"distillation_id": ObjectFactory.reported},
    "get_certificate_json": {"distillation_id": ObjectFactory.reported},
    "change_access_request": {"request_id": ObjectFactory.sent_request},
    "cancel_access_request": {"request_id": ObjectFactory.sent_request},
    "accept_terms": {"grant_id": ObjectFactory.held_grant},
    "get_publication": {"release_id": ObjectFactory.publication},
    "append_to_publication": {"release_id": ObjectFactory.publication},
    "reset_second_factor": {"user_id": ObjectFactory.user_with_an_app},
}
TUS = {"Tus-Resumable": "1.0.0"}
HEADERS: dict[str, Callable[[ObjectFactory], dict[str, str]]] = {
    "create_upload": ObjectFactory.upload_headers,
    "get_upload_offset": lambda factory: TUS,
    "append_to_upload": lambda factory: {
        **TUS,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    },
    "delete_upload": lambda factory: TUS,
    "append_to_publication": lambda factory: {"Upload-Offset": "0"},
}
BODIES: dict[str, Callable[[ObjectFactory], Any]] = {
    "sign_in": lambda factory: {"email": "a@b.example", "password": PASSWORD},
    "forgot_password": lambda factory: {"email": "a@b.example"},
    "create_organisation": lambda factory: {"name": new_id("org")},
    "change_own_organisation": lambda factory: {"contact": "a@b.example"},
    "operate_organisation": lambda factory: {},
    "rotate_key": lambda factory: {},
    "create_user": lambda factory: {
        "email": f"{new_id('x')}@hospital.example",
        "name": "Dr. New",
        "roles": ["researcher"],
        "password": PASSWORD,
    },
    "change_user": lambda factory: {"name": "Dr. Other"},
    "change_password": lambda factory: {"current": PASSWORD, "new": PASSWORD},
    "send_home_key": lambda factory: SIGNED,
    "confirm_home_key": lambda factory: {"fingerprint": "0000"},
    "begin_publication": lambda factory: SIGNED,
    "withdraw_publication": lambda factory: SIGNED,
    "create_connection": lambda factory: {
        "name": "The hub",
        "url": "https://192.168.0.1",
        "token": "iadd_token",
    },
    "confirm_connection": lambda factory: {"fingerprint": "0000"},
    "create_share": lambda factory: {"connection_id": factory.connection()},
    "begin_second_factor": lambda factory: {"password": "not this sentence"},
    "confirm_second_factor": lambda factory: {"code": "000000"},
    "remove_second_factor": lambda factory: {"password": "not this sentence", "code": "000000"},
    "create_invitation": lambda factory: {
        "email": f"{new_id('x')}@hospital.example",
        "roles": ["researcher"],
    },
    "look_at_invitation": lambda factory: {"secret": "nonsense"},
    "accept_invitation": lambda factory: {"secret": "nonsense", "name": "X", "password": PASSWORD},
    "create_token": lambda factory: {},
    "create_dataset": lambda factory: {"name": "chest"},
    "decide_finding": lambda factory: {"action": "accept"},
    "confirm_layout": lambda factory: {"levels": ["class"]},
    "decide_texts": lambda factory: {"decisions": {"ab12": "keep"}},
    "create_distillation": lambda factory: {"preset": "cpu_demo"},
    "create_forecast": lambda factory: {"preset": "cpu_demo"},
    "create_release": lambda factory: {
        "title": "Chest X-rays",
        "summary": "Adults.",
        "contact": "a@b.example",
    },
    "create_release_override": lambda factory: {
        "objections": ["weak-power"],
        "reason": "For the partners of the trial.",
    },
    "withdraw_release": lambda factory: REASON,
    "request_access": lambda factory: PURPOSE,
    "change_access_request": lambda factory: PURPOSE,
    "grant_access": lambda factory: {},
    "return_access_request": lambda factory: REASON,
    "deny_access": lambda factory: REASON,
    "grant_directly": lambda factory: {"organisation_id": factory.portal.elsewhere_id},
    "accept_terms": lambda factory: {"terms_sha256": "0" * 64},
    "revoke_grant": lambda factory: REASON,
    "create_withdrawal": lambda factory: {**REASON, "whole_dataset": True},
    "create_training": lambda factory: {
        "dataset_id": factory.dataset(),
        "release_ids": [factory.release()],
    },
    "confirm_training": lambda factory: {"class_maps": {}},
    "send_score": lambda factory: {"training_id": "tr_none"},
    "cancel_job": lambda factory: REASON,
    "create_webhook": lambda factory: WEBHOOK,
    "change_webhook": lambda factory: {"paused": True},
    "rotate_webhook_secret": lambda factory: {},
}


@pytest.fixture
def callers(portal) -> dict[str, Any]:
    """Somebody of each kind; the other organisation's person may do everything there."""
    with portal.database.transaction() as session:
        third = organisations.create(session, portal.services.vault, "Third").id
    return {
        "nobody": None,
        **{role.value: portal.person(portal.organisation_id, role, f"Dr. {role}") for role in Role},
        "another organisation": portal.person(third, Role.ADMIN, "Dr. Third"),
    }


def word(reply) -> str:
    code = ""
    # The reply to a HEAD has the header and not the body.
    if reply.headers.get("content-type") == "application/problem+json" and reply.content:
        code = reply.json()["type"].rpartition(":")[2]
    if code in PUBLIC_CODES:
        return "yes"
    if reply.status_code == 401:
        return "sign in"
    if reply.status_code == 403:
        return "grant" if code in GRANT_CODES else "no" if code in ("forbidden", "") else "yes"
    return "hidden" if reply.status_code == 404 else "yes"


def operations(portal):
    for path, methods in portal.client.get("/api/v1/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path


def address_of(portal, operation: str, path: str, kept: dict[Maker, str] | None = None) -> str:
    return filled(ObjectFactory(portal), path, IDS.get(operation, {}), kept)


def ask(portal, caller, operation: str, method: str, path: str, address: str):
    factory = ObjectFactory(portal)
    arguments: dict[str, Any] = {}
    if operation in HEADERS:
        arguments["headers"] = HEADERS[operation](factory)
    if operation in BODIES:
        arguments["json"] = BODIES[operation](factory)
    elif operation == "upload_archive":
        arguments["content"] = b"an archive"
    if caller is None or not path.startswith("/api"):
        return portal.client.request(method, address, **arguments)
    return caller.request(method, address, **arguments)


@CALLERS
def test_every_route_answers_each_caller_as_the_table_says(portal, callers, headings):
    rest, _ = rest_and_pages()
    expected = words_for(headings, rest)
    found, kept = {}, {}
    for operation, method, path in operations(portal):
        shared = address_of(portal, operation, path, kept)
        words = found[operation] = {}
        for heading in headings:
            # What is only read, and what a caller is kept from, stays as it is for all others.
            is_refused = expected.get(operation, {}).get(heading) in REFUSED
            is_kept = method in ("GET", "HEAD") or is_refused
            address = shared if is_kept else address_of(portal, operation, path)
            reply = ask(portal, callers[heading], operation, method, path, address)
            words[heading] = word(reply)
        print(f"| `{operation}` | {method} {path} | {' | '.join(words.values())} |")
    # The lines printed above are those of a table that would be right, in these columns.
    assert found == expected


def test_the_table_is_of_the_roles_there_are():
    rest, _ = rest_and_pages()
    assert heading_of(rest) == ["operation", "route", *HEADINGS]
