"""Deletes what nobody needs after EXCHANGE_RETENTION_DAYS, a small batch at a time.

Results, releases, ledgers, downloads and every organisation's log are never among it. Rows that
have a time of their own are ended elsewhere: sessions, uploads, idempotency keys, webhook
deliveries.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from app.core.clock import utc_now
from app.core.portal import Portal
from app.models.distillation import Distillation
from app.models.event import Event, EventKind
from app.models.forecast import WAITING, Forecast
from app.models.invitation import Invitation
from app.models.notification import MailStatus, Notification

logger = logging.getLogger(__name__)

BATCH = 500
"""Rows of one transaction: writers wait for it only for a moment."""
MOST_BATCHES = 200
"""Of each table in a round; the next round deletes the rest."""
ROUND_SECONDS = 600.0


@dataclass(frozen=True)
class Kept:
    """Rows of a table that are kept until some time after the last use of them."""

    model: type[Any]
    old: Callable[[datetime], Select[Any]]
    """Ids of those from before a time."""


def _old_events(before: datetime) -> Select[Any]:
    """Charts and percentages of jobs that ended; their statuses and messages stay."""
    return (
        select(Event.id)
        .join(Distillation, Distillation.id == Event.distillation_id)
        .where(
            Distillation.finished_at < before,
            Event.kind.in_((EventKind.PROGRESS, EventKind.METRIC)),
        )
    )


def _old_notices(before: datetime) -> Select[Any]:
    return select(Notification.id).where(
        Notification.created_at < before, Notification.mail_status != MailStatus.PENDING
    )


def _old_forecasts(before: datetime) -> Select[Any]:
    """Those that ended, and that no distillation shows."""
    shown = select(Distillation.id).where(Distillation.forecast_id == Forecast.id)
    return select(Forecast.id).where(
        Forecast.created_at < before, Forecast.status.not_in(WAITING), ~shown.exists()
    )


def _old_invitations(before: datetime) -> Select[Any]:
    """Those that can be used no more."""
    return select(Invitation.id).where(
        or_(
            Invitation.accepted_at < before,
            and_(Invitation.accepted_at.is_(None), Invitation.expires_at < before),
        )
    )


KEPT = (
    Kept(Event, _old_events),
    Kept(Notification, _old_notices),
    Kept(Forecast, _old_forecasts),
    Kept(Invitation, _old_invitations),
)


def forget_old(portal: Portal, go_on: Callable[[], bool] = lambda: True) -> int:
    """One round, and how many rows it deleted; several portals may do it at once.

    Args:
        portal: Its resources.
        go_on: Called between two batches; False ends the round.
    """
    days = portal.settings.retention_days
    if days == 0:
        return 0
    before = utc_now() - timedelta(days=days)
    total = 0
    for kept in KEPT:
        try:
            deleted = _forget(portal, kept, before, go_on)
        except SQLAlchemyError as error:
            logger.warning(
                "retention: %s is tried again: %s", kept.model.__tablename__, type(error).__name__
            )
            continue
        if deleted:
            logger.info(
                "retention: deleted %d rows of %s, older than %g days",
                *(deleted, kept.model.__tablename__, days),
            )
        total += deleted
    return total


def _forget(portal: Portal, kept: Kept, before: datetime, go_on: Callable[[], bool]) -> int:
    deleted = 0
    for _ in range(MOST_BATCHES):
        if not go_on():
            break
        with portal.database.reading() as session:
            ids = session.scalars(kept.old(before).limit(BATCH)).all()
        if not ids:
            break
        with portal.database.transaction() as session:
            session.execute(delete(kept.model).where(kept.model.id.in_(ids)))
        deleted += len(ids)
    return deleted
