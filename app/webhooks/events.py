"""What webhooks are told: a row for each of them, in the transaction of what it tells.

The data are ids. Names, reasons and figures are asked for over REST by whoever may have them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.models.webhook import WebhookDelivery, WebhookEvent
from app.webhooks.repository import WebhookRepository

EVENTS = frozenset(event.value for event in WebhookEvent)


def tell(session: Session, organisation_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Put it down for each webhook of the organisation that asked for it.

    Notices of other kinds are nobody's affair but that of the person whom they are for.
    """
    if kind not in EVENTS:
        return
    webhooks = WebhookRepository(session)
    for webhook in webhooks.listening(organisation_id, WebhookEvent(kind)):
        webhooks.add_delivery(WebhookDelivery(webhook_id=webhook.id, event=kind, data=dict(data)))
