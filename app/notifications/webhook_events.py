"""Queues events for webhooks: one delivery row for each, in the transaction of the change itself.

The data are ids. Names, reasons and figures are asked for over REST by whoever may have them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models.webhook import Webhook, WebhookDelivery, WebhookEvent

EVENTS = frozenset(event.value for event in WebhookEvent)


def emit(session: Session, organisation_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Add a delivery for each webhook of the organisation that subscribes to this kind.

    Notices of other kinds concern only the person whom they are for.
    """
    if kind not in EVENTS:
        return
    active = select(Webhook).where(
        Webhook.organisation_id == organisation_id,
        Webhook.deleted_at.is_(None),
        Webhook.paused_at.is_(None),
    )
    for webhook in session.scalars(active.order_by(Webhook.id)):
        if kind in webhook.events:
            session.add(WebhookDelivery(webhook_id=webhook.id, event=kind, data=dict(data)))
    session.flush()
