"""Links by which people join, or set a password anew: once, for a while, and shown once."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.core.clock import utc_now
from app.core.security import Role
from app.models import Invitation, User
from app.users.invitations import service
from tests.fixtures.clients import PASSWORD, problem

pytestmark = pytest.mark.usefixtures("impatient")

EMAIL = "yang@st-anna.example"
NEW_PASSWORD = "another sentence that I would say"
INVITED = {"email": EMAIL, "roles": ["steward", "researcher"]}


def secret_of(reply):
    assert reply.status_code == 201, reply.text
    address, _, secret = reply.json()["link"].partition("#")
    assert address == "http://127.0.0.1:8000/join"
    return secret


def accept(portal, secret, password=PASSWORD, **body):
    return portal.client.post(
        "/api/v1/invitations/accept", json={"secret": secret, "password": password, **body}
    )


def look(portal, secret):
    return portal.client.post("/api/v1/invitations/look", json={"secret": secret})


def change_invitation(portal, **values):
    with portal.database.transaction() as session:
        row = session.scalars(select(Invitation)).one()
        for name, value in values.items():
            setattr(row, name, value)


def test_somebody_is_invited_looks_and_joins(either_portal):
    portal = either_portal
    secret = secret_of(portal.admin.post("/invitations", json=INVITED))

    offer = look(portal, secret).json()
    assert offer["organisation"] == "St. Anna"
    assert (offer["email"], offer["roles"]) == (EMAIL, ["researcher", "steward"])
    assert not offer["sets_password_only"]
    assert problem(accept(portal, secret)) == (422, "name-missing")
    joined = accept(portal, secret, name="Dr. Yang")

    assert joined.status_code == 201
    assert joined.json()["roles"] == ["researcher", "steward"]
    seen = portal.browser().sign_in(EMAIL).json()
    assert (seen["name"], seen["organisation"]) == ("Dr. Yang", "St. Anna")
    [entry] = portal.admin.get("/audit?action=user.joined").json()["items"]
    assert entry["subject"] == joined.json()["id"]


def test_a_link_works_once(portal):
    secret = secret_of(portal.admin.post("/invitations", json=INVITED))
    accept(portal, secret, name="Dr. Yang")

    assert problem(accept(portal, secret, NEW_PASSWORD, name="Somebody")) == (404, "link-not-valid")
    assert problem(look(portal, secret)) == (404, "link-not-valid")
    assert portal.browser().sign_in(EMAIL).status_code == 201


def test_a_link_that_is_too_old_was_taken_back_or_never_was_gets_one_answer(portal):
    old = secret_of(portal.admin.post("/invitations", json=INVITED))
    change_invitation(portal, expires_at=utc_now())
    expired = accept(portal, old, name="Dr. Yang")
    [listed] = portal.admin.get("/invitations").json()["items"]
    assert portal.admin.delete(f"/invitations/{listed['id']}").status_code == 204
    back = secret_of(portal.admin.post("/invitations", json=INVITED))
    [listed] = portal.admin.get("/invitations").json()["items"]
    portal.admin.delete(f"/invitations/{listed['id']}")

    replies = [expired, accept(portal, back, name="Dr. Yang"), accept(portal, "guess", name="X")]

    assert problem(replies[0]) == (404, "link-not-valid")
    assert len({reply.text for reply in replies}) == 1


def test_the_link_is_shown_once_and_kept_as_a_hash(portal):
    secret = secret_of(portal.admin.post("/invitations", json=INVITED))

    assert secret not in portal.admin.get("/invitations").text
    assert secret not in portal.admin.get("/audit").text
    assert not portal.files_with(secret)


def test_a_weak_password_leaves_the_link_as_it_was(portal):
    secret = secret_of(portal.admin.post("/invitations", json=INVITED))

    refused = accept(portal, secret, "yang@st-anna.example", name="Dr. Yang")

    assert problem(refused) == (422, "weak-password")
    assert accept(portal, secret, name="Dr. Yang").status_code == 201


def test_another_organisations_invitations_are_not_there(portal):
    portal.admin.post("/invitations", json=INVITED)
    [listed] = portal.admin.get("/invitations").json()["items"]

    assert portal.stranger.get("/invitations").json()["items"] == []
    assert portal.stranger.delete(f"/invitations/{listed['id']}").status_code == 404
    assert portal.steward.post("/invitations", json=INVITED).status_code == 403


def test_whoever_has_an_account_is_not_invited(portal):
    portal.account(Role.STEWARD, email=EMAIL)

    assert problem(portal.admin.post("/invitations", json=INVITED)) == (409, "address-taken")


def test_nobody_joins_an_organisation_that_was_disabled(portal):
    secret = secret_of(portal.admin.post("/invitations", json=INVITED))
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)

    operator.request("PATCH", f"/organisations/{portal.organisation_id}", json={"disabled": True})
    assert problem(accept(portal, secret, name="Dr. Yang")) == (404, "link-not-valid")
    operator.request("PATCH", f"/organisations/{portal.organisation_id}", json={"disabled": False})
    assert accept(portal, secret, name="Dr. Yang").status_code == 201


def test_a_link_to_set_the_password_ends_the_persons_sessions_and_lock(either_portal):
    portal = either_portal
    user_id = portal.account(Role.STEWARD, email=EMAIL)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    for _ in range(5):
        portal.browser().sign_in(EMAIL, "wrong")

    secret = secret_of(portal.admin.post(f"/users/{user_id}/password-link"))
    assert look(portal, secret).json()["sets_password_only"]
    assert accept(portal, secret, NEW_PASSWORD).status_code == 201

    assert browser.get("/session").status_code == 401
    assert portal.browser().sign_in(EMAIL).status_code == 401
    assert portal.browser().sign_in(EMAIL, NEW_PASSWORD).status_code == 201
    assert problem(accept(portal, secret, PASSWORD)) == (404, "link-not-valid")


def test_a_new_password_ends_every_other_link_to_set_one(portal):
    user_id = portal.account(Role.STEWARD, email=EMAIL)
    first, second, third = (
        secret_of(portal.admin.post(f"/users/{user_id}/password-link")) for _ in range(3)
    )

    accept(portal, first, NEW_PASSWORD)
    assert problem(accept(portal, second)) == (404, "link-not-valid")

    fourth = secret_of(portal.admin.post(f"/users/{user_id}/password-link"))
    browser = portal.browser()
    browser.sign_in(EMAIL, NEW_PASSWORD)
    body = {"current": NEW_PASSWORD, "new": PASSWORD}
    assert browser.put("/users/me/password", json=body).status_code == 204
    for secret in (third, fourth):
        assert problem(accept(portal, secret)) == (404, "link-not-valid")


def test_whoever_was_disabled_has_no_link_any_more(portal):
    user_id = portal.account(Role.STEWARD, email=EMAIL)
    secret = secret_of(portal.admin.post(f"/users/{user_id}/password-link"))

    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": True})
    assert problem(portal.admin.post(f"/users/{user_id}/password-link")) == (
        409,
        "account-disabled",
    )
    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": False})

    assert problem(accept(portal, secret, NEW_PASSWORD)) == (404, "link-not-valid")


def test_a_link_from_before_somebody_became_an_operator_does_not_work(portal):
    user_id = portal.account(Role.STEWARD, email=EMAIL)
    secret = secret_of(portal.admin.post(f"/users/{user_id}/password-link"))
    with portal.database.transaction() as session:
        session.get(User, user_id).role_names = ["operator", "steward"]

    assert problem(accept(portal, secret, NEW_PASSWORD)) == (404, "link-not-valid")


def test_who_forgot_the_password_and_who_never_had_one_hear_the_same(portal):
    portal.account(Role.STEWARD, email=EMAIL)

    known = portal.client.post("/api/v1/session/forgotten", json={"email": EMAIL})
    unknown = portal.client.post("/api/v1/session/forgotten", json={"email": "no@one.example"})

    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert known.status_code == 202
    with portal.database.reading() as session:
        # This portal sends no mail, so there is no way to give a link to anybody.
        assert session.scalars(select(Invitation)).all() == []


def test_guessing_links_is_held_up(portal_with):
    portal = portal_with(sign_in_rate="3/minute")
    for _ in range(3):
        assert look(portal, "guess").status_code == 404

    held_up = accept(portal, "guess", name="X")

    assert problem(held_up) == (429, "too-many-requests")
    assert int(held_up.headers["retry-after"]) >= 1


def test_forgetting_again_and_again_holds_up_by_account_too(portal_with):
    portal = portal_with(sign_in_rate="2/minute")
    limiter = portal.services.limiter
    for _ in range(2):
        limiter.count(portal.services.settings.sign_in_limit, "link to", EMAIL)

    reply = portal.client.post("/api/v1/session/forgotten", json={"email": EMAIL.upper()})

    assert problem(reply) == (429, "too-many-requests")


def test_an_hour_brings_three_links_to_one_address_at_most(portal_with, wait_until):
    portal = portal_with(smtp_url=SecretStr("smtp://127.0.0.1:9"), mail_seconds=3600)
    user_id = portal.account(Role.STEWARD, email=EMAIL)

    def links():
        with portal.database.reading() as session:
            return session.scalars(select(Invitation)).all()

    for _ in range(5):
        service.forgotten(portal.services, EMAIL)
    assert len(links()) == 3
    with portal.database.transaction() as session:
        for row in session.scalars(select(Invitation)):
            row.created_at = row.expires_at = utc_now() - timedelta(hours=2)
    reply = portal.client.post("/api/v1/session/forgotten", json={"email": EMAIL})
    assert reply.status_code == 202
    wait_until(lambda: len(links()) == 1, "the old links are gone and a new one is there")
    assert links()[0].user_id == user_id
