"""Organisations: made and limited by the operator, who sees nothing of what they store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.audit.log import Action, record_by_portal
from app.core.security import Role
from app.core.vault import Vault
from app.organisations import service as organisations
from app.organisations.repository import OrganisationRepository
from tests.fixtures.clients import PASSWORD, problem

pytestmark = pytest.mark.usefixtures("impatient")

VAULT = Vault("a secret of the tests, of 32 characters")


def patch(member, path, body, **headers):
    return member.request("PATCH", f"/organisations/{path}", json=body, headers=headers)


@pytest.fixture
def operator(portal):
    with portal.database.transaction() as session:
        office = organisations.create(session, portal.services.vault, "Office").id
    return portal.member(office, Role.OPERATOR)


def test_the_operator_makes_one_and_its_first_admin_does_the_rest(either_portal):
    portal = either_portal
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)

    made = operator.post(
        "/organisations",
        json={
            "name": "Mercy West",
            "contact": "office@mercy.example",
            "admin_email": "a@m.example",
        },
    )

    assert made.status_code == 201
    secret = made.json()["link"].partition("#")[2]
    body = {"secret": secret, "name": "Dr. Hahn", "password": PASSWORD}
    assert portal.client.post("/api/v1/invitations/accept", json=body).status_code == 201
    browser = portal.browser()
    assert browser.sign_in("a@m.example").json()["roles"] == ["admin"]
    own = browser.get("/organisations/mine").json()
    assert (own["name"], own["usage"]["people"]) == ("Mercy West", 1)
    actions = [entry["action"] for entry in browser.get("/audit").json()["items"]]
    assert actions == ["session.opened", "user.joined", "key.created", "organisation.created"]


def test_nobody_but_an_operator_makes_or_limits_any(portal):
    for member in (portal.admin, portal.steward, portal.stranger):
        assert member.post("/organisations", json={"name": "Mine"}).status_code == 403
        assert patch(member, portal.organisation_id, {"disabled": True}).status_code == 403
        assert member.get(f"/organisations/{portal.elsewhere_id}").status_code == 403


def test_the_operator_reaches_nothing_that_an_organisation_stores(portal, operator):
    dataset = portal.ready_dataset()
    for path in (
        "/datasets",
        f"/datasets/{dataset}",
        f"/datasets/{dataset}/quality",
        f"/datasets/{dataset}/thumbnails/0000.png",
        "/distillations",
        "/catalogue",
        "/releases",
        "/audit",
        "/audit/export",
        "/users",
        "/invitations",
    ):
        assert operator.get(path).status_code == 403, path
    about = operator.get(f"/organisations/{portal.organisation_id}").json()
    assert about["usage"]["datasets"] == 1
    assert "chest" not in str(about)


def test_everybody_knows_names_and_contacts_of_the_others_and_no_more(portal):
    patch(portal.admin, "mine", {"contact": "data@st-anna.example"})

    items = portal.recipient.get("/organisations").json()["items"]

    [anna] = [item for item in items if item["name"] == "St. Anna"]
    assert set(anna) == {"id", "name", "contact", "created_at"}
    assert anna["contact"] == "data@st-anna.example"


def test_a_disabled_organisation_is_out_at_once(portal, operator):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")

    disabled = patch(operator, portal.organisation_id, {"disabled": True}).json()

    assert disabled["disabled_at"] is not None
    assert portal.steward.get("/datasets").status_code == 401
    assert browser.get("/datasets").status_code == 401
    assert portal.browser().sign_in("grey@st-anna.example").status_code == 401
    assert portal.stranger.get("/datasets").status_code == 200
    patch(operator, portal.organisation_id, {"disabled": False})
    assert portal.steward.get("/datasets").status_code == 200
    changes = portal.admin.get("/audit?action=organisation.changed").json()["items"]
    assert [entry["details"]["disabled"] for entry in changes] == [False, True]


def test_an_operator_does_not_lock_the_own_organisation(portal, operator):
    own = operator.get("/organisations/mine").json()["id"]

    assert problem(patch(operator, own, {"disabled": True})) == (409, "own-organisation")


def test_a_name_is_taken_once(either_portal):
    portal = either_portal
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)

    made = operator.post("/organisations", json={"name": "St. Anna"})

    assert problem(made) == (409, "organisation-exists")
    assert problem(patch(portal.admin, "mine", {"name": "Elsewhere"})) == (
        409,
        "organisation-exists",
    )
    assert patch(portal.admin, "mine", {"name": "St. Anna"}).status_code == 200


@pytest.mark.parametrize("way", ["create", "rename"])
def test_of_two_that_take_a_name_at_once_one_is_told(database, way):
    with database.transaction() as session:
        other = organisations.create(session, VAULT, "Other").id

    def take():
        with database.transaction() as session:
            if way == "create":
                organisations.create(session, VAULT, "St. Anna")
            else:
                row = OrganisationRepository(session).get(other)
                organisations._rename(session, row, "St. Anna")

    with ThreadPoolExecutor(1) as second:
        with database.transaction() as session:
            organisations.create(session, VAULT, "St. Anna")
            at_once = second.submit(take)
            with pytest.raises(TimeoutError):
                at_once.result(timeout=0.5)
        with pytest.raises(organisations.OrganisationExists):
            at_once.result(timeout=20)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_its_log_can_be_written_while_it_is_locked(database):
    """Or whoever holds the log and whoever holds the organisation would wait for each other."""
    with database.transaction() as session:
        home = organisations.create(session, VAULT, "St. Anna").id

    def tell():
        with database.transaction() as session:
            record_by_portal(session, home, Action.LOG_EXPORTED)

    with ThreadPoolExecutor(1) as other, database.transaction() as session:
        OrganisationRepository(session).get(home, lock=True)
        other.submit(tell).result(timeout=20)
        record_by_portal(session, home, Action.LOG_EXPORTED)


def test_what_was_changed_meanwhile_is_not_overwritten(portal, operator):
    seen = portal.admin.get("/organisations/mine").headers["etag"]

    first = patch(portal.admin, "mine", {"contact": "a@b.example"}, **{"If-Match": seen})
    second = patch(portal.admin, "mine", {"contact": "c@d.example"}, **{"If-Match": seen})
    third = patch(operator, portal.organisation_id, {"disabled": True}, **{"If-Match": seen})

    assert first.status_code == 200
    assert problem(second) == problem(third) == (412, "changed-meanwhile")
    own = portal.admin.get("/organisations/mine")
    assert own.json()["contact"] == "a@b.example"
    assert own.headers["etag"] == first.headers["etag"]


def test_what_a_policy_does_not_name_stays_as_it_is(portal):
    patch(portal.admin, "mine", {"policy": {"proven_only": True}})

    policy = patch(portal.admin, "mine", {"policy": {"fewest_images_per_class": 50}}).json()[
        "policy"
    ]

    assert policy["proven_only"] is True
    assert policy["fewest_images_per_class"] == 50


def test_only_an_admin_changes_the_policy(portal):
    for member in (portal.steward, portal.researcher):
        assert patch(member, "mine", {"policy": {"proven_only": False}}).status_code == 403
