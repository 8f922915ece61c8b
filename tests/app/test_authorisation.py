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
from tests.app.factories import (
    HEADINGS,
    WEBHOOK,
    Town,
    filled,
    heading_of,
    read_table,
    rest_and_pages,
)

PASSWORD = "correct horse battery staple"

PUBLIC_CODES = {"wrong-credentials", "link-not-valid", "no-identity-provider"}
"""401 and 404 that speak of what was sent, not of who sent it."""
GRANT_CODES = {"no-access", "terms-not-accepted"}


REASON = {"reason": "Because it is so."}
PURPOSE = {"purpose": "We train a triage network for our emergency department."}

# For each operation that needs one: what its ids are, and a body that can be read.
IDS: dict[str, dict[str, Callable[[Town], str]]] = {
    "upload_archive": {"dataset_id": Town.new_dataset},
    "cancel_distillation": {"distillation_id": Town.queued},
    "retry_distillation": {"distillation_id": Town.failed},
    "get_report_html": {"distillation_id": Town.reported},
    "get_report_pdf": {"distillation_id": Town.reported},
    "change_access_request": {"request_id": Town.sent_request},
    "cancel_access_request": {"request_id": Town.sent_request},
    "accept_terms": {"grant_id": Town.held_grant},
}
TUS = {"Tus-Resumable": "1.0.0"}
HEADERS: dict[str, Callable[[Town], dict[str, str]]] = {
    "create_upload": Town.upload_headers,
    "get_upload_offset": lambda town: TUS,
    "append_to_upload": lambda town: {
        **TUS,
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    },
    "delete_upload": lambda town: TUS,
}
BODIES: dict[str, Callable[[Town], Any]] = {
    "sign_in": lambda town: {"email": "a@b.example", "password": PASSWORD},
    "forgot_password": lambda town: {"email": "a@b.example"},
    "create_organisation": lambda town: {"name": new_id("org")},
    "change_own_organisation": lambda town: {"contact": "a@b.example"},
    "operate_organisation": lambda town: {},
    "rotate_key": lambda town: {},
    "create_user": lambda town: {
        "email": f"{new_id('x')}@hospital.example",
        "name": "Dr. New",
        "roles": ["researcher"],
        "password": PASSWORD,
    },
    "change_user": lambda town: {"name": "Dr. Other"},
    "change_password": lambda town: {"current": PASSWORD, "new": PASSWORD},
    "create_invitation": lambda town: {
        "email": f"{new_id('x')}@hospital.example",
        "roles": ["researcher"],
    },
    "look_at_invitation": lambda town: {"secret": "nonsense"},
    "accept_invitation": lambda town: {"secret": "nonsense", "name": "X", "password": PASSWORD},
    "create_token": lambda town: {},
    "create_dataset": lambda town: {"name": "chest"},
    "create_distillation": lambda town: {"preset": "cpu_demo"},
    "create_forecast": lambda town: {"preset": "cpu_demo"},
    "create_release": lambda town: {
        "title": "Chest X-rays",
        "summary": "Adults.",
        "contact": "a@b.example",
    },
    "withdraw_release": lambda town: REASON,
    "request_access": lambda town: PURPOSE,
    "change_access_request": lambda town: PURPOSE,
    "grant_access": lambda town: {},
    "return_access_request": lambda town: REASON,
    "deny_access": lambda town: REASON,
    "grant_directly": lambda town: {"organisation_id": town.house.elsewhere_id},
    "accept_terms": lambda town: {"terms_sha256": "0" * 64},
    "revoke_grant": lambda town: REASON,
    "create_withdrawal": lambda town: {**REASON, "whole_dataset": True},
    "create_training": lambda town: {
        "dataset_id": town.dataset(),
        "release_ids": [town.release()],
    },
    "confirm_training": lambda town: {"class_maps": {}},
    "send_score": lambda town: {"training_id": "tr_none"},
    "cancel_job": lambda town: REASON,
    "create_webhook": lambda town: WEBHOOK,
    "change_webhook": lambda town: {"paused": True},
    "rotate_webhook_secret": lambda town: {},
}


@pytest.fixture
def callers(house) -> dict[str, Any]:
    """Somebody of each kind; the other organisation's person may do everything there."""
    with house.database.transaction() as session:
        third = organisations.create(session, house.portal.vault, "Third").id
    return {
        "nobody": None,
        **{role.value: house.person(house.organisation_id, role, f"Dr. {role}") for role in Role},
        "another organisation": house.person(third, Role.ADMIN, "Dr. Third"),
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


def operations(house):
    for path, methods in house.client.get("/api/v1/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path


def ask(house, caller, operation: str, method: str, path: str):
    town = Town(house)
    address = filled(town, path, IDS.get(operation, {}))
    arguments: dict[str, Any] = {}
    if operation in HEADERS:
        arguments["headers"] = HEADERS[operation](town)
    if operation in BODIES:
        arguments["json"] = BODIES[operation](town)
    elif operation == "upload_archive":
        arguments["content"] = b"an archive"
    if caller is None or not path.startswith("/api"):
        return house.client.request(method, address, **arguments)
    return caller.request(method, address, **arguments)


def test_every_route_answers_each_caller_as_the_table_says(house, callers):
    rest, _ = rest_and_pages()
    expected = {operation: words for operation, (_, *words) in read_table(rest).items()}
    found = {}
    for operation, method, path in operations(house):
        found[operation] = [
            word(ask(house, callers[heading], operation, method, path)) for heading in HEADINGS
        ]
        print(f"| `{operation}` | {method} {path} | {' | '.join(found[operation])} |")
    # The lines printed above are those of a table that would be right.
    assert found == expected


def test_the_table_is_of_the_roles_there_are():
    rest, _ = rest_and_pages()
    assert heading_of(rest) == ["operation", "route", *HEADINGS]
