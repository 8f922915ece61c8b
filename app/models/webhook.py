from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.core.types import JsonColumn, JsonObject, UtcDateTime, text_enum
from app.models.base import Base, Timestamps


class WebhookEvent(StrEnum):
    """Events that a webhook may subscribe to. A name is never reused for something else.

    Those that are the kind of a notice are sent whenever the organisation gets such notices.
    """

    ACCESS_REQUESTED = "access.requested"
    ACCESS_GRANTED = "access.granted"
    ACCESS_RETURNED = "access.returned"
    ACCESS_DENIED = "access.denied"
    ACCESS_REVOKED = "access.revoked"
    ACCESS_EXPIRES = "access.expires"
    ACCESS_EXPIRED = "access.expired"
    RELEASE_SUPERSEDED = "release.superseded"
    RELEASE_CONCERNED = "release.concerned"
    RELEASE_WITHDRAWN = "release.withdrawn"
    RELEASE_SCORE = "release.score"
    WITHDRAWAL_DONE = "withdrawal.done"
    WITHDRAWAL_FAILED = "withdrawal.failed"
    DATASET_READY = "dataset.ready"
    DATASET_REJECTED = "dataset.rejected"
    DATASET_AWAITS_MAPPING = "dataset.awaits_mapping"
    DISTILLATION_READY = "distillation.ready"
    DISTILLATION_FAILED = "distillation.failed"
    TRAINING_READY = "training.ready"
    TRAINING_FAILED = "training.failed"


PING = "ping"
"""The event of a test, which cannot be subscribed to."""


class Webhook(Timestamps, Base):
    """An address that receives an organisation's events."""

    __tablename__ = "webhook"

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("wh"))
    organisation_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"), index=True)
    url: Mapped[str] = mapped_column(String(2000))
    """Known to the organisation's admins alone: with some receivers it is itself a secret."""
    description: Mapped[str] = mapped_column(String(200), default="")
    event_names: Mapped[list[str]] = mapped_column(JsonColumn)
    sealed_secret: Mapped[str | None] = mapped_column(default=None)
    """The encrypted signing secret; None once it is deleted."""
    sealed_old_secret: Mapped[str | None] = mapped_column(default=None)
    """The one before it, which signs too until `old_secret_until`."""
    old_secret_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    paused_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """From then on no new events are sent."""
    failures: Mapped[int] = mapped_column(default=0)
    """Tries in a row that failed."""
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """The first of them."""
    quiet_until: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """No try before that: it has just failed, or requested a pause."""
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Time of the last delivery."""
    # Its row stays: deleting it could deadlock with a transaction that adds a delivery.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)

    @property
    def events(self) -> list[WebhookEvent]:
        return [WebhookEvent(name) for name in self.event_names]


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up."""


class DeliveryError(StrEnum):
    """Reason of a failed try, as its owner sees it."""

    ADDRESS = "address"
    """The name leads nowhere, or where webhooks may not go."""
    CONNECTION = "connection"
    """No server listens there, or the connection broke."""
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    STATUS = "status"
    """The answer was not 2xx."""
    REDIRECT = "redirect"
    """The answer was a redirect, which is not followed."""
    PROTOCOL = "protocol"
    """The answer is not HTTP."""
    PORTAL = "portal"
    """The portal itself failed."""
    PAUSED = "paused"
    """The webhook was paused before the delivery."""


class WebhookDelivery(Timestamps, Base):
    """One message to one webhook, written in the transaction of the change."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index(None, "status", "next_try_at"),
        Index(None, "webhook_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=lambda: new_id("msg"))
    """Also its `webhook-id`, by which a receiver recognises a repeated delivery."""
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id"))
    event: Mapped[str] = mapped_column(String(64))
    data: Mapped[JsonObject] = mapped_column(JsonColumn)
    """Ids of what it is about."""
    status: Mapped[DeliveryStatus] = mapped_column(
        text_enum(DeliveryStatus), default=DeliveryStatus.PENDING
    )
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    """Time of the next try, or the end of the present portal's turn."""
    answer_status: Mapped[int | None] = mapped_column(default=None)
    """HTTP status of the last answer. Nothing else of it is kept."""
    error: Mapped[DeliveryError | None] = mapped_column(text_enum(DeliveryError), default=None)
    """Error of the last try."""
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
