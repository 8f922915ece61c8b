"""Webhooks are an organisation's own, and their secrets are shown once."""

import ast
from pathlib import Path

import pytest
from sqlalchemy import select

import app
from app.background import webhook_sender
from app.core.security import Permission, Role
from app.models import Webhook, WebhookEvent
from app.webhooks import service

URL = "https://receiver.hospital.example/exchange?key=hush-hush"
BODY = {"url": URL, "events": ["dataset.ready", "access.requested"]}


def create(portal, **body):
    reply = portal.admin.post("/webhooks", json={**BODY, **body})
    assert reply.status_code == 201, reply.text
    return reply.json()


def change(portal, webhook, **body):
    return portal.admin.request("PATCH", f"/webhooks/{webhook['id']}", json=body)


def test_an_admin_registers_reads_changes_and_deletes_a_webhook(either_portal):
    portal = either_portal
    made = create(portal, description="Ward 3")
    assert made["secret"].startswith("whsec_")

    [listed] = portal.admin.get("/webhooks").json()["items"]
    read = portal.admin.get(f"/webhooks/{made['id']}").json()
    assert listed == read == {key: value for key, value in made.items() if key != "secret"}
    assert (read["url"], read["events"], read["description"]) == (URL, BODY["events"], "Ward 3")

    changed = change(portal, made, events=["training.ready"], paused=True).json()
    assert (changed["events"], changed["url"]) == (["training.ready"], URL)
    assert changed["paused_at"] is not None
    assert change(portal, made, paused=False).json()["paused_at"] is None

    assert portal.admin.delete(f"/webhooks/{made['id']}").status_code == 204
    assert portal.admin.get("/webhooks").json()["items"] == []
    assert portal.admin.get(f"/webhooks/{made['id']}").status_code == 404
    assert change(portal, made, paused=True).status_code == 404


def test_another_organisation_sees_nothing_and_changes_nothing(portal):
    made = create(portal)
    path = f"/webhooks/{made['id']}"

    assert portal.stranger.get("/webhooks").json()["items"] == []
    for reply in (
        portal.stranger.get(path),
        portal.stranger.get(f"{path}/deliveries"),
        portal.stranger.request("PATCH", path, json={"paused": True}),
        portal.stranger.post(f"{path}/test"),
        portal.stranger.post(f"{path}/secret", json={}),
        portal.stranger.delete(path),
    ):
        assert reply.status_code == 404
    assert portal.admin.get(path).json()["paused_at"] is None
    assert portal.admin.get(f"{path}/deliveries").json()["items"] == []


def test_the_secret_is_shown_once_and_stored_encrypted(portal):
    headers = {"Idempotency-Key": "once"}
    made = portal.admin.post("/webhooks", json=BODY, headers=headers)
    again = portal.admin.post("/webhooks", json=BODY, headers=headers)

    assert made.status_code == 201
    assert again.status_code == 409
    assert again.json()["type"].endswith("secret-already-shown")
    assert len(portal.admin.get("/webhooks").json()["items"]) == 1
    secret = made.json()["secret"]
    with portal.database.reading() as session:
        row = session.scalars(select(Webhook)).one()
    assert portal.services.vault.open(row.sealed_secret).decode() == secret
    for reply in (portal.admin.get("/webhooks"), portal.admin.get("/audit")):
        assert "whsec_" not in reply.text


def test_the_log_tells_who_did_what_and_neither_address_nor_secret(portal):
    made = create(portal)
    path = f"/webhooks/{made['id']}"
    change(portal, made, paused=True)
    rotated = portal.admin.post(f"{path}/secret", json={}).json()
    portal.admin.post(f"{path}/test")
    portal.admin.delete(path)

    log = portal.admin.get(f"/audit?subject={made['id']}")
    assert [entry["action"] for entry in log.json()["items"]] == [
        "webhook.deleted",
        "webhook.tested",
        "webhook.secret_rotated",
        "webhook.changed",
        "webhook.created",
    ]
    assert "receiver.hospital.example" in log.text
    for hidden in ("hush", made["secret"], rotated["secret"]):
        assert hidden not in log.text


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.hospital.example/",
        "ftp://receiver.hospital.example/",
        "https://",
        "https://user:password@receiver.hospital.example/",
        "https://receiver.hospital.example/#part",
        "https://receiver.hospital.example:99999/",
        "https://receiver.hospital.example/a b",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "nonsense",
    ],
)
def test_an_address_that_is_no_public_https_one_is_refused(portal, url):
    reply = portal.admin.post("/webhooks", json={**BODY, "url": url})

    assert reply.status_code == 422
    assert reply.json()["type"].endswith("webhook-address-refused")
    assert "password" not in reply.text.replace("a name or a password", "")
    made = create(portal)
    assert change(portal, made, url=url).status_code == 422
    assert portal.admin.get(f"/webhooks/{made['id']}").json()["url"] == URL


def test_an_event_that_there_is_not_is_refused(portal):
    for events in ([], ["ping"], ["invitation"]):
        reply = portal.admin.post("/webhooks", json={**BODY, "events": events})
        assert reply.status_code == 422


def test_an_organisation_has_a_limited_number(portal, monkeypatch):
    monkeypatch.setattr(service, "MOST_WEBHOOKS", 2)
    first = create(portal)
    create(portal)

    refused = portal.admin.post("/webhooks", json=BODY)
    assert (refused.status_code, refused.json()["limit"]) == (409, 2)

    portal.admin.delete(f"/webhooks/{first['id']}")
    create(portal)


def test_what_happens_is_written_down_for_who_asked_for_it(either_portal):
    portal = either_portal
    wants = create(portal)
    other = create(portal, events=["dataset.rejected"])
    paused = create(portal)
    change(portal, paused, paused=True)

    dataset_id = portal.ready_dataset()
    rejected_id = portal.rejected_dataset()

    def told(webhook):
        items = portal.admin.get(f"/webhooks/{webhook['id']}/deliveries").json()["items"]
        return [(item["event"], item["data"], item["status"]) for item in items]

    assert told(wants) == [("dataset.ready", {"dataset": dataset_id}, "pending")]
    assert told(other) == [("dataset.rejected", {"dataset": rejected_id}, "pending")]
    assert told(paused) == []


def test_what_is_undone_is_told_to_nobody(portal):
    made = create(portal)

    def fail_after_telling():
        with portal.database.transaction() as session:
            service.notify_organisation(
                session,
                portal.organisation_id,
                Permission.SHARE,
                service.Notice(kind="access.requested", title="", text=""),
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_telling()

    assert portal.admin.get(f"/webhooks/{made['id']}/deliveries").json()["items"] == []


def test_results_and_requests_of_others_are_told(portal):
    made = create(portal, events=["access.requested", "distillation.ready", "distillation.failed"])
    release = portal.release()
    portal.stranger.post(
        f"/releases/{release['id']}/access-requests",
        json={"purpose": "We train a triage network for our emergency department."},
    )

    items = portal.admin.get(f"/webhooks/{made['id']}/deliveries").json()["items"]
    told = {item["event"]: item["data"] for item in items}
    assert set(told) == {"access.requested", "distillation.ready"}
    assert told["access.requested"]["release"] == release["id"]
    assert set(told["distillation.ready"]) == {"distillation", "dataset"}
    # Names that a notice shows stay in the portal.
    assert "Elsewhere" not in str(items)


def test_deliveries_come_in_pages_and_by_status(portal):
    made = create(portal)
    for _ in range(3):
        portal.admin.post(f"/webhooks/{made['id']}/test")
    path = f"/webhooks/{made['id']}/deliveries"

    first = portal.admin.get(f"{path}?limit=2").json()
    second = portal.admin.get(path, params={"cursor": first["next_cursor"]}).json()

    assert len({item["id"] for item in (*first["items"], *second["items"])}) == 3
    assert len(portal.admin.get(f"{path}?status=pending").json()["items"]) == 3
    assert portal.admin.get(f"{path}?status=delivered").json()["items"] == []


def test_nothing_is_sent_for_an_organisation_that_was_disabled(portal):
    create(portal)
    portal.ready_dataset()
    assert len(webhook_sender.due(portal.services)) == 1
    operator = portal.person(portal.elsewhere_id, Role.OPERATOR, "Dr. Ops")
    disabled = operator.request(
        "PATCH", f"/organisations/{portal.organisation_id}", json={"disabled": True}
    )
    assert disabled.status_code == 200

    assert webhook_sender.due(portal.services) == []


PERSONAL = {
    *("invitation", "password", "webhook.paused", "job.cancelled"),
    # Decisions between two people of one organisation, and a note to owners.
    *("override.requested", "override.", "release.warned"),
    # What a portal tells its own people of a hub.
    *("share.refused", "connection.broken"),
}
"""Notices that are no event of an organisation, or that a webhook could not be told."""
TELLING = {"notify_requester", "notify_recipients", "notify_both"}


def kinds_of_notices():
    for path in Path(app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "Notice":
                parts = [key.value for key in node.keywords if key.arg == "kind"]
            elif name in TELLING:
                parts = [arg for arg in node.args if isinstance(arg, ast.Constant)][:1]
            else:
                continue
            for part in parts:
                for leaf in ast.walk(part):
                    if isinstance(leaf, ast.Constant):
                        yield leaf.value


def test_every_kind_of_notice_is_an_event_or_is_known_to_be_none():
    found = set(kinds_of_notices())

    assert {"access.granted", "release.withdrawn", "withdrawal.failed"} <= found
    assert found - PERSONAL <= {event.value for event in WebhookEvent}
