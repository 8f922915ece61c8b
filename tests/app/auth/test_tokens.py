"""Bearer tokens: who gets in, for how long, and how tokens are made and taken back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.auth.tokens import service
from app.auth.tokens.schemas import TokenCreate
from app.core.clock import utc_now
from app.core.errors import Unauthenticated
from app.core.security import Role, hash_secret
from app.models import IdempotencyKey, Token
from tests.fixtures.clients import PASSWORD, Member

NEW_PASSWORD = "another sentence that only I would say"


def in_days(days):
    return (utc_now() + timedelta(days=days)).isoformat()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Basic dXNlcjpwYXNz",
        "bearer " + "x" * 5000,
        "Bearer iadd_ä".encode(),
    ],
)
def test_without_a_token_nobody_gets_in(portal, header):
    headers = {} if header is None else {"Authorization": header}

    reply = portal.client.get("/api/v1/datasets", headers=headers)

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert reply.json()["type"] == "urn:iadd-exchange:problem:unauthenticated"


def test_an_expired_token_says_so(portal):
    with portal.database.transaction() as session:
        _, secret = service.create_by_operator(
            session, portal.organisation_id, Role.ADMIN, utc_now() - timedelta(seconds=1)
        )

    reply = portal.client.get("/api/v1/datasets", headers={"Authorization": f"Bearer {secret}"})

    assert reply.status_code == 401
    assert "expired" in reply.json()["detail"]
    assert "invalid_token" in reply.headers["www-authenticate"]


def test_the_secret_is_stored_nowhere(portal):
    reply = portal.admin.post("/tokens", json={"role": "researcher"})

    secret = reply.json()["secret"]
    assert not portal.files_with(secret)
    with portal.database.reading() as session:
        assert session.scalar(select(Token).where(Token.secret_hash == hash_secret(secret)))


def test_a_token_made_over_the_api_works_until_it_is_deleted(portal):
    made = portal.admin.post(
        "/tokens", json={"role": "researcher", "expires_at": in_days(1)}
    ).json()
    header = {"Authorization": f"Bearer {made['secret']}"}

    assert portal.client.get("/api/v1/datasets", headers=header).status_code == 200
    listed = portal.admin.get("/tokens").json()["items"]
    assert made["id"] in [item["id"] for item in listed]
    assert all("secret" not in item for item in listed)

    assert portal.admin.delete(f"/tokens/{made['id']}").status_code == 204
    assert portal.client.get("/api/v1/datasets", headers=header).status_code == 401


def test_a_repeated_request_makes_no_second_token_and_shows_no_secret(portal):
    headers = {"Idempotency-Key": "once"}
    before = len(portal.admin.get("/tokens").json()["items"])

    first = portal.admin.post("/tokens", json={"role": "steward"}, headers=headers)
    second = portal.admin.post("/tokens", json={"role": "steward"}, headers=headers)

    assert first.status_code == 201
    assert second.status_code == 409
    assert first.json()["secret"] not in second.text
    assert len(portal.admin.get("/tokens").json()["items"]) == before + 1
    with portal.database.reading() as session:
        [stored] = session.scalars(select(IdempotencyKey)).all()
    assert first.json()["secret"] not in str(stored.reply)


@pytest.mark.parametrize(
    "expires_at",
    [in_days(-1), in_days(5000), "2030-01-01T00:00:00", "soon"],
    ids=["past", "far away", "no time zone", "no time"],
)
def test_an_expiry_that_cannot_be(portal, expires_at):
    reply = portal.admin.post("/tokens", json={"role": "steward", "expires_at": expires_at})

    assert reply.status_code == 422


def test_only_an_admin_manages_the_organisations_tokens(portal):
    for member in (portal.steward, portal.researcher):
        assert member.get("/tokens").json()["items"] == []
        refused = member.post("/tokens", json={"role": "researcher"})
        assert refused.status_code == 403
        assert refused.json()["type"].endswith(":scope-too-wide")


def test_nobody_makes_a_token_that_may_more_than_they(portal):
    person = portal.person(portal.organisation_id, Role.RESEARCHER)

    assert person.post("/tokens", json={"scopes": ["share"]}).status_code == 403
    assert portal.admin.post("/tokens", json={"role": "operator"}).status_code == 403
    narrow = person.post("/tokens", json={"scopes": ["read"], "name": "notebook"}).json()
    header = {"Authorization": f"Bearer {narrow['secret']}"}
    assert portal.client.get("/api/v1/datasets", headers=header).status_code == 200
    wider = portal.client.post("/api/v1/tokens", headers=header, json={"scopes": ["distill"]})
    assert wider.status_code == 403
    assert [item["name"] for item in person.get("/tokens").json()["items"]] == ["notebook", ""]


def test_what_is_made_with_a_token_does_not_outlive_it(portal):
    person = portal.person(portal.organisation_id, Role.RESEARCHER)
    short = person.post("/tokens", json={"expires_at": in_days(1)}).json()
    header = {"Authorization": f"Bearer {short['secret']}"}

    def make(**body):
        return portal.client.post("/api/v1/tokens", headers=header, json=body)

    longer = make(expires_at=in_days(2))
    assert longer.status_code == 403
    assert longer.json()["type"].endswith(":token-outlives-maker")
    assert make().json()["expires_at"] == short["expires_at"]
    assert make(expires_at=in_days(0.5)).status_code == 201
    assert person.post("/tokens", json={}).json()["expires_at"] is None


def test_a_role_that_is_taken_away_takes_effect_at_once(portal):
    person = portal.person(portal.organisation_id, Role.STEWARD)
    assert person.post("/datasets", json={"name": "chest"}).status_code == 201
    user_id = person.get("/session").json()["user_id"]

    portal.admin.request("PATCH", f"/users/{user_id}", json={"roles": ["researcher"]})
    assert person.post("/datasets", json={"name": "chest"}).status_code == 403

    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": True})
    assert person.get("/datasets").status_code == 401


def test_another_organisations_tokens_are_not_there(portal):
    [mine] = [
        item["id"]
        for item in portal.admin.get("/tokens").json()["items"]
        if item["role"] == "admin"
    ]

    assert portal.stranger.delete(f"/tokens/{mine}").status_code == 404
    assert mine not in [item["id"] for item in portal.stranger.get("/tokens").json()["items"]]


def test_the_last_use_is_noted(portal):
    portal.steward.get("/datasets")

    [used] = [
        item for item in portal.admin.get("/tokens").json()["items"] if item["role"] == "steward"
    ]
    assert used["last_used_at"] is not None


def made_with(portal, token, **body):
    """What a token makes: its row as the reply shows it."""
    reply = Member(portal.client, token).post("/tokens", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()


def test_what_was_made_with_a_token_is_deleted_with_it(portal):
    person = portal.person(portal.organisation_id, Role.ADMIN)
    leaked = made_with(portal, person.token)
    child = made_with(portal, leaked["secret"], scopes=["read"])
    grandchild = made_with(portal, child["secret"], scopes=[])
    of_the_organisation = made_with(portal, leaked["secret"], role="steward")
    beside = made_with(portal, person.token)
    assert child["made_with_id"] == leaked["id"]

    assert person.delete(f"/tokens/{leaked['id']}").status_code == 204

    for token in (leaked, child, grandchild, of_the_organisation):
        assert Member(portal.client, token["secret"]).get("/session").status_code == 401
    assert Member(portal.client, beside["secret"]).get("/session").status_code == 200
    log = portal.admin.get("/audit", params={"action": "token.deleted"}).json()["items"]
    assert {entry["subject"] for entry in log} == {
        leaked["id"],
        child["id"],
        grandchild["id"],
        of_the_organisation["id"],
    }


def test_a_token_that_was_deleted_meanwhile_makes_nothing(portal):
    person = portal.person(portal.organisation_id, Role.RESEARCHER)
    caller = service.authenticate(portal.database, person.token)
    portal.admin.delete(f"/tokens/{caller.token_id}")

    with portal.database.transaction() as session, pytest.raises(Unauthenticated):
        service.create(session, caller, TokenCreate())


def test_a_narrow_token_sees_and_deletes_none_but_its_own(portal):
    person = portal.person(portal.organisation_id, Role.STEWARD)
    other = made_with(portal, person.token)
    nothing = made_with(portal, person.token, scopes=[])
    narrow = Member(portal.client, nothing["secret"])
    child = made_with(portal, nothing["secret"], scopes=[])

    assert narrow.delete(f"/tokens/{other['id']}").status_code == 404
    assert {item["id"] for item in narrow.get("/tokens").json()["items"]} == {
        nothing["id"],
        child["id"],
    }
    assert Member(portal.client, other["secret"]).get("/session").status_code == 200
    assert narrow.delete(f"/tokens/{child['id']}").status_code == 204
    assert narrow.delete(f"/tokens/{nothing['id']}").status_code == 204


def test_a_reset_password_ends_the_tokens_of_its_person(portal):
    user_id = portal.account(Role.ADMIN)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    stolen = browser.post("/tokens", json={}).json()
    of_the_organisation = made_with(portal, stolen["secret"], role="researcher")
    made = portal.admin.post(f"/users/{user_id}/password-link").json()
    secret = made["link"].partition("#")[2]

    accepted = portal.client.post(
        "/api/v1/invitations/accept", json={"secret": secret, "password": NEW_PASSWORD}
    )

    assert accepted.status_code in (200, 201, 204), accepted.text
    for token in (stolen, of_the_organisation):
        assert Member(portal.client, token["secret"]).get("/session").status_code == 401


def test_who_changes_the_password_keeps_the_token_they_ask_with(portal):
    portal.account(Role.RESEARCHER)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    first = browser.post("/tokens", json={}).json()
    second = made_with(portal, first["secret"])

    changed = Member(portal.client, second["secret"]).put(
        "/users/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD}
    )

    assert changed.status_code == 204
    assert Member(portal.client, second["secret"]).get("/session").status_code == 200
    assert Member(portal.client, first["secret"]).get("/session").status_code == 401
    assert browser.get("/session").status_code == 401
