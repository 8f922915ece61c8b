"""Signing in with a browser: the cookie, its CSRF token, and the end of it."""

from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
from sqlalchemy import select, update

from app.auth.sessions import service as sessions
from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.core.security import Role, hash_secret
from app.models import AuditEntry, SignInFailures, User, WebSession
from app.users import service as users
from tests.fixtures.clients import PASSWORD, problem

pytestmark = pytest.mark.usefixtures("impatient")

EMAIL = "grey@st-anna.example"
NEW_PASSWORD = "another sentence that I would say"


def cookie_of(reply):
    """The session's."""
    sent = [SimpleCookie(header) for header in reply.headers.get_list("set-cookie")]
    [(name, morsel)] = (
        pair for cookies in sent for pair in cookies.items() if pair[0].endswith("session")
    )
    return name, morsel


def log_of(portal, prefix="session."):
    """(action, details) of the home's log, oldest first."""
    with portal.database.reading() as session:
        rows = session.scalars(
            select(AuditEntry)
            .where(
                AuditEntry.organisation_id == portal.organisation_id,
                AuditEntry.action.startswith(prefix),
            )
            .order_by(AuditEntry.number)
        )
        return [(row.action, row.details) for row in rows]


def change_session(portal, **values):
    with portal.database.transaction() as session:
        row = session.scalars(select(WebSession)).one()
        for name, value in values.items():
            setattr(row, name, value)


@pytest.fixture
def browser(portal):
    """Of a steward who is signed in."""
    portal.account(Role.STEWARD)
    browser = portal.browser()
    assert browser.sign_in(EMAIL).status_code == 201
    return browser


def test_a_steward_signs_in_uploads_and_signs_out(either_portal):
    portal = either_portal
    portal.account(Role.STEWARD)
    browser = portal.browser()

    signed_in = browser.sign_in("  Grey@St-Anna.example ")

    assert signed_in.status_code == 201
    assert signed_in.json()["organisation"] == "St. Anna"
    assert browser.get("/session").json() == signed_in.json()
    assert browser.post("/datasets", json={"name": "chest"}).status_code == 201
    assert browser.delete("/session").status_code == 204
    assert browser.get("/datasets").status_code == 401
    assert [action for action, _ in log_of(portal)] == ["session.opened", "session.closed"]


def test_the_cookie_is_opaque_and_out_of_reach_of_scripts(portal):
    portal.account(Role.STEWARD)

    name, cookie = cookie_of(portal.browser().sign_in(EMAIL))

    assert name == "exchange_session"
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]
    assert 0 < int(cookie["max-age"]) <= 12 * 3600


def test_only_a_hash_of_the_cookie_is_stored(portal, browser):
    secret = browser.client.cookies["exchange_session"]

    assert not portal.files_with(secret)
    with portal.database.reading() as session:
        assert session.scalars(select(WebSession)).one().secret_hash == hash_secret(secret)


def test_over_https_the_cookie_belongs_to_this_host_alone(portal_with):
    portal = portal_with(public_url="https://exchange.hospital.example")
    portal.account(Role.STEWARD)

    name, cookie = cookie_of(portal.browser().sign_in(EMAIL))

    assert name == "__Host-exchange_session"
    assert cookie["secure"]
    in_disguise = {"Cookie": f"exchange_session={cookie.value}"}
    assert portal.client.get("/api/v1/session", headers=in_disguise).status_code == 401
    itself = {"Cookie": f"{name}={cookie.value}"}
    assert portal.client.get("/api/v1/session", headers=itself).status_code == 200


@pytest.mark.parametrize("token", [None, "", "guessed", "ä"])
def test_what_changes_something_needs_the_csrf_token(portal, browser, token):
    browser.csrf_token = None
    headers = {} if token is None else {"X-CSRF-Token": token.encode()}

    for method, path in (("POST", "/datasets"), ("DELETE", "/session"), ("PATCH", "/users/me")):
        refused = browser.request(method, path, headers=headers, json={"name": "chest"})
        assert problem(refused) == (403, "csrf")
    assert browser.get("/datasets", headers=headers).json()["items"] == []


def test_a_csrf_token_of_another_session_is_none(portal, browser):
    other = portal.browser()
    other.sign_in(EMAIL)

    browser.csrf_token = other.csrf_token

    assert problem(browser.post("/datasets", json={"name": "chest"})) == (403, "csrf")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_another_sites_page_cannot_sign_somebody_in(portal, content_type):
    """Forms and `fetch` without leave send these, and a browser would keep the cookie."""
    portal.account(Role.STEWARD)
    body = f'{{"email": "{EMAIL}", "password": "{PASSWORD}"}}'.encode()
    headers = {} if content_type is None else {"Content-Type": content_type}

    reply = portal.client.post("/api/v1/session", content=body, headers=headers)

    assert reply.status_code == 422
    assert "set-cookie" not in reply.headers


def test_signing_in_never_takes_a_cookie_over_and_ends_the_one_before(portal, browser):
    first = browser.client.cookies["exchange_session"]

    browser.sign_in(EMAIL)

    second = browser.client.cookies["exchange_session"]
    assert second != first
    old = {"Cookie": f"exchange_session={first}"}
    assert portal.client.get("/api/v1/session", headers=old).status_code == 401


def test_unknown_addresses_and_wrong_passwords_get_the_same_answer(portal):
    portal.account(Role.STEWARD)
    gone = portal.account(Role.RESEARCHER, email="gone@st-anna.example")
    portal.admin.request("PATCH", f"/users/{gone}", json={"disabled": True})

    replies = [
        portal.browser().sign_in(EMAIL, "not the password"),
        portal.browser().sign_in("nobody@st-anna.example", "not the password"),
        portal.browser().sign_in("gone@st-anna.example"),
    ]

    assert problem(replies[0]) == (401, "wrong-credentials")
    assert len({reply.text for reply in replies}) == 1


def test_refusals_are_answered_at_one_moment_whatever_they_took(portal, monkeypatch):
    monkeypatch.setattr("app.auth.password_login.REFUSAL_SECONDS", 0.7)
    portal.account(Role.STEWARD)

    for email in (EMAIL, "nobody@st-anna.example"):
        reply = portal.browser().sign_in(email, "not the password")
        # A lower bound: both wait for the same moment, which is later than the check's end.
        assert reply.elapsed >= timedelta(seconds=0.7)


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a\0b@st-anna.example", "password": "x"},
        {"email": "nobody", "password": "x"},
        {"email": EMAIL, "password": ""},
        {"email": EMAIL, "password": "x" * 257},
        {"email": EMAIL},
    ],
)
def test_what_cannot_be_an_account_is_refused(either_portal, body):
    assert either_portal.client.post("/api/v1/session", json=body).status_code == 422
    forgotten = {"email": body["email"]}
    reply = either_portal.client.post("/api/v1/session/forgotten", json=forgotten)
    assert reply.status_code == (202 if body["email"] == EMAIL else 422)


def end_locks(portal, user_id):
    """As if the time of every lock were over."""
    past = utc_now() - timedelta(seconds=1)
    with portal.database.transaction() as session:
        session.get(User, user_id).locked_until = past
        session.execute(update(SignInFailures).values(locked_until=past))


def try_from(portal, address, password="wrong", browser=None):
    """From a device at another address, as a proxy tells it."""
    return (browser or portal.browser()).post(
        "/session",
        json={"email": EMAIL, "password": password},
        headers={"X-Forwarded-For": address},
    )


def test_five_wrong_passwords_lock_their_address_and_the_log_tells_it(either_portal):
    portal = either_portal
    user_id = portal.account(Role.STEWARD)
    browser = portal.browser()

    for _ in range(5):
        assert problem(browser.sign_in(EMAIL, "wrong"))[0] == 401
    locked_out = browser.sign_in(EMAIL)

    assert problem(locked_out) == (401, "wrong-credentials")
    actions = [action for action, _ in log_of(portal)]
    assert actions == ["session.failed"] * 4 + ["session.locked", "session.failed"]
    locked = {"locked": "address", "failures": 5, "minutes": 1}
    assert log_of(portal)[4][1] == locked
    assert log_of(portal)[5][1] == {"reason": "locked"}

    end_locks(portal, user_id)
    assert problem(browser.sign_in(EMAIL, "wrong"))[0] == 401
    assert log_of(portal)[-1] == ("session.locked", locked | {"failures": 6, "minutes": 2})
    end_locks(portal, user_id)
    assert browser.sign_in(EMAIL).status_code == 201
    with portal.database.reading() as session:
        assert session.get(User, user_id).failed_sign_ins == 0
        assert session.scalars(select(SignInFailures)).all() == []


def test_a_lock_is_an_hour_at_most(portal):
    user_id = portal.account(Role.STEWARD)
    with portal.database.transaction() as session:
        session.get(User, user_id).failed_sign_ins = 5000

    portal.browser().sign_in(EMAIL, "wrong")

    locked = {"locked": "all unknown devices", "failures": 5001, "minutes": 60}
    assert log_of(portal)[-1] == ("session.locked", locked)


def test_strangers_lock_nobody_out_of_their_own_browser(either_portal):
    portal = either_portal
    portal.account(Role.STEWARD)
    own = portal.browser()
    assert own.sign_in(EMAIL).status_code == 201
    assert own.delete("/session").status_code == 204

    for _ in range(6):
        assert problem(portal.browser().sign_in(EMAIL, "wrong"))[0] == 401

    assert problem(portal.browser().sign_in(EMAIL)) == (401, "wrong-credentials")
    assert own.sign_in(EMAIL).status_code == 201


def test_strangers_elsewhere_lock_nobody_out_of_a_new_device(portal):
    portal.account(Role.STEWARD)

    for _ in range(6):
        try_from(portal, "192.0.2.7")

    assert problem(try_from(portal, "192.0.2.7", PASSWORD)) == (401, "wrong-credentials")
    assert try_from(portal, "198.51.100.1", PASSWORD).status_code == 201


def test_guesses_from_many_addresses_lock_every_device_but_the_known(portal, monkeypatch):
    monkeypatch.setattr("app.auth.failures.TRIES_OF_STRANGERS", 8)
    portal.account(Role.STEWARD)
    own = portal.browser()
    own.sign_in(EMAIL)

    for number in range(8):
        assert try_from(portal, f"192.0.2.{number}").status_code == 401

    assert log_of(portal)[-1][1]["locked"] == "all unknown devices"
    assert problem(try_from(portal, "198.51.100.1", PASSWORD)) == (401, "wrong-credentials")
    assert own.sign_in(EMAIL).status_code == 201


def test_the_addresses_of_one_network_of_ipv6_count_together(portal):
    portal.account(Role.STEWARD)

    for number in range(5):
        try_from(portal, f"2001:db8:1:2::{number}")

    assert problem(try_from(portal, "2001:db8:1:2::ffff", PASSWORD))[0] == 401
    assert try_from(portal, "2001:db8:1:3::1", PASSWORD).status_code == 201


def test_a_known_device_guesses_no_more_often_than_others(portal):
    portal.account(Role.STEWARD)
    own = portal.browser()
    own.sign_in(EMAIL)

    for _ in range(5):
        own.sign_in(EMAIL, "wrong")

    assert problem(own.sign_in(EMAIL)) == (401, "wrong-credentials")
    assert log_of(portal)[-2][1]["locked"] == "device"


def test_a_device_is_known_to_the_account_that_it_signed_in_to_alone(portal):
    portal.account(Role.STEWARD)
    portal.account(Role.STEWARD, email="other@st-anna.example")
    other = portal.browser()
    other.sign_in("other@st-anna.example")
    for _ in range(5):
        portal.browser().sign_in(EMAIL, "wrong")

    assert problem(other.sign_in(EMAIL)) == (401, "wrong-credentials")


def test_many_tries_at_one_account_keep_nobody_else_from_it(portal_with):
    portal = portal_with(sign_in_rate="3/minute")
    portal.account(Role.STEWARD)
    tries = [try_from(portal, "192.0.2.7").status_code for _ in range(4)]

    assert tries == [401, 401, 401, 429]
    assert try_from(portal, "198.51.100.1", PASSWORD).status_code == 201


def test_wrong_guesses_at_the_change_of_a_password_lock_no_sign_in(portal, browser):
    change = {"current": "not the password", "new": NEW_PASSWORD}
    for _ in range(6):
        assert browser.put("/users/me/password", json=change).status_code == 422
    right = browser.put("/users/me/password", json=change | {"current": PASSWORD})

    assert problem(right) == (422, "wrong-password")
    assert portal.browser().sign_in(EMAIL).status_code == 201


def test_old_failures_are_forgotten(portal):
    portal.account(Role.STEWARD)
    portal.browser().sign_in(EMAIL, "wrong")
    with portal.database.transaction() as session:
        session.execute(update(SignInFailures).values(updated_at=utc_now() - timedelta(days=8)))

    sweep(portal.services)

    with portal.database.reading() as session:
        assert session.scalars(select(SignInFailures)).all() == []


def test_a_password_that_was_changed_during_its_check_lets_nobody_in(portal, monkeypatch):
    user_id = portal.account(Role.STEWARD)
    check = sessions.check_password

    def check_while_it_is_changed(password, password_hash):
        right = check(password, password_hash)
        with portal.database.transaction() as session:
            user = session.get(User, user_id)
            users.set_password(session, user, users.hash_new_password(NEW_PASSWORD, EMAIL))
        return right

    monkeypatch.setattr(sessions, "check_password", check_while_it_is_changed)
    assert problem(portal.browser().sign_in(EMAIL)) == (401, "wrong-credentials")
    monkeypatch.undo()
    assert portal.browser().sign_in(EMAIL, NEW_PASSWORD).status_code == 201


@pytest.mark.parametrize("column", ["expires_at", "last_seen_at"])
def test_a_session_ends_by_itself(portal, browser, column):
    change_session(portal, **{column: utc_now() - timedelta(minutes=61)})

    assert problem(browser.get("/datasets")) == (401, "unauthenticated")
    with portal.database.transaction() as session:
        now = utc_now()
        sessions.WebSessionRepository(session).delete_ended(now, now - timedelta(minutes=60))
        assert session.scalars(select(WebSession)).all() == []


def test_a_request_keeps_the_session_awake(portal, browser):
    change_session(portal, last_seen_at=utc_now() - timedelta(minutes=59))

    assert browser.get("/datasets").status_code == 200

    with portal.database.reading() as session:
        seen = session.scalars(select(WebSession)).one().last_seen_at
    assert utc_now() - seen < timedelta(minutes=1)


def test_whoever_is_disabled_is_out_at_once(portal, browser):
    user_id = browser.get("/session").json()["user_id"]

    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": True})

    assert browser.get("/datasets").status_code == 401
    assert problem(portal.browser().sign_in(EMAIL)) == (401, "wrong-credentials")
    assert log_of(portal)[-1] == ("session.failed", {"reason": "disabled"})
    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": False})
    assert browser.get("/datasets").status_code == 401
    assert portal.browser().sign_in(EMAIL).status_code == 201


def test_a_role_that_is_taken_away_is_gone_with_the_next_request(portal, browser):
    user_id = browser.get("/session").json()["user_id"]

    portal.admin.request("PATCH", f"/users/{user_id}", json={"roles": ["researcher"]})

    assert problem(browser.post("/datasets", json={"name": "chest"})) == (403, "forbidden")
    assert log_of(portal, "request.")[-1] == (
        "request.refused",
        {"operation": "create_dataset", "needed": "upload"},
    )


def test_signing_out_everywhere_ends_the_sessions_on_every_device(portal, browser):
    other = portal.browser()
    other.sign_in(EMAIL)

    browser.delete("/session?everywhere=true")

    assert other.get("/session").status_code == 401
    assert log_of(portal)[-1] == ("session.closed", {"everywhere": True})


def test_signing_out_with_a_token_ends_nobodys_session(portal, browser):
    cookie = {"Cookie": f"exchange_session={browser.client.cookies['exchange_session']}"}

    assert portal.researcher.delete("/session", headers=cookie).status_code == 204

    assert browser.get("/session").status_code == 200


def test_a_token_comes_before_a_cookie_and_needs_no_csrf_token(portal, browser):
    cookie = {"Cookie": f"exchange_session={browser.client.cookies['exchange_session']}"}

    seen = portal.researcher.get("/session", headers=cookie).json()

    assert (seen["roles"], seen["csrf_token"], seen["email"]) == (["researcher"], None, None)


def test_too_many_tries_from_one_address_have_to_wait(portal_with):
    portal = portal_with(sign_in_rate="3/minute")
    portal.account(Role.STEWARD)
    browser = portal.browser()
    for number in range(3):
        assert browser.sign_in(f"nobody{number}@st-anna.example", "wrong").status_code == 401

    held_up = browser.sign_in(EMAIL)

    assert problem(held_up) == (429, "too-many-requests")
    assert 1 <= int(held_up.headers["retry-after"]) <= 60
