"""Who may open which page and send which form: as nobody, as each role, and from outside.

The table is the second of docs/authorisation.md, in the words of tests/app/test_authorisation.py.
Whoever is nobody and opens a page is sent to the sign-in.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.access.policy import NoAccess, TermsNotAccepted
from app.auth.sessions.service import CsrfFailed
from app.core.errors import Forbidden
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
from tests.app.web.layouts import ask_for_mapping, examined
from tests.app.web.routes import pages

SIGN_OUT = "POST /sign-out"

# For each page that needs one: what its ids are, and a form that is read as far as its thing.
IDS: dict[str, dict[str, Maker]] = {
    "POST /datasets/{dataset_id}/findings/{code}": {
        "dataset_id": lambda factory: examined(factory.portal)
    },
    "GET /datasets/{dataset_id}/findings/{code}/picture": {
        "dataset_id": lambda factory: examined(factory.portal)
    },
    "GET /datasets/{dataset_id}/layout": {
        "dataset_id": lambda factory: ask_for_mapping(factory.portal)
    },
    "POST /datasets/{dataset_id}/layout": {
        "dataset_id": lambda factory: ask_for_mapping(factory.portal)
    },
    "POST /distillations/{distillation_id}/cancel": {"distillation_id": ObjectFactory.queued},
    "POST /distillations/{distillation_id}/retry": {"distillation_id": ObjectFactory.failed},
    "GET /distillations/{distillation_id}/report": {"distillation_id": ObjectFactory.reported},
    "POST /requests/{request_id}/change": {"request_id": ObjectFactory.sent_request},
    "POST /requests/{request_id}/cancel": {"request_id": ObjectFactory.sent_request},
    "POST /grants/{grant_id}/accept": {"grant_id": ObjectFactory.held_grant},
    "POST /organisation/people/{user_id}/second-factor/reset": {
        "user_id": ObjectFactory.user_with_an_app
    },
}
USUAL: dict[str, Maker] = {
    "notice_id": ObjectFactory.notification,
    "code": lambda factory: "inverted",
}
FORMS: dict[str, Callable[[ObjectFactory], dict[str, str]]] = {
    "POST /datasets/{dataset_id}/distill": lambda factory: PRESET,
    "POST /datasets/{dataset_id}/distill/forecast": lambda factory: PRESET,
    "POST /datasets/{dataset_id}/findings/{code}": lambda factory: {"action": "accept"},
    "POST /datasets/{dataset_id}/withdraw": lambda factory: {
        "what": "whole",
        "reason": "So it is.",
    },
    "POST /distillations/{distillation_id}/release": lambda factory: RELEASE,
    "POST /distillations/{distillation_id}/release/override": lambda factory: {
        "reason": "For the partners of the trial."
    },
    "POST /distillations/{distillation_id}/release/preview": lambda factory: RELEASE,
    "POST /grants/{grant_id}/accept": lambda factory: {"accepted": "1", "terms_sha256": "0" * 64},
    "POST /organisation/connections": lambda factory: {
        "name": "The hub",
        "url": "https://192.168.0.1",
        "token": "iadd_token",
    },
    "POST /releases/{release_id}/shares": lambda factory: {"connection": factory.connection()},
    "POST /organisation/people/{user_id}": lambda factory: {"name": "Dr. X", "roles": "researcher"},
    "POST /organisation/webhooks/{webhook_id}": lambda factory: WEBHOOK,
    "POST /releases/{release_id}/grants": lambda factory: {
        "organisation": factory.portal.elsewhere_id
    },
    "POST /releases/{release_id}/requests": lambda factory: {
        "purpose": "We train a triage network."
    },
    "POST /releases/{release_id}/scores": lambda factory: {"training_id": "tr_none"},
    "POST /trainings": lambda factory: {"dataset": factory.dataset(), "release": factory.release()},
}
PRESET = {"preset": "cpu_demo", "shown": "cpu_demo"}
RELEASE = {"title": "Chest X-rays", "summary": "Adults.", "contact": "a@b.example"}
ASKS_FOR_A_GRANT = (NoAccess.title, TermsNotAccepted.title)
READS_PAGES = {"Accept": "text/html,application/xhtml+xml"}


class Somebody:
    """At a browser without scripts; None for an email is nobody."""

    def __init__(self, portal: Any, email: str | None) -> None:
        self._portal, self._email = portal, email
        self._client = httpx.Client(base_url=portal.client.base_url, timeout=20)
        self._csrf_token = ""

    def sign_in(self) -> None:
        if self._email is None:
            return
        browser = self._portal.browser()
        assert browser.sign_in(self._email).status_code == 201
        self._client.cookies = browser.client.cookies
        self._csrf_token = browser.csrf_token

    def ask(self, page: str, address: str) -> httpx.Response:
        """Open the page, or send its form: an empty one where FORMS has none."""
        if page.startswith("GET "):
            return self._client.get(address, headers=READS_PAGES)
        form = FORMS[page](ObjectFactory(self._portal)) if page in FORMS else {}
        sent = {"csrf_token": self._csrf_token} | form
        return self._client.post(address, data=sent, headers=READS_PAGES)

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def visitors(portal: Any) -> Iterator[dict[str, Somebody]]:
    """Somebody of each kind; the other organisation's person may do everything there."""
    with portal.database.transaction() as session:
        third = organisations.create(session, portal.services.vault, "Third").id
    found = {"nobody": Somebody(portal, None)}
    for heading in HEADINGS[1:]:
        email = f"{heading.replace(' ', '-')}@hospital.example"
        role, owner = (
            (Role.ADMIN, third)
            if heading == "another organisation"
            else (Role(heading), portal.organisation_id)
        )
        portal.account(role, email=email, organisation_id=owner)
        found[heading] = Somebody(portal, email)
        found[heading].sign_in()
    yield found
    for somebody in found.values():
        somebody.close()


def address_of(page: str, portal: Any, kept: dict[Maker, str] | None = None) -> str:
    return filled(ObjectFactory(portal), page.split()[1], USUAL | IDS.get(page, {}), kept)


def word(reply: httpx.Response) -> str:
    assert reply.status_code < 500, reply.text
    if reply.status_code == 303 and reply.headers["location"].startswith("/sign-in?next="):
        return "sign in"
    if reply.status_code == 403:
        assert CsrfFailed.title not in reply.text
        if any(title in reply.text for title in ASKS_FOR_A_GRANT):
            return "grant"
        return "no" if Forbidden.title in reply.text else "yes"
    return {401: "sign in", 404: "hidden"}.get(reply.status_code, "yes")


@CALLERS
def test_every_page_answers_each_visitor_as_the_table_says(portal, visitors, headings):
    _, table = rest_and_pages()
    expected, found, kept = words_for(headings, table), {}, {}
    # Nobody is signed in any more after signing out.
    for page in sorted(pages(), key=SIGN_OUT.__eq__):
        shared = address_of(page, portal, kept)
        words = found[page] = {}
        for heading in headings:
            # What is only read, and what a visitor is kept from, stays as it is for all others.
            is_refused = expected.get(page, {}).get(heading) in REFUSED
            is_kept = page.startswith("GET ") or is_refused
            address = shared if is_kept else address_of(page, portal)
            words[heading] = word(visitors[heading].ask(page, address))
        print(f"| `{page}` | {' | '.join(words.values())} |")
    # The lines printed above are those of a table that would be right, in these columns.
    assert found == expected


def test_the_table_is_of_the_roles_there_are():
    _, table = rest_and_pages()
    assert heading_of(table) == ["page", *HEADINGS]
