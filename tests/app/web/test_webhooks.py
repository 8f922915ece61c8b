"""Webhooks on the pages of an organisation's admins."""

import re

from app.core.security import Role
from app.models import WebhookEvent
from app.web.texts import texts_in

PAGE = "/organisation/webhooks"
SECRET = re.compile(r"whsec_[\w+/=-]+")
URL = "https://hooks.st-anna.example/portal?key=hidden"


def added(admin) -> str:
    """The page of a webhook that was just added."""
    reply = admin.send(PAGE, PAGE, url=URL, events=["dataset.ready", "access.requested"])
    assert reply.status_code == 200, reply.text
    return re.search(rf"{PAGE}/wh_\w+", reply.text).group()


def test_are_for_admins(reader):
    assert "No webhooks yet" in reader(Role.ADMIN).open(PAGE)
    for role in (Role.STEWARD, Role.RESEARCHER, Role.AUDITOR, Role.OPERATOR):
        reader(role).open(PAGE, status=403)


def test_every_event_has_its_words():
    for event in (*WebhookEvent, "ping"):
        assert texts_in("en").has(f"webhook-event-{event.replace('.', '-').replace('_', '-')}")


def test_the_secret_is_shown_once(portal, reader):
    admin = reader(Role.ADMIN)
    reply = admin.send(PAGE, PAGE, url=URL, events=["dataset.ready"], description="Work list")
    secret = SECRET.search(reply.text).group()
    listed = admin.open(PAGE)
    assert secret not in listed
    assert "hooks.st-anna.example" in listed
    assert "key=hidden" not in listed
    assert "Work list" in listed
    [row] = portal.admin.get("/webhooks").json()["items"]
    assert row["events"] == ["dataset.ready"]


def test_an_address_where_none_may_go_is_told(portal, reader):
    admin = reader(Role.ADMIN)
    reply = admin.send(PAGE, PAGE, url="http://127.0.0.1/x", events=["dataset.ready"])
    assert reply.status_code == 422
    assert "The webhook address is not allowed" in reply.text
    assert portal.admin.get("/webhooks").json()["items"] == []


def test_a_webhook_without_events_is_told(reader):
    reply = reader(Role.ADMIN).send(PAGE, PAGE, url=URL, events=[])
    # The page has all of them ticked, and none of them is sent.
    assert reply.status_code == 422


def test_address_and_events_are_changed(portal, reader):
    admin = reader(Role.ADMIN)
    address = added(admin)
    reply = admin.send(address, address, events=["training.ready"])
    assert "The webhook is saved" in reply.text
    [row] = portal.admin.get("/webhooks").json()["items"]
    assert (row["url"], row["events"]) == (URL, ["training.ready"])


def test_a_test_is_sent_and_listed(reader):
    admin = reader(Role.ADMIN)
    address = added(admin)
    assert "No deliveries within the last thirty days" in admin.open(address)
    reply = admin.send(address, f"{address}/test")
    assert "The test is being sent" in reply.text
    assert ">pending<" in admin.open(f"{address}/deliveries")
    assert f'hx-get="{address}/deliveries"' in reply.text


def test_is_paused_and_resumed(portal, reader):
    admin = reader(Role.ADMIN)
    address = added(admin)
    assert "The webhook is paused" in admin.send(address, f"{address}/pause").text
    assert portal.admin.get("/webhooks").json()["items"][0]["paused_at"] is not None
    assert "receives events from now on" in admin.send(address, f"{address}/resume").text
    assert portal.admin.get("/webhooks").json()["items"][0]["paused_at"] is None


def test_a_new_secret_is_shown_once(reader):
    admin = reader(Role.ADMIN)
    address = added(admin)
    form = admin.form(address, f"{address}/secret")
    reply = admin.client.post(form.action, data=form.fields, headers={"HX-Request": "true"})
    assert reply.text.lstrip().startswith('<section id="secret"')
    secret = SECRET.search(reply.text).group()
    page = admin.open(address)
    assert secret not in page
    assert "The previous secret also signs until" in page


def test_is_deleted_by_the_name_of_its_host(portal, reader):
    admin = reader(Role.ADMIN)
    address = added(admin)
    assert admin.send(address, f"{address}/delete", confirm="another").status_code == 422
    reply = admin.send(address, f"{address}/delete", confirm="hooks.st-anna.example")
    assert "The webhook is deleted" in reply.text
    assert portal.admin.get("/webhooks").json()["items"] == []
    admin.open(address, status=404)


def test_those_of_another_organisation_are_not_there(reader):
    address = added(reader(Role.ADMIN, elsewhere=True))
    admin = reader(Role.ADMIN)
    assert "No webhooks yet" in admin.open(PAGE)
    admin.open(address, status=404)
    token = admin.form(PAGE, PAGE).fields["csrf_token"]
    for end in ("", "/test", "/pause", "/resume", "/secret", "/delete"):
        sent = {"csrf_token": token, "url": URL, "events": ["dataset.ready"], "confirm": "x"}
        assert admin.client.post(address + end, data=sent).status_code == 404
