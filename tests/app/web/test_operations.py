"""What operators see and do on the pages."""

import re

import pytest

from app.core.security import Role
from app.models import DistillationStatus
from tests.fixtures.clients import PASSWORD

SECRET = re.compile(r"iadd_[\w-]{20,}")


@pytest.mark.parametrize(
    "address", ["/operations", "/operations/jobs", "/operations/organisations"]
)
def test_is_for_operators_alone(reader, address):
    assert 'aria-current="page"' in reader(Role.OPERATOR).open(address)
    for role in (Role.ADMIN, Role.STEWARD, Role.RESEARCHER, Role.AUDITOR):
        reader(role).open(address, status=403)


def test_says_when_nobody_works(portal, reader):
    portal.distillation()
    page = reader(Role.OPERATOR).open("/operations")
    assert "No worker has reported" in page
    assert ">no worker<" in page


def test_shows_workers_queues_and_disk(reader, add_worker):
    add_worker("node-7")
    page = reader(Role.OPERATOR).open("/operations")
    assert "node-7" in page
    assert "NVIDIA H100" in page
    assert "alive" in page
    assert "<meter" in page
    assert 'hx-trigger="every 5s"' in page


def test_follows_by_a_part_of_the_page(portal, reader):
    operator = reader(Role.OPERATOR)
    reply = operator.client.get("/operations", headers={"HX-Request": "true"})
    assert "<html" not in reply.text
    assert '<div id="now"' in reply.text


def test_shows_jobs_of_all_without_the_names_of_datasets(portal, reader):
    distillation = portal.distillation()
    operator = reader(Role.OPERATOR, elsewhere=True)
    for address in ("/operations", "/operations/jobs"):
        page = operator.open(address)
        assert distillation in page
        assert "St. Anna" in page
        assert "chest" not in page


def test_jobs_are_narrowed_down(portal, reader):
    ended, running = portal.distillation(DistillationStatus.FAILED), portal.distillation()
    operator = reader(Role.OPERATOR)
    assert ended in operator.open("/operations/jobs?kind=distillation")
    active = operator.open("/operations/jobs?active=true")
    assert running in active
    assert ended not in active
    assert running not in operator.open("/operations/jobs?kind=training")
    assert "No matching job" in operator.open("/operations/jobs?kind=withdrawal")
    elsewhere = operator.open(f"/operations/jobs?organisation={portal.elsewhere_id}")
    assert running not in elsewhere


def test_a_job_is_cancelled_with_a_reason(portal, reader):
    running = portal.distillation()
    operator = reader(Role.OPERATOR, elsewhere=True)
    action = f"/operations/jobs/{running}/cancel"
    assert operator.send("/operations/jobs", action, reason="").status_code == 422
    reply = operator.send("/operations/jobs", action, reason="The machine is needed.")
    assert "The job is cancelled" in reply.text
    assert portal.row(running).status == DistillationStatus.CANCELLED
    with pytest.raises(AssertionError):  # nothing is left to cancel
        operator.form("/operations/jobs", action)


def test_an_organisation_is_made_with_the_link_for_its_first_admin(portal, reader, anybody):
    operator = reader(Role.OPERATOR)
    page = "/operations/organisations"
    shown = operator.send(page, page, name="St. Bride", admin_email="chief@bride.example").text
    secret = SECRET.search(shown).group()
    assert secret not in operator.open(page)
    reply = anybody.client.post(
        "/join", data={"secret": secret, "name": "Dr. Chief", "password": PASSWORD}
    )
    assert "Your account is ready" in reply.text
    assert "<h1>St. Bride</h1>" in anybody.open("/organisation")


def test_an_organisation_without_an_address_is_just_made(reader):
    operator = reader(Role.OPERATOR)
    page = "/operations/organisations"
    reply = operator.send(page, page, name="St. Bride")
    assert "St. Bride is created" in reply.text
    assert not SECRET.search(reply.text)
    assert operator.send(page, page, name="St. Bride").status_code == 409


def test_limits_are_changed_and_what_was_not_touched_stays(portal, reader):
    operator = reader(Role.OPERATOR, elsewhere=True)
    before = portal.admin.get("/organisations/mine").json()["quota"]
    page = f"/operations/organisations/{portal.organisation_id}"
    operator.send(page, f"{page}/quota")
    assert portal.admin.get("/organisations/mine").json()["quota"] == before
    reply = operator.send(page, f"{page}/quota", stored_gigabytes="2.5", running="3")
    assert "The limits are saved" in reply.text
    after = portal.admin.get("/organisations/mine").json()["quota"]
    assert after == before | {"stored_bytes": 2_500_000_000, "running": 3}


def test_a_limit_that_is_none_changes_nothing(portal, reader):
    operator = reader(Role.OPERATOR)
    page = f"/operations/organisations/{portal.organisation_id}"
    for typed in ({"stored_gigabytes": "much"}, {"datasets": "-1"}):
        assert operator.send(page, f"{page}/quota", **typed).status_code == 422


def test_an_organisation_is_disabled_by_its_name_and_enabled_again(portal, reader):
    operator = reader(Role.OPERATOR, elsewhere=True)
    steward = reader(Role.STEWARD)
    page = f"/operations/organisations/{portal.organisation_id}"
    assert operator.send(page, f"{page}/disable", confirm="Elsewhere").status_code == 422
    steward.open("/")
    assert "is disabled" in operator.send(page, f"{page}/disable", confirm="St. Anna").text
    assert steward.client.get("/").url.path == "/sign-in"
    assert "is enabled again" in operator.send(page, f"{page}/enable").text
    assert portal.admin.get("/organisations/mine").status_code == 200


def test_nobody_disables_their_own(portal, reader):
    operator = reader(Role.OPERATOR)
    page = f"/operations/organisations/{portal.organisation_id}"
    token = operator.form(page, f"{page}/quota").fields["csrf_token"]
    with pytest.raises(AssertionError):
        operator.form(page, f"{page}/disable")
    reply = operator.client.post(
        f"{page}/disable", data={"csrf_token": token, "confirm": "St. Anna"}
    )
    assert reply.status_code == 409
