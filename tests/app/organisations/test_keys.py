"""Signing keys: rotated with a statement of the one before, or without one where it was lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from app.core.security import Caller, Role, permissions_of
from app.core.vault import Vault
from app.models import Organisation, OrganisationKey
from app.organisations import service as organisations
from app.organisations.keys import service as keys

VAULT = Vault("a secret of the tests, of 32 characters")


def rotate(member, **body):
    reply = member.post("/organisations/mine/keys", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()


def history_of(portal):
    with portal.database.reading() as session:
        organisation = session.get(Organisation, portal.organisation_id)
        signer, _ = keys.signer_of(session, portal.services.vault, organisation)
    return signer.history


def test_a_rotated_key_is_vouched_for_by_the_one_before(either_portal):
    portal = either_portal
    [first] = portal.admin.get("/organisations/mine/keys").json()["items"]

    second = rotate(portal.admin)
    third = rotate(portal.admin)

    listed = portal.recipient.get(f"/organisations/{portal.organisation_id}/keys").json()["items"]
    assert [key["id"] for key in listed] == [third["id"], second["id"], first["id"]]
    assert [key["retired_at"] is None for key in listed] == [True, False, False]
    history = history_of(portal)
    assert history.problem() is None
    assert history.key == third["public_key"]
    assert {first["public_key"], second["public_key"]} < set(history.keys)
    [entry, _] = portal.admin.get("/audit?action=key.rotated").json()["items"]
    assert entry["details"]["old_key"] == second["public_key"]


def test_a_key_that_somebody_else_may_have_vouches_for_nothing(portal):
    [first] = portal.admin.get("/organisations/mine/keys").json()["items"]
    second = rotate(portal.admin)

    third = rotate(portal.admin, compromised=True)

    history = history_of(portal)
    assert list(history.keys) == [third["public_key"]]
    marks = {
        key["id"]: key["compromised"]
        for key in portal.recipient.get(f"/organisations/{portal.organisation_id}/keys").json()[
            "items"
        ]
    }
    assert marks == {third["id"]: False, second["id"]: True, first["id"]: False}


def test_private_keys_are_sealed_and_destroyed_by_rotation(portal):
    rotate(portal.admin)

    with portal.database.reading() as session:
        rows = session.scalars(
            select(OrganisationKey).where(OrganisationKey.organisation_id == portal.organisation_id)
        ).all()
    sealed = {row.retired_at is None: row.sealed_private_key for row in rows}
    assert sealed[False] is None
    private = portal.services.vault.open(sealed[True])
    assert not portal.files_with(private)
    assert "private" not in portal.admin.get("/organisations/mine/keys").text


def test_of_two_that_rotate_at_once_the_second_follows_the_first(database):
    with database.transaction() as session:
        home = organisations.create(session, VAULT, "St. Anna").id
    admin = Caller(
        organisation_id=home,
        permissions=permissions_of([Role.ADMIN]),
        roles=(Role.ADMIN,),
        name="admin",
    )

    def rotate_too():
        with database.transaction() as session:
            return keys.rotate(session, VAULT, admin, compromised=False).rotation

    with ThreadPoolExecutor(1) as other:
        with database.transaction() as session:
            first = keys.rotate(session, VAULT, admin, compromised=False)
            at_once = other.submit(rotate_too)
            with pytest.raises(TimeoutError):
                at_once.result(timeout=0.5)
        assert at_once.result(timeout=20)["old"] == first.public_key


def test_only_an_admin_rotates(portal):
    for role in (Role.STEWARD, Role.RESEARCHER, Role.AUDITOR, Role.OPERATOR):
        member = portal.member(portal.organisation_id, role)
        assert member.post("/organisations/mine/keys", json={}).status_code == 403


def test_a_portal_with_another_secret_says_so_and_signs_nothing(portal_with):
    portal = portal_with()
    with portal.database.transaction() as session:
        key = session.scalars(
            select(OrganisationKey).where(OrganisationKey.organisation_id == portal.organisation_id)
        ).one()
        key.sealed_private_key = Vault("another secret, of at least 32 characters").seal(b"key")

    reply = portal.admin.post("/organisations/mine/keys", json={})

    assert reply.status_code == 503
    assert reply.json()["type"].endswith(":wrong-secret-key")
    assert "EXCHANGE_SECRET_KEY" in reply.json()["detail"]
