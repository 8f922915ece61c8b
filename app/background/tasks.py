"""The portal's background work in one context: sweep, mail, webhooks, uploads, retention."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.background import mailer
from app.background.periodic import Periodic, PeriodicTask
from app.background.retention import ROUND_SECONDS, forget_old
from app.background.sweeper import sweep
from app.background.upload_finisher import finish_complete
from app.background.webhook_sender import WebhookSender
from app.core.portal import Portal


@contextmanager
def background_tasks(portal: Portal) -> Iterator[None]:
    settings = portal.settings
    with (
        WebhookSender(portal) as webhooks,
        Periodic(
            PeriodicTask(
                name="sweeper", seconds=settings.sweep_seconds, run=lambda _: sweep(portal)
            ),
            PeriodicTask(
                name="mailer",
                seconds=settings.mail_seconds,
                run=lambda _: mailer.send_due(portal),
                leave_seconds=mailer.SECONDS_FOR_THE_SERVER,
            ),
            PeriodicTask(
                name="webhooks",
                seconds=settings.webhook_seconds,
                run=webhooks.dispatch,
                leave_seconds=20,
            ),
            PeriodicTask(
                name="upload finisher",
                seconds=settings.sweep_seconds,
                run=lambda stopping: finish_complete(portal, go_on=lambda: not stopping.is_set()),
                # A piece is read, or an object written; then it checks whether the portal ends.
                leave_seconds=10,
            ),
            PeriodicTask(
                name="retention",
                seconds=ROUND_SECONDS,
                run=lambda stopping: forget_old(portal, lambda: not stopping.is_set()),
                leave_seconds=10,
            ),
            on_round=portal.rounds.note,
        ),
    ):
        yield
