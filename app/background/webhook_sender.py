"""Delivers webhook events. Every portal runs a sender; one of them claims each delivery.

What cannot be delivered is tried again, each time later, for a day, and then given up. A webhook
that fails for days is paused. One that is slow holds up no other.
"""

import json
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Self

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.portal import Portal
from app.models.webhook import PING, DeliveryError, DeliveryStatus, Webhook, WebhookDelivery
from app.webhooks import service
from app.webhooks.addresses import AddressRefused, NotAllowed, read_target, resolve
from app.webhooks.http_post import Answer, Undelivered, post
from app.webhooks.repository import (
    DELIVERIES,
    LONGEST_ASKED_QUIET,
    LONGEST_PAUSE,
    WebhookRepository,
)
from app.webhooks.signature import sign

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(seconds=10)
PAUSE_GROWS = 3
GIVEN_UP_AFTER = timedelta(days=1)
FIRST_QUIET = timedelta(seconds=5)
LONGEST_QUIET = timedelta(minutes=5)
PAUSED_AFTER = timedelta(days=3)
FEWEST_FAILURES = 10
"""Least failures before a pause: three quiet days between two failures are not three bad days."""
TAKEN_FOR = timedelta(minutes=5)
"""A portal that has not sent it by then has died on the way, and another one takes it."""
KEPT_FOR = timedelta(days=30)
AT_ONCE = 8
IN_ONE_TURN = 50
"""Messages to one webhook before others get their turn."""
TURN_SECONDS = 15.0
"""Longest turn of a webhook: slow receivers share a few threads."""
GONE = 410

_random = random.SystemRandom()


class WebhookSender:
    """A pool of threads that send; a webhook has one of them at a time."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._forget_at = utc_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def dispatch(self, stopping: threading.Event) -> None:
        """Give each webhook with something due to a thread; forget old deliveries once an hour."""
        for webhook_id in due(self._portal):
            with self._lock:
                is_new = webhook_id not in self._busy
                self._busy.add(webhook_id)
            if is_new:
                self._pool.submit(self._send, webhook_id, stopping)
        if utc_now() >= self._forget_at:
            self._forget_at = utc_now() + timedelta(hours=1)
            forget(self._portal)

    def _send(self, webhook_id: str, stopping: threading.Event) -> None:
        try:
            send_to(self._portal, webhook_id, stopping)
        except Exception:
            logger.exception("webhook %s: a turn failed, and is tried again", webhook_id)
        finally:
            with self._lock:
                self._busy.discard(webhook_id)


def due(portal: Portal) -> list[str]:
    """Ids of webhooks that something is to be sent to."""
    with portal.database.reading() as session:
        return list(WebhookRepository(session).due(utc_now()))


def send_due(portal: Portal) -> int:
    """Send what is due, one after the other; how many arrived."""
    return sum(send_to(portal, webhook_id) for webhook_id in due(portal))


def send_to(portal: Portal, webhook_id: str, stopping: threading.Event | None = None) -> int:
    """Send what is due to one webhook, until one fails or its turn is over; how many arrived."""
    over_at = time.monotonic() + TURN_SECONDS
    for arrived in range(IN_ONE_TURN):
        if stopping is not None and stopping.is_set():
            return arrived
        if arrived and time.monotonic() >= over_at:
            return arrived
        with portal.database.transaction() as session:
            taken = WebhookRepository(session).take(webhook_id, until=utc_now() + TAKEN_FOR)
        if taken is None or not _send(portal, *taken):
            return arrived
    return IN_ONE_TURN


def forget(portal: Portal) -> None:
    with portal.database.transaction() as session:
        WebhookRepository(session).forget_deliveries(utc_now() - KEPT_FOR)


def _send(portal: Portal, webhook: Webhook, delivery: WebhookDelivery) -> bool:
    answer: Answer | None = None
    error: DeliveryError | None = None
    try:
        answer = _post(portal, webhook, delivery)
        error = _error_of(answer)
    except Undelivered as undelivered:
        error = undelivered.error
    except (NotAllowed, AddressRefused):
        error = DeliveryError.ADDRESS
    except Exception:
        logger.exception("message %s was not sent", delivery.id)
        error = DeliveryError.PORTAL
    with portal.database.transaction() as session:
        if error is None:
            _note_arrival(session, delivery, answer)
        else:
            # Neither the address nor the answer: both may hold a secret.
            logger.warning("message %s did not arrive: %s", delivery.id, error.value)
            _note_failure(session, delivery, answer, error)
    return error is None


def _post(portal: Portal, webhook: Webhook, delivery: WebhookDelivery) -> Answer:
    networks = portal.settings.webhook_networks_allowed
    target = read_target(webhook.url, networks)
    addresses = resolve(target, networks)
    now = utc_now()
    body = body_of(delivery)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"IADD-Exchange/{version('iadd-exchange')}",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(
            _secrets(portal, webhook, now),
            message_id=delivery.id,
            timestamp=int(now.timestamp()),
            body=body,
        ),
    }
    return post(target, addresses, body, headers)


def body_of(delivery: WebhookDelivery) -> bytes:
    """The same bytes at each try."""
    content = {
        "type": delivery.event,
        "timestamp": delivery.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": delivery.data,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _secrets(portal: Portal, webhook: Webhook, now: datetime) -> list[str]:
    """Signing secrets: the present one, and for a while the one before it."""
    sealed = [webhook.sealed_secret]
    if webhook.old_secret_until is not None and webhook.old_secret_until > now:
        sealed.append(webhook.sealed_old_secret)
    return [portal.vault.open(each).decode() for each in sealed if each is not None]


def _error_of(answer: Answer) -> DeliveryError | None:
    if 200 <= answer.status < 300:
        return None
    return DeliveryError.REDIRECT if 300 <= answer.status < 400 else DeliveryError.STATUS


def _note_arrival(session: Session, delivery: WebhookDelivery, answer: Answer | None) -> None:
    now = utc_now()
    DELIVERIES.finish(
        session,
        delivery,
        DeliveryStatus.DELIVERED,
        answer_status=None if answer is None else answer.status,
        error=None,
        tried_at=now,
        delivered_at=now,
    )
    webhook = WebhookRepository(session).load(delivery.webhook_id, lock=True)
    webhook.failures, webhook.failing_since, webhook.quiet_until = 0, None, None
    webhook.delivered_at = now


def _note_failure(
    session: Session, delivery: WebhookDelivery, answer: Answer | None, error: DeliveryError
) -> None:
    now = utc_now()
    values = {
        "answer_status": None if answer is None else answer.status,
        "error": error,
        "tried_at": now,
    }
    if delivery.event == PING:  # somebody waits for what it says
        DELIVERIES.give_up(session, delivery, DeliveryStatus.FAILED, **values)
        return
    DELIVERIES.postpone(session, delivery, now + pause_after(delivery.tries), **values)
    if error == DeliveryError.PORTAL:
        return
    webhooks = WebhookRepository(session)
    webhook = webhooks.load(delivery.webhook_id, lock=True)
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or now
    webhook.quiet_until = now + _quiet_after(webhook.failures, answer)
    session.flush()
    webhooks.give_up(webhook.id, None, before=now - GIVEN_UP_AFTER)
    if webhook.paused_at is not None or webhook.deleted_at is not None:
        return
    if answer is not None and answer.status == GONE:
        service.pause_by_portal(session, webhook, "answers that it is gone for good (410)")
    elif webhook.failures >= FEWEST_FAILURES and webhook.failing_since < now - PAUSED_AFTER:
        since = f"{webhook.failing_since:%Y-%m-%d %H:%M} UTC"
        service.pause_by_portal(session, webhook, f"has taken nothing since {since}")


def pause_after(tries: int) -> timedelta:
    """Pause until the next try of a message, randomised so that not all come at once."""
    pause = min(FIRST_PAUSE * int(PAUSE_GROWS ** min(tries - 1, 20)), LONGEST_PAUSE)
    return pause * _random.uniform(0.8, 1.2)


def _quiet_after(failures: int, answer: Answer | None) -> timedelta:
    """Pause until the next try of any message: a hundred waiting ones make no hundred tries."""
    quiet = min(FIRST_QUIET * int(2 ** min(failures - 1, 20)), LONGEST_QUIET)
    asked = timedelta(0) if answer is None or answer.retry_after is None else answer.retry_after
    return max(quiet, min(asked, LONGEST_ASKED_QUIET))
