"""An organisation on the pages of its admins."""

import re

import pytest

from app.core.security import Role
from tests.fixtures.clients import PASSWORD

SECRET = re.compile(r"iadd_[\w-]{20,}")
PAGES = [
    "/organisation",
    "/organisation/people",
    "/organisation/invitations",
    "/organisation/tokens",
    "/organisation/keys",
]


@pytest.mark.parametrize("address", PAGES)
def test_is_for_admins(reader, address):
    assert 'aria-current="page"' in reader(Role.ADMIN).open(address)
    for role in (Role.STEWARD, Role.RESEARCHER, Role.AUDITOR, Role.OPERATOR):
        page = reader(role).open(address, status=403)
        assert "Ask an admin of your organisation" in page


def test_shows_limits_and_what_of_them_is_used(portal, reader):
    portal.ready_dataset()
    page = reader(Role.ADMIN).open("/organisation")
    assert "1 of 1\u202f000" in page
    assert "<meter" in page


def test_name_and_contact_are_changed(reader):
    admin = reader(Role.ADMIN)
    reply = admin.send("/organisation", "/organisation", name="St. Anne", contact="x@y.example")
    assert "Name and contact are saved" in reply.text
    page = admin.open("/organisation")
    assert "<h1>St. Anne</h1>" in page
    assert "x@y.example" in page


def test_a_name_that_is_taken_changes_nothing(reader):
    reply = reader(Role.ADMIN).send("/organisation", "/organisation", name="Elsewhere")
    assert reply.status_code == 409
    assert "An organisation of this name exists" in reply.text


def test_what_the_gate_demands_is_changed(portal, reader):
    admin = reader(Role.ADMIN)
    form = admin.form("/organisation", "/organisation/policy")
    assert form.fields["largest_leak"] == "0.05"
    form.fields |= {"real_starts": "true", "fewest_images_per_class": "25", "largest_leak": "0.1"}
    reply = admin.client.post("/organisation/policy", data=form.fields)
    assert "The release policy is saved" in reply.text
    policy = portal.admin.get("/organisations/mine").json()["policy"]
    assert (policy["largest_leak"], policy["largest_power"]) == (0.1, 0.05)
    assert policy["real_starts"] is True
    assert policy["fewest_images_per_class"] == 25


def test_nobody_overwrites_what_they_have_not_seen(portal, reader):
    first, second = reader(Role.ADMIN), reader(Role.ADMIN)
    form = second.form("/organisation", "/organisation/policy")
    first.send("/organisation", "/organisation", contact="new@st-anna.example")
    reply = second.client.post("/organisation/policy", data=form.fields | {"proven_only": "true"})
    assert reply.status_code == 412
    assert portal.admin.get("/organisations/mine").json()["policy"]["proven_only"] is False


def test_a_number_that_is_none_is_told(reader):
    reply = reader(Role.ADMIN).send(
        "/organisation", "/organisation/policy", fewest_images_per_class="many"
    )
    assert reply.status_code == 422
    assert "Nothing was changed" in reply.text


def test_lists_people_with_their_roles(portal, reader):
    admin = reader(Role.ADMIN)
    portal.account(Role.STEWARD, Role.AUDITOR, email="two@st-anna.example")
    page = " ".join(admin.open("/organisation/people").split())
    assert "two@st-anna.example" in page
    assert "Data steward, Auditor" in page
    portal.account(Role.ADMIN, email="far@away.example", organisation_id=portal.elsewhere_id)
    assert "far@away.example" not in admin.open("/organisation/people")


def test_roles_are_changed(portal, reader):
    admin = reader(Role.ADMIN)
    user = portal.account(Role.STEWARD, email="two@st-anna.example")
    address = f"/organisation/people/{user}"
    reply = admin.send(address, address, roles=["researcher", "auditor"])
    assert "Name and roles are saved" in reply.text
    assert portal.admin.get(f"/users/{user}").json()["roles"] == ["auditor", "researcher"]


def test_the_last_admin_stays_one(portal, reader):
    admin = reader(Role.ADMIN)
    user = re.search(r"/organisation/people/(us_\w+)", admin.open("/organisation/people"))[1]
    address = f"/organisation/people/{user}"
    reply = admin.send(address, address, roles=["steward"])
    assert reply.status_code == 409
    assert "An organisation needs an admin" in reply.text
    assert portal.admin.get(f"/users/{user}").json()["roles"] == ["admin"]


def test_nobody_is_made_an_operator_by_an_admin(portal, reader):
    admin = reader(Role.ADMIN)
    user = portal.account(Role.STEWARD, email="two@st-anna.example")
    address = f"/organisation/people/{user}"
    assert 'value="operator"' not in admin.open(address)
    reply = admin.send(address, address, roles=["operator"])
    assert reply.status_code == 403
    assert "You may not give this role" in reply.text


def test_who_is_disabled_is_out_at_once_and_may_come_back(portal, reader, anybody):
    admin = reader(Role.ADMIN)
    user = portal.account(Role.STEWARD, email="two@st-anna.example")
    anybody.sign_in("two@st-anna.example", PASSWORD)
    address = f"/organisation/people/{user}"
    assert "Its sessions have ended" in admin.send(address, f"{address}/disable").text
    assert anybody.client.get("/").url.path == "/sign-in"
    assert "enable it first" in admin.open(address)
    assert "The account is enabled again" in admin.send(address, f"{address}/enable").text
    assert anybody.sign_in("two@st-anna.example", PASSWORD).url.path == "/"


def test_a_link_to_set_a_password_is_shown_once(portal, reader, anybody):
    admin = reader(Role.ADMIN)
    user = portal.account(Role.STEWARD, email="two@st-anna.example")
    address = f"/organisation/people/{user}"
    shown = admin.send(address, f"{address}/password-link").text
    secret = SECRET.search(shown).group()
    assert secret not in admin.open(address)
    reply = anybody.client.post(
        "/join", data={"secret": secret, "password": "a new sentence that is mine"}
    )
    assert "Your account is ready" in reply.text


def test_where_scripts_run_only_the_links_part_is_replaced(portal, reader):
    admin = reader(Role.ADMIN)
    user = portal.account(Role.STEWARD, email="two@st-anna.example")
    address = f"/organisation/people/{user}"
    form = admin.form(address, f"{address}/password-link")
    reply = admin.client.post(form.action, data=form.fields, headers={"HX-Request": "true"})
    assert reply.text.lstrip().startswith('<section id="password-link"')
    assert SECRET.search(reply.text)


def test_people_of_another_organisation_are_not_there(portal, reader):
    admin = reader(Role.ADMIN)
    user = portal.account(email="far@away.example", organisation_id=portal.elsewhere_id)
    admin.open(f"/organisation/people/{user}", status=404)
    token = admin.form("/organisation", "/organisation").fields["csrf_token"]
    for end in ("", "/disable", "/enable", "/password-link"):
        reply = admin.client.post(
            f"/organisation/people/{user}{end}",
            data={"csrf_token": token, "name": "Dr. Mine", "roles": ["admin"]},
        )
        assert reply.status_code == 404


def test_an_invitation_is_shown_once_and_can_be_taken_back(reader, anybody):
    admin = reader(Role.ADMIN)
    page = "/organisation/invitations"
    assert "No invitations yet" in admin.open(page)
    shown = admin.send(page, page, email="new@st-anna.example", roles=["researcher"]).text
    secret = SECRET.search(shown).group()
    assert "Give this link only to the person it is for" in shown
    listed = admin.open(page)
    assert secret not in listed
    assert "not used yet" in listed
    revoke = re.search(r"/organisation/invitations/in_\w+/revoke", listed).group()
    assert "Its link no longer works" in admin.send(page, revoke).text
    assert "new@st-anna.example" not in admin.open(page)
    offer = anybody.client.post("/join/look", data={"secret": secret})
    assert "This link does not work" in offer.text


def test_an_invitation_without_a_role_is_told(reader):
    page = "/organisation/invitations"
    reply = reader(Role.ADMIN).send(page, page, email="new@st-anna.example")
    assert reply.status_code == 422
    assert "roles" in reply.text


def test_invitations_of_another_organisation_are_not_there(portal, reader):
    made = portal.stranger.post(
        "/invitations", json={"email": "their@elsewhere.example", "roles": ["steward"]}
    ).json()
    admin = reader(Role.ADMIN)
    page = "/organisation/invitations"
    assert "their@elsewhere.example" not in admin.open(page)
    token = admin.form(page, page).fields["csrf_token"]
    reply = admin.client.post(f"{page}/{made['id']}/revoke", data={"csrf_token": token})
    assert reply.status_code == 404


def test_a_token_of_the_organisation_is_shown_once_and_has_its_role(portal, reader):
    admin = reader(Role.ADMIN)
    page = "/organisation/tokens"
    shown = admin.send(page, page, name="archive export", role="auditor").text
    secret = SECRET.search(shown).group()
    assert secret not in admin.open(page)
    assert "Auditor" in admin.open(page)
    headers = {"Authorization": f"Bearer {secret}"}
    assert portal.client.get("/api/v1/session", headers=headers).json()["roles"] == ["auditor"]
    delete = re.search(rf"{page}/tok_\w+/delete", admin.open(page)).group()
    admin.send(page, delete)
    assert portal.client.get("/api/v1/session", headers=headers).status_code == 401


def test_tells_whose_each_token_is(portal, reader):
    admin = reader(Role.ADMIN)
    portal.person(portal.organisation_id, Role.STEWARD, "Dr. Bright")
    assert "Dr. Bright" in admin.open("/organisation/tokens")
    assert "Dr. Elsewhere" not in admin.open("/organisation/tokens")


def test_a_key_is_rotated_by_the_organisations_name(portal, reader):
    admin = reader(Role.ADMIN)
    page = "/organisation/keys"
    before = portal.admin.get("/organisations/mine/keys").json()["items"]
    assert before[0]["fingerprint"] in admin.open(page)
    reply = admin.send(page, f"{page}/rotate", confirm="Another")
    assert reply.status_code == 422
    assert len(portal.admin.get("/organisations/mine/keys").json()["items"]) == 1
    reply = admin.send(page, f"{page}/rotate", confirm="St. Anna", compromised="true")
    assert "A new key signs from now on" in reply.text
    assert ">compromised<" in reply.text
    after = portal.admin.get("/organisations/mine/keys").json()["items"]
    assert [key["compromised"] for key in after] == [False, True]
