"""What webhooks are told arrives signed, at least once; what fails is tried again for a day."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update
from standardwebhooks import WebhookVerificationError

from app.background import webhook_sender
from app.core.clock import utc_now
from app.core.security import Role
from app.models import DeliveryError, DeliveryStatus, Webhook, WebhookDelivery
from app.webhooks.repository import WebhookRepository
from tests.fixtures.portal_process import portal_process
from tests.fixtures.webhook_receiver import NETWORKS


@pytest.fixture
def portal(sending_portal):
    return sending_portal


def register(portal, url, *events):
    body = {"url": url, "events": list(events) or ["dataset.ready"]}
    reply = portal.admin.post("/webhooks", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()


def deliveries(portal, webhook):
    return portal.admin.get(f"/webhooks/{webhook['id']}/deliveries").json()["items"]


def read(portal, webhook):
    return portal.admin.get(f"/webhooks/{webhook['id']}").json()


def ping(portal, webhook):
    reply = portal.admin.post(f"/webhooks/{webhook['id']}/test")
    assert reply.status_code == 202, reply.text
    return reply.json()


def let_time_pass(portal, **columns):
    """Everything that waits is due; `columns` are set in the webhook."""
    with portal.database.transaction() as session:
        session.execute(update(WebhookDelivery).values(next_try_at=None))
        session.execute(update(Webhook).values(quiet_until=None, **columns))


def test_an_event_arrives_once_signed_and_with_ids_alone(portal, receiver):
    webhook = register(portal, receiver.url)
    dataset_id = portal.ready_dataset()

    assert webhook_sender.send_due(portal.services) == 1
    assert webhook_sender.send_due(portal.services) == 0

    [message] = receiver.messages
    said = message.verified(webhook["secret"])
    [delivery] = deliveries(portal, webhook)
    assert said == {
        "type": "dataset.ready",
        "timestamp": said["timestamp"],
        "data": {"dataset": dataset_id},
    }
    assert message.path == "/exchange?key=hush-hush"
    assert message.headers["webhook-id"] == delivery["id"]
    assert message.headers["Content-Type"] == "application/json"
    assert (delivery["status"], delivery["tries"]) == ("delivered", 1)
    assert (delivery["answer_status"], delivery["error"]) == (204, None)
    assert read(portal, webhook)["delivered_at"] == delivery["delivered_at"]


def test_a_message_that_was_changed_is_not_found_signed(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    webhook_sender.send_due(portal.services)
    [message] = receiver.messages

    for headers, body in (
        (message.headers, message.body.replace(b"ready", b"gone!")),
        ({**message.headers, "webhook-id": "msg_other"}, message.body),
    ):
        message_changed = type(message)(message.path, headers, body)
        with pytest.raises(WebhookVerificationError):
            message_changed.verified(webhook["secret"])


def test_a_rotated_secret_and_the_old_one_sign_for_a_day(portal, receiver):
    webhook = register(portal, receiver.url)
    path = f"/webhooks/{webhook['id']}/secret"
    second = portal.admin.post(path, json={}).json()["secret"]

    ping(portal, webhook)
    webhook_sender.send_due(portal.services)
    assert receiver.messages[-1].verified(webhook["secret"])
    assert receiver.messages[-1].verified(second)

    let_time_pass(portal, old_secret_until=utc_now())
    ping(portal, webhook)
    webhook_sender.send_due(portal.services)
    assert receiver.messages[-1].verified(second)
    with pytest.raises(WebhookVerificationError):
        receiver.messages[-1].verified(webhook["secret"])

    third = portal.admin.post(path, json={"compromised": True}).json()["secret"]
    ping(portal, webhook)
    webhook_sender.send_due(portal.services)
    assert receiver.messages[-1].verified(third)
    with pytest.raises(WebhookVerificationError):
        receiver.messages[-1].verified(second)


def test_what_fails_is_tried_again_later_each_time_with_the_same_id_and_bytes(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    receiver.status = 500
    pauses = []
    for _ in range(3):
        let_time_pass(portal)
        assert webhook_sender.send_due(portal.services) == 0
        with portal.database.reading() as session:
            row = session.scalars(select(WebhookDelivery)).one()
        assert (row.status, row.error) == (DeliveryStatus.PENDING, DeliveryError.STATUS)
        pauses.append(row.next_try_at - row.tried_at)
    for expected, found in zip((10, 30, 90), pauses, strict=True):
        assert timedelta(seconds=expected * 0.8) <= found <= timedelta(seconds=expected * 1.2)
    failing = read(portal, webhook)
    assert failing["failures"] == 3
    assert failing["failing_since"] is not None

    receiver.status = 200
    let_time_pass(portal)
    assert webhook_sender.send_due(portal.services) == 1

    assert len({(each.headers["webhook-id"], each.body) for each in receiver.messages}) == 1
    assert all(each.verified(webhook["secret"]) for each in receiver.messages)
    mended = read(portal, webhook)
    assert (mended["failures"], mended["failing_since"]) == (0, None)


def test_tries_go_on_for_about_a_day():
    pauses, tries = timedelta(0), 0
    while pauses < webhook_sender.GIVEN_UP_AFTER:
        tries += 1
        pauses += min(
            webhook_sender.FIRST_PAUSE * webhook_sender.PAUSE_GROWS ** (tries - 1),
            webhook_sender.LONGEST_PAUSE,
        )

    assert 8 <= tries <= 16


def test_a_message_is_given_up_after_a_day_and_shown(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    portal.ready_dataset()
    receiver.status = 500
    with portal.database.transaction() as session:
        session.execute(
            update(WebhookDelivery).values(created_at=utc_now() - timedelta(days=1, minutes=1))
        )
    portal.ready_dataset()

    webhook_sender.send_due(portal.services)

    young, *old = deliveries(portal, webhook)
    assert young["status"] == "pending"
    assert [each["status"] for each in old] == ["failed", "failed"]
    assert sorted(each["tries"] for each in old) == [0, 1]
    assert read(portal, webhook)["paused_at"] is None


def test_a_webhook_that_fails_for_days_is_paused_and_its_admins_are_told(portal, receiver):
    yang = portal.person(portal.organisation_id, Role.ADMIN, "Dr. Yang")
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    portal.ready_dataset()
    receiver.status = 500
    long_ago = utc_now() - webhook_sender.PAUSED_AFTER - timedelta(minutes=1)

    let_time_pass(portal, failures=webhook_sender.FEWEST_FAILURES - 2, failing_since=long_ago)
    webhook_sender.send_due(portal.services)
    assert read(portal, webhook)["paused_at"] is None
    let_time_pass(portal)
    webhook_sender.send_due(portal.services)

    assert read(portal, webhook)["paused_at"] is not None
    assert {each["status"] for each in deliveries(portal, webhook)} == {"failed"}
    [notice] = yang.get("/notifications").json()["items"]
    assert notice["kind"] == "webhook.paused"
    assert "127.0.0.1" in notice["text"]
    assert "hush" not in str(notice)
    [entry] = portal.admin.get("/audit?action=webhook.paused").json()["items"]
    assert (entry["subject"], entry["actor"]["name"]) == (webhook["id"], "portal")

    portal.ready_dataset()
    assert len(deliveries(portal, webhook)) == 2
    receiver.status = 200
    resumed = portal.admin.request("PATCH", f"/webhooks/{webhook['id']}", json={"paused": False})
    assert (resumed.json()["paused_at"], resumed.json()["failures"]) == (None, 0)
    portal.ready_dataset()
    assert webhook_sender.send_due(portal.services) == 1


def test_a_receiver_that_is_gone_for_good_is_paused_at_once(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    receiver.status = 410

    webhook_sender.send_due(portal.services)

    assert read(portal, webhook)["paused_at"] is not None


def test_a_test_tells_at_once_what_is_wrong_and_reaches_a_paused_webhook(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.admin.request("PATCH", f"/webhooks/{webhook['id']}", json={"paused": True})
    receiver.status = 403
    ping(portal, webhook)
    webhook_sender.send_due(portal.services)
    receiver.status = 204
    ping(portal, webhook)
    webhook_sender.send_due(portal.services)

    second, first = deliveries(portal, webhook)
    assert (first["status"], first["answer_status"], first["error"]) == ("failed", 403, "status")
    assert (second["event"], second["status"]) == ("ping", "delivered")
    assert receiver.messages[-1].said["data"] == {}


def test_a_test_that_is_sent_again_with_its_key_is_done_once(portal, receiver):
    webhook = register(portal, receiver.url)
    path, headers = f"/webhooks/{webhook['id']}/test", {"Idempotency-Key": "once"}

    first, again = (portal.admin.post(path, headers=headers).json() for _ in range(2))

    assert first == again
    assert len(deliveries(portal, webhook)) == 1


def test_a_receiver_that_asks_for_time_gets_it(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    portal.ready_dataset()
    receiver.status, receiver.headers = 503, {"Retry-After": "1200"}

    webhook_sender.send_due(portal.services)
    webhook_sender.send_due(portal.services)

    assert len(receiver.messages) == 1
    with portal.database.reading() as session:
        row = session.get_one(Webhook, webhook["id"])
    assert timedelta(minutes=19) < row.quiet_until - utc_now() <= timedelta(minutes=20)


def test_one_that_fails_holds_up_no_other(portal, receiver, open_receiver):
    broken = open_receiver()
    broken.status = 500
    register(portal, broken.url)
    register(portal, receiver.url)
    for _ in range(3):
        portal.ready_dataset()

    assert webhook_sender.send_due(portal.services) == 3

    # After its first failure it is left alone for a while.
    assert len(broken.messages) == 1


def test_two_portals_at_once_send_each_message_once(portal, receiver):
    webhook = register(portal, receiver.url)
    for _ in range(8):
        portal.ready_dataset()

    with ThreadPoolExecutor(2) as portals:
        arrived = sum(portals.map(lambda _: webhook_sender.send_due(portal.services), range(2)))

    ids = [message.headers["webhook-id"] for message in receiver.messages]
    assert sorted(ids) == sorted(each["id"] for each in deliveries(portal, webhook))
    assert arrived == 8


def test_what_a_portal_has_taken_is_left_to_it_until_it_must_be_dead(either_portal):
    portal = either_portal
    webhook = register(portal, "https://receiver.hospital.example/")
    portal.ready_dataset()
    until = utc_now() + timedelta(minutes=5)
    with portal.database.transaction() as session:
        taken = WebhookRepository(session).take(webhook["id"], until=until)
    assert taken is not None

    with portal.database.transaction() as session:
        webhooks = WebhookRepository(session)
        assert webhooks.due(utc_now()) == []
        assert webhooks.due(until + timedelta(seconds=1)) == [webhook["id"]]
        assert webhooks.take(webhook["id"], until=until) is None


def test_a_portal_that_comes_back_late_does_not_undo_what_another_has_delivered(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    with portal.database.transaction() as session:
        _, late = WebhookRepository(session).take(webhook["id"], until=utc_now())
    webhook_sender.send_due(portal.services)

    with portal.database.transaction() as session:
        webhook_sender._note_failure(session, late, None, DeliveryError.TIMEOUT)

    [delivery] = deliveries(portal, webhook)
    assert (delivery["status"], delivery["error"]) == ("delivered", None)


def test_old_messages_are_forgotten_and_waiting_ones_are_not(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    webhook_sender.send_due(portal.services)
    portal.ready_dataset()
    with portal.database.transaction() as session:
        session.execute(update(WebhookDelivery).values(created_at=utc_now() - timedelta(days=31)))

    webhook_sender.forget(portal.services)

    [left] = deliveries(portal, webhook)
    assert left["status"] == "pending"


def test_a_deleted_webhook_is_told_nothing_any_more(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    portal.admin.delete(f"/webhooks/{webhook['id']}")
    portal.ready_dataset()

    assert webhook_sender.send_due(portal.services) == 0
    assert receiver.messages == []


def test_neither_address_nor_secret_nor_answer_is_in_the_log_or_in_a_file(portal, receiver, caplog):
    caplog.set_level(logging.DEBUG)
    webhook = register(portal, receiver.url)
    receiver.status, receiver.headers = 500, {"X-Told": "of-a-patient"}
    portal.ready_dataset()
    webhook_sender.send_due(portal.services)
    receiver.status = 200
    let_time_pass(portal)
    webhook_sender.send_due(portal.services)

    assert "did not arrive: status" in caplog.text
    secret = webhook["secret"].removeprefix("whsec_")
    ours = [record for record in caplog.records if record.name.startswith("app.")]
    for hidden in ("hush", secret, "of-a-patient"):
        assert hidden not in " ".join(record.getMessage() for record in ours)
    assert secret not in portal.admin.get(f"/webhooks/{webhook['id']}").text
    assert not portal.files_with(secret)


def test_a_secret_that_cannot_be_opened_does_not_pause_the_webhook(portal, receiver):
    webhook = register(portal, receiver.url)
    portal.ready_dataset()
    let_time_pass(portal, sealed_secret="sealed with another secret")

    assert webhook_sender.send_due(portal.services) == 0

    [delivery] = deliveries(portal, webhook)
    assert (delivery["status"], delivery["error"]) == ("pending", "portal")
    assert read(portal, webhook)["failures"] == 0
    assert receiver.messages == []


def test_the_threads_of_the_portal_send_by_themselves(portal_with, receiver, wait_until):
    portal = portal_with(webhook_seconds=0.02, webhook_networks=NETWORKS)
    register(portal, receiver.url)

    portal.ready_dataset()

    wait_until(lambda: receiver.events() == ["dataset.ready"], "the event came")


def test_a_slow_receiver_holds_up_no_other(portal_with, receiver, open_receiver, wait_until):
    portal = portal_with(webhook_seconds=0.02, webhook_networks=NETWORKS)
    slow, released = open_receiver(), []
    slow.before_answer = lambda: wait_until(lambda: released, "the test lets it answer")
    register(portal, slow.url)
    register(portal, receiver.url)
    try:
        portal.ready_dataset()
        wait_until(lambda: slow.messages, "the slow one is asked")
        portal.ready_dataset()
        wait_until(lambda: len(receiver.messages) == 2, "the other one has both")
        assert len(slow.messages) == 1
    finally:
        released.append(True)


def test_a_turn_ends_in_time_so_that_many_slow_receivers_hold_up_no_other(
    portal, receiver, monkeypatch
):
    """The threads are shared by all organisations."""
    monkeypatch.setattr(webhook_sender, "TURN_SECONDS", 0)
    webhook = register(portal, receiver.url)
    for _ in range(3):
        portal.ready_dataset()
    assert webhook_sender.send_to(portal.services, webhook["id"]) == 1
    assert webhook_sender.send_to(portal.services, webhook["id"]) == 1
    assert len(receiver.messages) == 2


@pytest.mark.slow
def test_a_portal_killed_between_commit_and_sending_loses_nothing(
    portal, receiver, free_port, wait_until, tmp_path
):
    webhook = register(portal, receiver.url)
    address, log = f"http://127.0.0.1:{free_port}", tmp_path / "portal.log"

    def answers():
        try:
            return httpx.get(f"{address}/healthz").is_success
        except httpx.TransportError:
            assert first.poll() is None, log.read_text()
            return False

    def has_told():
        assert second.poll() is None, log.read_text()
        return receiver.events() == ["ping"]

    with portal_process(portal, free_port, log, EXCHANGE_WEBHOOK_SECONDS="3600") as first:
        wait_until(answers, "the first portal answers", 60)
        reply = httpx.post(
            f"{address}/api/v1/webhooks/{webhook['id']}/test",
            headers={"Authorization": f"Bearer {portal.admin.token}"},
        )
        assert reply.status_code == 202
    assert receiver.messages == []

    with portal_process(portal, free_port, log, EXCHANGE_WEBHOOK_SECONDS="0.05") as second:
        wait_until(has_told, "the second portal sends it", 60)
        wait_until(
            lambda: deliveries(portal, webhook)[0]["status"] == "delivered", "it is noted", 60
        )
    assert receiver.messages[0].headers["webhook-id"] == reply.json()["id"]
