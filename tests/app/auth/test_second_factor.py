"""A code of an authenticator app after the password, and everything it must not let through."""

from datetime import timedelta

import pyotp
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.auth.second_factor import service as second_factor
from app.core.clock import utc_now
from app.core.security import Role
from app.core.vault import Vault
from app.models import AuditEntry, SecondFactor
from app.operations.secret_rotation import reseal_all
from tests.fixtures.clients import PASSWORD, problem

pytestmark = pytest.mark.usefixtures("impatient")

EMAIL = "grey@st-anna.example"
HERE = "/users/me/second-factor"


class Phone:
    """An authenticator app, and the clock of its room."""

    def __init__(self):
        self.now = utc_now()
        self.secret = ""

    def wait(self, seconds=30):
        self.now += timedelta(seconds=seconds)

    def code(self):
        """The one that it shows; each call waits for one that was not shown before."""
        self.wait()
        return pyotp.TOTP(self.secret).at(self.now)


@pytest.fixture
def phone(monkeypatch):
    phone = Phone()
    monkeypatch.setattr(second_factor, "utc_now", lambda: phone.now)
    return phone


def sign_in(portal, password=PASSWORD, **sent):
    return portal.browser().post("/session", json={"email": EMAIL, "password": password} | sent)


def add(portal, phone, browser=None):
    """Add the app to the account of EMAIL; the recovery codes."""
    if browser is None:
        browser = portal.browser()
        assert browser.sign_in(EMAIL).status_code == 201
    begun = browser.post(HERE, json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    phone.secret = begun.json()["secret"]
    confirmed = browser.post(f"{HERE}/confirm", json={"code": phone.code()})
    assert confirmed.status_code == 200, confirmed.text
    return confirmed.json()["recovery_codes"]


def actions(portal, prefix="se"):
    with portal.database.reading() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.number))
        return [(row.action, row.details) for row in rows if row.action.startswith(prefix)]


def test_a_sign_in_asks_for_a_code_once_the_app_has_shown_one(either_portal, phone):
    portal = either_portal
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    assert browser.get(HERE).json() == {"since": None, "recovery_codes_left": 0}
    begun = browser.post(HERE, json={"password": PASSWORD}).json()
    assert begun["address"].startswith("otpauth://totp/")
    assert sign_in(portal).status_code == 201  # nothing is confirmed yet
    phone.secret = begun["secret"]
    browser.post(f"{HERE}/confirm", json={"code": phone.code()})

    assert problem(sign_in(portal)) == (401, "second-factor-needed")
    admitted = sign_in(portal, code=phone.code())
    assert admitted.status_code == 201, admitted.text
    assert browser.get(HERE).json()["recovery_codes_left"] == 8
    opened = [details["by"] for action, details in actions(portal) if action == "session.opened"]
    assert opened == ["password", "password", "password and code"]
    assert ("second_factor.added", {}) in actions(portal)


def test_a_code_lets_nobody_in_without_the_password(portal, phone):
    portal.account(Role.STEWARD)
    add(portal, phone)
    assert problem(sign_in(portal, "not this sentence", code=phone.code())) == (
        401,
        "wrong-credentials",
    )
    assert problem(sign_in(portal, "not this sentence")) == (401, "wrong-credentials")


def test_a_code_works_once(portal, phone):
    portal.account(Role.STEWARD)
    add(portal, phone)
    code = phone.code()
    assert sign_in(portal, code=code).status_code == 201
    assert problem(sign_in(portal, code=code)) == (401, "wrong-code")


def test_a_recovery_code_works_once_and_in_place_of_the_app(portal, phone):
    portal.account(Role.STEWARD)
    recovery = add(portal, phone)
    assert len(recovery) == 8
    assert sign_in(portal, code=recovery[0].lower()).status_code == 201
    assert problem(sign_in(portal, code=recovery[0])) == (401, "wrong-code")
    browser = portal.browser()
    browser.post("/session", json={"email": EMAIL, "password": PASSWORD, "code": recovery[1]})
    assert actions(portal)[-1] == ("session.opened", {"by": "password and recovery code"})


def test_who_knows_the_password_cannot_guess_codes_for_long(portal, phone):
    portal.account(Role.STEWARD)
    add(portal, phone)
    for _ in range(5):
        # The right password alone, in between, takes no wrong code back.
        assert problem(sign_in(portal)) == (401, "second-factor-needed")
        assert problem(sign_in(portal, code="000000")) == (401, "wrong-code")
    assert problem(sign_in(portal, code=phone.code())) == (401, "wrong-code")
    assert problem(sign_in(portal)) == (401, "wrong-credentials")
    assert "session.locked" in [action for action, _ in actions(portal)]


def test_a_code_that_came_during_a_lock_is_not_used_up(portal, phone):
    portal.account(Role.STEWARD)
    recovery = add(portal, phone)
    for _ in range(5):
        sign_in(portal, code="000000")
    assert problem(sign_in(portal, code=recovery[0])) == (401, "wrong-code")
    with portal.database.reading() as session:
        [factor] = session.scalars(select(SecondFactor))
    assert len(factor.recovery_hashes) == 8


@pytest.mark.parametrize("code", ["000000", "not a code", "0", "ä" * 40])
def test_a_first_code_that_is_wrong_switches_nothing_on(portal, phone, code):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    browser.post(HERE, json={"password": PASSWORD})
    refused = browser.post(f"{HERE}/confirm", json={"code": code})
    assert problem(refused) == (422, "wrong-second-factor")
    assert "clock of the phone" in refused.json()["detail"]
    assert sign_in(portal).status_code == 201


def test_nothing_is_confirmed_that_was_not_begun_or_is_on_already(portal, phone):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    refused = browser.post(f"{HERE}/confirm", json={"code": "000000"})
    assert problem(refused) == (404, "no-second-factor")
    add(portal, phone, browser)
    again = browser.post(f"{HERE}/confirm", json={"code": phone.code()})
    assert problem(again) == (409, "second-factor-there")
    assert problem(browser.post(HERE, json={"password": PASSWORD})) == (409, "second-factor-there")


def test_a_stolen_session_adds_no_app_and_removes_none(portal, phone):
    portal.account(Role.STEWARD)
    stolen = portal.browser()
    stolen.sign_in(EMAIL)
    assert problem(stolen.post(HERE, json={"password": "a guess"})) == (422, "wrong-password")
    add(portal, phone)
    for password, code in (("a guess", phone.code()), (PASSWORD, "000000")):
        body = {"password": password, "code": code}
        assert stolen.post(f"{HERE}/remove", json=body).status_code == 422
    assert problem(sign_in(portal)) == (401, "second-factor-needed")


def test_wrong_codes_for_its_removal_are_counted(portal, phone):
    portal.account(Role.STEWARD)
    stolen = portal.browser()
    stolen.sign_in(EMAIL)
    add(portal, phone)
    for _ in range(5):
        body = {"password": PASSWORD, "code": "000000"}
        assert problem(stolen.post(f"{HERE}/remove", json=body)) == (422, "wrong-second-factor")
    body = {"password": PASSWORD, "code": phone.code()}
    assert problem(stolen.post(f"{HERE}/remove", json=body)) == (422, "wrong-password")


def test_a_person_removes_it_with_password_and_code(portal, phone):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    body = {"password": PASSWORD, "code": "000000"}
    assert problem(browser.post(f"{HERE}/remove", json=body)) == (404, "no-second-factor")
    add(portal, phone, browser)
    body = {"password": PASSWORD, "code": phone.code()}
    assert browser.post(f"{HERE}/remove", json=body).status_code == 204
    assert sign_in(portal).status_code == 201
    assert ("second_factor.removed", {}) in actions(portal)


def test_an_admin_resets_it_for_who_has_lost_the_app(portal, phone):
    user_id = portal.account(Role.STEWARD)
    address = f"/users/{user_id}/second-factor"
    assert problem(portal.admin.delete(address)) == (404, "no-second-factor")
    add(portal, phone)
    assert portal.admin.get(f"/users/{user_id}").json()["has_second_factor"]
    assert portal.admin.delete(address).status_code == 204
    assert not portal.admin.get(f"/users/{user_id}").json()["has_second_factor"]
    assert sign_in(portal).status_code == 201


def test_an_admin_does_not_reset_that_of_an_operator(portal, phone):
    user_id = portal.account(Role.OPERATOR)
    add(portal, phone)
    refused = portal.admin.delete(f"/users/{user_id}/second-factor")
    assert problem(refused) == (403, "role-not-yours-to-give")


def test_a_new_password_by_a_link_does_not_go_around_it(portal, phone):
    user_id = portal.account(Role.STEWARD)
    add(portal, phone)
    link = portal.admin.post(f"/users/{user_id}/password-link").json()["link"]
    new = "another sentence that I would say"
    body = {"secret": link.partition("#")[2], "password": new}
    assert portal.client.post("/api/v1/invitations/accept", json=body).status_code == 201
    assert problem(sign_in(portal, new)) == (401, "second-factor-needed")
    assert sign_in(portal, new, code=phone.code()).status_code == 201


def test_neither_secret_nor_codes_are_stored_to_be_read(portal, phone):
    portal.account(Role.STEWARD)
    recovery = add(portal, phone)
    for secret in (phone.secret, recovery[0], recovery[0].replace("-", "")):
        assert not portal.files_with(secret)
    listed = portal.admin.get("/audit?limit=100").text
    assert phone.secret not in listed


def test_its_secret_is_resealed_with_a_new_secret_key(portal_with, phone):
    portal = portal_with(secret_key=SecretStr("s" * 40))
    portal.account(Role.STEWARD)
    add(portal, phone)
    after = Vault("k" * 40, previous="s" * 40)
    with portal.database.transaction() as session:
        reseal_all(session, after)
    with portal.database.reading() as session:
        [factor] = session.scalars(select(SecondFactor))
    assert Vault("k" * 40).open(factor.sealed_secret).decode() == phone.secret


def test_a_token_of_the_organisation_has_none(portal):
    assert problem(portal.admin.get(HERE)) == (403, "no-person")
    assert problem(portal.admin.post(HERE, json={"password": PASSWORD})) == (403, "no-person")
    assert problem(portal.admin.post(f"{HERE}/confirm", json={"code": "1"})) == (403, "no-person")


def test_an_admin_does_not_remove_their_own_in_that_way(portal, phone):
    user_id = portal.account(Role.ADMIN)
    stolen = portal.browser()
    stolen.sign_in(EMAIL)
    add(portal, phone)
    refused = stolen.delete(f"/users/{user_id}/second-factor")
    assert problem(refused) == (403, "own-second-factor")
    assert problem(sign_in(portal)) == (401, "second-factor-needed")


def test_a_changed_password_takes_no_guess_of_a_code_back(portal, phone):
    portal.account(Role.STEWARD)
    stolen = portal.browser()
    stolen.sign_in(EMAIL)
    add(portal, phone)
    for _ in range(5):
        guess = {"password": PASSWORD, "code": "000000"}
        assert problem(stolen.post(f"{HERE}/remove", json=guess)) == (422, "wrong-second-factor")
        same = {"current": PASSWORD, "new": PASSWORD}
        stolen.put("/users/me/password", json=same)
    body = {"password": PASSWORD, "code": phone.code()}
    assert problem(stolen.post(f"{HERE}/remove", json=body)) == (422, "wrong-password")
