"""Queries for webhooks and their deliveries."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.outbox import Outbox
from app.core.pagination import Page, paginate
from app.core.repository import Readable, Repository
from app.core.security import Caller
from app.models.organisation import Organisation
from app.models.webhook import (
    DeliveryError,
    DeliveryStatus,
    Webhook,
    WebhookDelivery,
)

LONGEST_PAUSE = timedelta(hours=6)
"""Before the next try of a message."""
LONGEST_ASKED_QUIET = timedelta(hours=1)
"""Before the next message to a receiver, which may ask for so much with `Retry-After`."""

DELIVERIES = Outbox(
    model=WebhookDelivery,
    status=WebhookDelivery.status,
    tries=WebhookDelivery.tries,
    pending=DeliveryStatus.PENDING,
    longest_pause=LONGEST_PAUSE,
)


class WebhookNotFound(NotFound):
    code = "webhook-not-found"
    title = "No such webhook"


class ReadableWebhooks(Readable[Webhook]):
    """The webhooks of the caller's organisation."""

    model = Webhook
    not_found = WebhookNotFound
    advice = "Your organisation has no webhook with this id; GET /api/v1/webhooks lists them."

    def _locked(self, query: Select[Any]) -> Select[Any]:
        return _locked(query)

    def count(self) -> int:
        query = self._query.with_only_columns(func.count())
        return self._session.scalar(query) or 0

    def deliveries(
        self, webhook_id: str, *, status: DeliveryStatus | None, cursor: str | None, limit: int
    ) -> Page[WebhookDelivery]:
        """Its deliveries. Raises WebhookNotFound."""
        query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == self.get(webhook_id).id)
        if status is not None:
            query = query.where(WebhookDelivery.status == status)
        return paginate(self._session, query, WebhookDelivery, cursor=cursor, limit=limit)


class WebhookRepository(Repository[Webhook]):
    def readable_by(self, caller: Caller) -> ReadableWebhooks:
        return ReadableWebhooks(self._session, caller)

    def load(self, webhook_id: str, *, lock: bool = False) -> Webhook:
        """By id alone, for what names it."""
        query = select(Webhook).where(Webhook.id == webhook_id)
        query = query.execution_options(populate_existing=True)
        webhook: Webhook = self._session.scalars(_locked(query) if lock else query).one()
        return webhook

    def add_delivery(self, delivery: WebhookDelivery) -> WebhookDelivery:
        self._session.add(delivery)
        self._session.flush()
        return delivery

    def due(self, now: datetime, limit: int = 200) -> Sequence[str]:
        """Ids of webhooks that something is to be sent to, the longest waiting first."""
        query = (
            select(Webhook.id)
            .join(WebhookDelivery, WebhookDelivery.webhook_id == Webhook.id)
            .join(Organisation, Organisation.id == Webhook.organisation_id)
            .where(
                DELIVERIES.is_due(now),
                _is_not_quiet(now),
                Webhook.deleted_at.is_(None),
                Organisation.disabled_at.is_(None),
            )
            .group_by(Webhook.id)
            .order_by(func.min(WebhookDelivery.created_at))
            .limit(limit)
        )
        return self._session.scalars(query).all()

    def take(self, webhook_id: str, *, until: datetime) -> tuple[Webhook, WebhookDelivery] | None:
        """The oldest message to a webhook that is due; None where there is none, or it is quiet."""
        now = utc_now()
        due = self._session.scalars(
            select(WebhookDelivery.id)
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .where(
                Webhook.id == webhook_id,
                Webhook.deleted_at.is_(None),
                _is_not_quiet(now),
                DELIVERIES.is_due(now),
            )
            .order_by(WebhookDelivery.created_at)
            .limit(1)
        ).one_or_none()
        row = None if due is None else DELIVERIES.take(self._session, due, until=until)
        return None if row is None else (self.load(webhook_id), row)

    def give_up(
        self, webhook_id: str, error: DeliveryError | None, *, before: datetime | None = None
    ) -> int:
        """Give up its pending deliveries and count them; an error of their own stays."""
        where: list[ColumnElement[bool]] = [
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.status == DeliveryStatus.PENDING,
        ]
        if before is not None:
            where.append(WebhookDelivery.created_at < before)
        values: dict[str, Any] = {"status": DeliveryStatus.FAILED, "next_try_at": None}
        if error is not None:
            values["error"] = func.coalesce(WebhookDelivery.error, error.value)
        ids = self._session.scalars(
            update(WebhookDelivery)
            .where(and_(*where))
            .values(values)
            .returning(WebhookDelivery.id)
            .execution_options(synchronize_session=False)
        ).all()
        return len(ids)

    def delete_deliveries(self, webhook_id: str) -> None:
        self._session.execute(
            delete(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == webhook_id)
            .execution_options(synchronize_session=False)
        )

    def forget_deliveries(self, before: datetime) -> None:
        """Delete finished deliveries from before this time."""
        self._session.execute(
            delete(WebhookDelivery)
            .where(
                WebhookDelivery.created_at < before,
                WebhookDelivery.status != DeliveryStatus.PENDING,
            )
            .execution_options(synchronize_session=False)
        )


def _is_not_quiet(now: datetime) -> ColumnElement[bool]:
    return or_(
        Webhook.quiet_until.is_(None),
        Webhook.quiet_until <= now,
        # Written by a clock that ran ahead.
        Webhook.quiet_until > now + LONGEST_ASKED_QUIET,
    )


def _locked(query: Select[Any]) -> Select[Any]:
    # key_share: transactions that add deliveries refer to it, and may hold the log meanwhile.
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)
