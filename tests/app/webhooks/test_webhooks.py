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


def create(house, **body):
    reply = house.admin.post("/webhooks", json={**BODY, **body})
    assert reply.status_code == 201, reply.text
    return reply.json()


def change(house, webhook, **body):
    return house.admin.request("PATCH", f"/webhooks/{webhook['id']}", json=body)


def test_an_admin_registers_reads_changes_and_deletes_a_webhook(either_house):
    house = either_house
    made = create(house, description="Ward 3")
    assert made["secret"].startswith("whsec_")

    [listed] = house.admin.get("/webhooks").json()["items"]
    read = house.admin.get(f"/webhooks/{made['id']}").json()
    assert listed == read == {key: value for key, value in made.items() if key != "secret"}
    assert (read["url"], read["events"], read["description"]) == (URL, BODY["events"], "Ward 3")

    changed = change(house, made, events=["training.ready"], paused=True).json()
    assert (changed["events"], changed["url"]) == (["training.ready"], URL)
    assert changed["paused_at"] is not None
    assert change(house, made, paused=False).json()["paused_at"] is None

    assert house.admin.delete(f"/webhooks/{made['id']}").status_code == 204
    assert house.admin.get("/webhooks").json()["items"] == []
    assert house.admin.get(f"/webhooks/{made['id']}").status_code == 404
    assert change(house, made, paused=True).status_code == 404


def test_another_organisation_sees_nothing_and_changes_nothing(house):
    made = create(house)
    path = f"/webhooks/{made['id']}"

    assert house.stranger.get("/webhooks").json()["items"] == []
    for reply in (
        house.stranger.get(path),
        house.stranger.get(f"{path}/deliveries"),
        house.stranger.request("PATCH", path, json={"paused": True}),
        house.stranger.post(f"{path}/test"),
        house.stranger.post(f"{path}/secret", json={}),
        house.stranger.delete(path),
    ):
        assert reply.status_code == 404
    assert house.admin.get(path).json()["paused_at"] is None
    assert house.admin.get(f"{path}/deliveries").json()["items"] == []


def test_the_secret_is_shown_once_and_stored_encrypted(house):
    headers = {"Idempotency-Key": "once"}
    made = house.admin.post("/webhooks", json=BODY, headers=headers)
    again = house.admin.post("/webhooks", json=BODY, headers=headers)

    assert made.status_code == 201
    assert again.status_code == 409
    assert again.json()["type"].endswith("secret-already-shown")
    assert len(house.admin.get("/webhooks").json()["items"]) == 1
    secret = made.json()["secret"]
    with house.database.reading() as session:
        row = session.scalars(select(Webhook)).one()
    assert house.portal.vault.open(row.sealed_secret).decode() == secret
    for reply in (house.admin.get("/webhooks"), house.admin.get("/audit")):
        assert "whsec_" not in reply.text


def test_the_log_tells_who_did_what_and_neither_address_nor_secret(house):
    made = create(house)
    path = f"/webhooks/{made['id']}"
    change(house, made, paused=True)
    rotated = house.admin.post(f"{path}/secret", json={}).json()
    house.admin.post(f"{path}/test")
    house.admin.delete(path)

    log = house.admin.get(f"/audit?subject={made['id']}")
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
def test_an_address_that_is_no_public_https_one_is_refused(house, url):
    reply = house.admin.post("/webhooks", json={**BODY, "url": url})

    assert reply.status_code == 422
    assert reply.json()["type"].endswith("webhook-address-refused")
    assert "password" not in reply.text.replace("a name or a password", "")
    made = create(house)
    assert change(house, made, url=url).status_code == 422
    assert house.admin.get(f"/webhooks/{made['id']}").json()["url"] == URL


def test_an_event_that_there_is_not_is_refused(house):
    for events in ([], ["ping"], ["invitation"]):
        reply = house.admin.post("/webhooks", json={**BODY, "events": events})
        assert reply.status_code == 422


def test_an_organisation_has_a_limited_number(house, monkeypatch):
    monkeypatch.setattr(service, "MOST_WEBHOOKS", 2)
    first = create(house)
    create(house)

    refused = house.admin.post("/webhooks", json=BODY)
    assert (refused.status_code, refused.json()["limit"]) == (409, 2)

    house.admin.delete(f"/webhooks/{first['id']}")
    create(house)


def test_what_happens_is_written_down_for_who_asked_for_it(either_house):
    house = either_house
    wants = create(house)
    other = create(house, events=["dataset.rejected"])
    paused = create(house)
    change(house, paused, paused=True)

    dataset_id = house.ready_dataset()
    rejected_id = house.rejected_dataset()

    def told(webhook):
        items = house.admin.get(f"/webhooks/{webhook['id']}/deliveries").json()["items"]
        return [(item["event"], item["data"], item["status"]) for item in items]

    assert told(wants) == [("dataset.ready", {"dataset": dataset_id}, "pending")]
    assert told(other) == [("dataset.rejected", {"dataset": rejected_id}, "pending")]
    assert told(paused) == []


def test_what_is_undone_is_told_to_nobody(house):
    made = create(house)

    def fail_after_telling():
        with house.database.transaction() as session:
            service.notify_organisation(
                session,
                house.organisation_id,
                Permission.SHARE,
                service.Notice(kind="access.requested", title="", text=""),
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_telling()

    assert house.admin.get(f"/webhooks/{made['id']}/deliveries").json()["items"] == []


def test_results_and_requests_of_others_are_told(house):
    made = create(house, events=["access.requested", "distillation.ready", "distillation.failed"])
    release = house.release()
    house.stranger.post(
        f"/releases/{release['id']}/access-requests",
        json={"purpose": "We train a triage network for our emergency department."},
    )

    items = house.admin.get(f"/webhooks/{made['id']}/deliveries").json()["items"]
    told = {item["event"]: item["data"] for item in items}
    assert set(told) == {"access.requested", "distillation.ready"}
    assert told["access.requested"]["release"] == release["id"]
    assert set(told["distillation.ready"]) == {"distillation", "dataset"}
    # Names that a notice shows stay in the portal.
    assert "Elsewhere" not in str(items)


def test_deliveries_come_in_pages_and_by_status(house):
    made = create(house)
    for _ in range(3):
        house.admin.post(f"/webhooks/{made['id']}/test")
    path = f"/webhooks/{made['id']}/deliveries"

    first = house.admin.get(f"{path}?limit=2").json()
    second = house.admin.get(path, params={"cursor": first["next_cursor"]}).json()

    assert len({item["id"] for item in (*first["items"], *second["items"])}) == 3
    assert len(house.admin.get(f"{path}?status=pending").json()["items"]) == 3
    assert house.admin.get(f"{path}?status=delivered").json()["items"] == []


def test_nothing_is_sent_for_an_organisation_that_was_disabled(house):
    create(house)
    house.ready_dataset()
    assert len(webhook_sender.due(house.portal)) == 1
    operator = house.person(house.elsewhere_id, Role.OPERATOR, "Dr. Ops")
    disabled = operator.request(
        "PATCH", f"/organisations/{house.organisation_id}", json={"disabled": True}
    )
    assert disabled.status_code == 200

    assert webhook_sender.due(house.portal) == []


PERSONAL = {"invitation", "password", "webhook.paused", "job.cancelled"}
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
