"""People of an organisation: made, changed, disabled, and never more than their makers."""

import hashlib
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from app.core.security import Caller, Permission, Role, permissions_of
from app.core.vault import Vault
from app.models import AuditEntry, IdempotencyKey, User
from app.organisations import service as organisations
from app.users import service as users
from app.users.repository import UserRepository
from app.users.schemas import UserChange
from tests.fixtures.clients import PASSWORD, problem

pytestmark = pytest.mark.usefixtures("impatient")

EMAIL = "grey@st-anna.example"
NEW_PASSWORD = "another sentence that I would say"

BODY = {
    "email": EMAIL,
    "name": "Dr. Grey",
    "roles": ["steward"],
    "password": PASSWORD,
}


def patch(member, user_id, body, **headers):
    return member.request("PATCH", f"/users/{user_id}", json=body, headers=headers)


def test_an_admin_makes_an_account_and_its_person_signs_in(either_portal):
    portal = either_portal
    made = portal.admin.post("/users", json=BODY | {"email": "Grey@St-Anna.example"})

    assert made.status_code == 201
    assert made.json()["email"] == EMAIL
    assert "password" not in made.text
    assert made.headers["location"] == f"/api/v1/users/{made.json()['id']}"
    assert portal.browser().sign_in(EMAIL).status_code == 201
    assert made.json()["id"] in [item["id"] for item in portal.admin.get("/users").json()["items"]]


def test_an_address_belongs_to_one_account(either_portal):
    portal = either_portal
    portal.admin.post("/users", json=BODY)

    assert problem(portal.admin.post("/users", json=BODY)) == (409, "address-taken")
    assert problem(portal.stranger.post("/users", json=BODY)) == (409, "address-taken")


def test_of_two_that_make_the_same_account_at_once_one_is_told(database):
    """Neither sees the other's account before it is committed."""
    vault = Vault("a secret of the tests, of 32 characters")
    with database.transaction() as session:
        home = organisations.create(session, vault, "St. Anna").id

    def make():
        with database.transaction() as session:
            users.add(
                session,
                home,
                email=EMAIL,
                name="Dr. Grey",
                roles=[Role.STEWARD],
                password_hash=None,
            )

    with ThreadPoolExecutor(1) as other:
        with database.transaction() as session:
            users.add(
                session,
                home,
                email=EMAIL,
                name="Dr. Grey",
                roles=[Role.STEWARD],
                password_hash=None,
            )
            at_once = other.submit(make)
            with pytest.raises(TimeoutError):
                at_once.result(timeout=0.5)
        with pytest.raises(users.AddressTaken):
            at_once.result(timeout=20)


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "short"},
        {"password": "aaaaaaaaaaaaaaaa"},
        {"password": "grey@st-anna.example!"},
        {"email": "no address"},
        {"email": "a@b\nBcc: c@d"},
        {"roles": []},
        {"roles": ["boss"]},
        {"name": "Dr.\x1b Grey"},
    ],
)
def test_an_account_that_cannot_be(portal, wrong):
    reply = portal.admin.post("/users", json=BODY | wrong)

    assert reply.status_code == 422
    assert PASSWORD not in reply.text


@pytest.mark.parametrize("role", [Role.STEWARD, Role.RESEARCHER, Role.AUDITOR])
def test_nobody_but_an_admin_manages_people(portal, role):
    member = portal.member(portal.organisation_id, role)
    user_id = portal.account(Role.RESEARCHER)

    assert member.post("/users", json=BODY).status_code == 403
    assert member.get("/users").status_code == 403
    assert patch(member, user_id, {"roles": ["admin"]}).status_code == 403


def test_people_of_another_organisation_are_not_there(portal):
    user_id = portal.account(Role.RESEARCHER)

    assert portal.stranger.get(f"/users/{user_id}").status_code == 404
    assert patch(portal.stranger, user_id, {"disabled": True}).status_code == 404
    assert portal.stranger.post(f"/users/{user_id}/password-link").status_code == 404
    assert user_id not in portal.stranger.get("/users").text


def test_an_admin_makes_no_operator(portal):
    user_id = portal.account(Role.STEWARD)

    for reply in (
        portal.admin.post(
            "/users", json=BODY | {"email": "op@st-anna.example"} | {"roles": ["operator"]}
        ),
        portal.admin.post(
            "/invitations", json={"email": "op@st-anna.example", "roles": ["admin", "operator"]}
        ),
        patch(portal.admin, user_id, {"roles": ["steward", "operator"]}),
    ):
        assert problem(reply) == (403, "role-not-yours-to-give")


def test_an_admin_does_not_come_to_an_operators_account(portal):
    """A link to set the password would be a way to sign in as the operator."""
    operator = portal.account(Role.OPERATOR, email="op@st-anna.example")

    for reply in (
        portal.admin.post(f"/users/{operator}/password-link"),
        patch(portal.admin, operator, {"disabled": True}),
        patch(portal.admin, operator, {"roles": ["researcher"]}),
        patch(portal.admin, operator, {"name": "Nobody"}),
    ):
        assert problem(reply) == (403, "role-not-yours-to-give")
    assert portal.browser().sign_in("op@st-anna.example").status_code == 201


def test_an_operator_manages_nobody(portal):
    operator = portal.member(portal.organisation_id, Role.OPERATOR)

    assert operator.get("/users").status_code == 403
    assert operator.post("/users", json=BODY).status_code == 403


def test_the_last_admin_stays(either_portal):
    portal = either_portal
    first = portal.account(Role.ADMIN)
    second = portal.account(Role.ADMIN, email="yang@st-anna.example")

    assert patch(portal.admin, first, {"roles": ["researcher"]}).status_code == 200
    assert problem(patch(portal.admin, second, {"disabled": True})) == (409, "last-admin")
    assert problem(patch(portal.admin, second, {"roles": ["steward"]})) == (409, "last-admin")
    assert patch(portal.admin, second, {"roles": ["steward", "admin"]}).status_code == 200


def test_of_two_admins_who_leave_at_once_one_stays(database):
    vault = Vault("a secret of the tests, of 32 characters")
    with database.transaction() as session:
        home = organisations.create(session, vault, "St. Anna").id
        ids = [
            users.add(
                session, home, email=email, name="Dr.", roles=[Role.ADMIN], password_hash=None
            ).id
            for email in ("a@st-anna.example", "b@st-anna.example")
        ]
    admin = Caller(
        organisation_id=home,
        permissions=permissions_of([Role.ADMIN]),
        roles=(Role.ADMIN,),
        name="admin",
    )

    def leave(session, user_id):
        user = UserRepository(session).readable_by(admin).get(user_id, lock=True)
        users.change(session, admin, user, UserChange(roles=[Role.STEWARD]))

    def leave_too():
        with database.transaction() as session:
            leave(session, ids[1])

    with ThreadPoolExecutor(1) as other:
        with database.transaction() as session:
            leave(session, ids[0])
            at_once = other.submit(leave_too)
            with pytest.raises(TimeoutError):
                at_once.result(timeout=0.5)
        with pytest.raises(users.LastAdmin):
            at_once.result(timeout=20)


def test_what_was_changed_meanwhile_is_not_overwritten(portal):
    user_id = portal.account(Role.STEWARD)
    seen = portal.admin.get(f"/users/{user_id}").headers["etag"]

    first = patch(portal.admin, user_id, {"name": "Dr. M. Grey"}, **{"If-Match": seen})
    second = patch(portal.admin, user_id, {"roles": ["admin"]}, **{"If-Match": seen})
    third = patch(
        portal.admin, user_id, {"roles": ["admin"]}, **{"If-Match": first.headers["etag"]}
    )

    assert first.status_code == 200
    assert problem(second) == (412, "changed-meanwhile")
    assert third.json()["name"] == "Dr. M. Grey"
    assert third.headers["etag"] == portal.admin.get(f"/users/{user_id}").headers["etag"]


def test_the_log_tells_what_was_changed(portal):
    user_id = portal.account(Role.STEWARD)

    patch(portal.admin, user_id, {"name": "Dr. M. Grey"})
    patch(portal.admin, user_id, {"disabled": True})

    entries = portal.admin.get(f"/audit?subject={user_id}").json()["items"]
    assert [(entry["action"], entry["details"]) for entry in entries] == [
        ("user.disabled", {"roles": ["steward"], "changed": ["disabled"]}),
        ("user.changed", {"roles": ["steward"], "changed": ["name"]}),
    ]


def test_a_new_password_ends_my_other_sessions(either_portal):
    portal = either_portal
    portal.account(Role.STEWARD)
    here, there = portal.browser(), portal.browser()
    here.sign_in(EMAIL)
    there.sign_in(EMAIL)

    changed = here.put("/users/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD})

    assert changed.status_code == 204
    assert here.get("/session").status_code == 200
    assert there.get("/session").status_code == 401
    assert portal.browser().sign_in(EMAIL).status_code == 401
    assert portal.browser().sign_in(EMAIL, NEW_PASSWORD).status_code == 201


def test_a_stolen_session_cannot_try_passwords_for_long(portal):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in(EMAIL)

    for _ in range(5):
        refused = browser.put("/users/me/password", json={"current": "guess", "new": NEW_PASSWORD})
        assert problem(refused) == (422, "wrong-password")
    right = browser.put("/users/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD})

    assert problem(right) == (422, "wrong-password")
    [locked] = portal.admin.get("/audit?action=session.locked").json()["items"]
    assert locked["details"]["failures"] == 5


def test_a_token_of_the_organisation_has_no_password(portal):
    body = {"current": PASSWORD, "new": NEW_PASSWORD}

    assert problem(portal.admin.put("/users/me/password", json=body)) == (403, "no-person")


def test_a_password_is_hashed_while_everybody_else_may_write(
    portal_with, sqlite_url, tmp_path, monkeypatch
):
    """On SQLite whoever writes holds the only lock there is."""
    portal = portal_with(database_url=sqlite_url)
    path = tmp_path / "exchange.db"
    hash_password = users.hash_password
    hashed = []

    def hash_while_somebody_writes(password):
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        other.close()
        hashed.append(threading.current_thread().name)
        return hash_password(password)

    monkeypatch.setattr(users, "hash_password", hash_while_somebody_writes)
    headers = {"Idempotency-Key": "once"}
    assert portal.admin.post("/users", json=BODY, headers=headers).status_code == 201
    browser = portal.browser()
    browser.sign_in(EMAIL)
    body = {"current": PASSWORD, "new": NEW_PASSWORD}
    assert browser.put("/users/me/password", json=body).status_code == 204
    invited = portal.admin.post("/invitations", json={"email": "b@c.example", "roles": ["auditor"]})
    secret = invited.json()["link"].partition("#")[2]
    body = {"secret": secret, "name": "Dr. Yang", "password": PASSWORD}
    assert portal.client.post("/api/v1/invitations/accept", json=body).status_code == 201
    assert len(hashed) == 3


def test_an_idempotency_key_keeps_nothing_to_guess_a_password_by(portal):
    """A plain hash of the request could be tried against likely passwords, a million a second."""
    content = json.dumps(BODY).encode()
    headers = {"Idempotency-Key": "once", "Content-Type": "application/json"}
    first = portal.admin.post("/users", content=content, headers=headers)
    second = portal.admin.post("/users", content=content, headers=headers)

    assert first.json() == second.json()
    with portal.database.reading() as session:
        [stored] = session.scalars(select(IdempotencyKey)).all()
    plain = hashlib.sha256(b"POST /api/v1/users\n" + content).hexdigest()
    assert stored.request_hash != plain


def test_roles_are_permissions_and_an_auditor_sees_the_log_alone():
    assert permissions_of([Role.AUDITOR]) == {Permission.AUDIT}
    assert permissions_of([Role.OPERATOR]) == {Permission.OPERATE}
    assert Permission.OPERATE not in permissions_of([Role.ADMIN, Role.STEWARD])
    assert permissions_of([Role.STEWARD], []) == frozenset()


def test_the_password_is_stored_as_an_argon2_hash_alone(portal):
    portal.admin.post("/users", json=BODY)

    with portal.database.reading() as session:
        stored = session.scalars(select(User).where(User.email == EMAIL)).one().password_hash
        told = [row.details for row in session.scalars(select(AuditEntry))]
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in str(told)
