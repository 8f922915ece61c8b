"""The first person of a portal joins by a link that is shown once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core.clock import utc_now
from app.core.db import Database
from app.core.security import Role
from app.core.settings import Settings
from app.migrations import upgrade
from app.models import Invitation, Organisation
from app.organisations.first_start import FIRST_NAME, invite_first_person
from app.users.invitations import service as invitations
from app.users.invitations.schemas import InvitationAccept
from tests.fixtures.clients import PASSWORD


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_dir=tmp_path, public_url="https://x.example")


@pytest.fixture
def empty(settings):
    database = Database(settings.database_url)
    upgrade(database.engine)
    yield database
    database.close()


def accept(database, link, **more):
    body = {"secret": link.partition("#")[2], "password": PASSWORD, "name": "Dr. Chief", **more}
    return invitations.accept(database, InvitationAccept.model_validate(body))


def test_whoever_opens_the_link_names_an_address_and_runs_the_portal(settings, empty):
    link = invite_first_person(settings, empty)

    assert link.startswith("https://x.example/join#")
    with pytest.raises(invitations.EmailMissing):
        accept(empty, link)
    chief = accept(empty, link, email="Chief@Hospital.example")
    assert chief.email == "chief@hospital.example"
    assert set(chief.roles) == {Role.ADMIN, Role.OPERATOR}
    with pytest.raises(invitations.LinkNotValid):
        accept(empty, link, email="second@hospital.example")


def test_it_is_shown_once_and_again_only_when_it_has_expired(settings, empty):
    first = invite_first_person(settings, empty)
    assert invite_first_person(settings, empty) is None

    with empty.transaction() as session:
        session.scalars(select(Invitation)).one().expires_at = utc_now() - timedelta(seconds=1)
    second = invite_first_person(settings, empty)

    assert second not in (None, first)
    with pytest.raises(invitations.LinkNotValid):
        accept(empty, first, email="chief@hospital.example")
    accept(empty, second, email="chief@hospital.example")
    with empty.reading() as session:
        assert session.scalars(select(Organisation.name)).all() == [FIRST_NAME]
    assert invite_first_person(settings, empty) is None


def test_a_portal_that_has_organisations_invites_nobody(settings, portal):
    assert invite_first_person(settings, portal.database) is None


def test_who_was_invited_by_name_cannot_take_another_address(portal):
    invited = portal.admin.post(
        "/invitations", json={"email": "yang@st-anna.example", "roles": ["steward"]}
    )

    joined = accept(portal.database, invited.json()["link"], email="other@st-anna.example")

    assert joined.email == "yang@st-anna.example"
