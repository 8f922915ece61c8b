"""The portal's background work in one context: what each portal repeats while it runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from app.background import checkpoints, mailer
from app.background.periodic import Periodic, PeriodicTask
from app.background.retention import ROUND_SECONDS, forget_old
from app.background.sweeper import sweep
from app.background.upload_finisher import finish_complete
from app.background.webhook_sender import WebhookSender
from app.core.portal import Portal
from app.maintenance.portals import HEARTBEAT_SECONDS, PortalRegistration

logger = logging.getLogger(__name__)

HALF_WRITTEN = 10
"""Times as long as a row waits for its message: five minutes."""


@contextmanager
def background_tasks(portal: Portal, *others: PeriodicTask) -> Iterator[None]:
    """Run until the block ends.

    Args:
        portal: Its resources.
        others: Tasks of packages that stand above this one.
    """
    settings = portal.settings
    registration = PortalRegistration(portal.database)
    registration.renew()
    with (
        WebhookSender(portal) as webhooks,
        Periodic(
            PeriodicTask(
                name="registration",
                seconds=HEARTBEAT_SECONDS,
                run=lambda _: registration.renew(),
                leave_seconds=2,
            ),
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
            # It looks at every file; what it finds is in nobody's way, but may be a patient's.
            PeriodicTask(
                name="half-written files",
                seconds=HALF_WRITTEN * settings.stale_seconds,
                run=lambda _: _delete_half_written(portal),
            ),
            PeriodicTask(
                name="retention",
                seconds=ROUND_SECONDS,
                run=lambda stopping: forget_old(portal, lambda: not stopping.is_set()),
                leave_seconds=10,
            ),
            PeriodicTask(
                name="checkpoints",
                seconds=checkpoints.ROUND_SECONDS,
                run=lambda stopping: checkpoints.sign_checkpoints(
                    portal, lambda: not stopping.is_set()
                ),
                leave_seconds=10,
            ),
            *others,
            on_round=portal.rounds.note,
        ),
    ):
        yield
    registration.end()


def _delete_half_written(portal: Portal) -> None:
    count = portal.storage.delete_half_written(HALF_WRITTEN * portal.settings.stale_seconds)
    if count:
        logger.warning("deleted %d files that a killed process had begun to write", count)
