from typing import Annotated

from fastapi import APIRouter, Query

from app.auth.dependencies import Manager, Once
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.models.webhook import DeliveryStatus, Webhook
from app.webhooks import service
from app.webhooks.repository import WebhookRepository
from app.webhooks.schemas import (
    DeliveryRead,
    SecretRotate,
    WebhookChange,
    WebhookCreate,
    WebhookRead,
    WebhookSecretRead,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"], responses=problems(401, 403, 422))

LOST = (
    "the secret was in that reply alone. If it was lost, POST /api/v1/webhooks/{id}/secret with a "
    "new key makes another."
)


@router.post("", status_code=201, responses=problems(400, 409, 413))
def create_webhook(
    body: WebhookCreate, session: WriteSession, portal: PortalDep, caller: Manager, once: Once
) -> WebhookSecretRead:
    """Register an address for events; the signing secret is shown once."""
    networks = portal.settings.webhook_networks_allowed
    return once.secret(
        lambda: _with_secret(*service.create(session, portal.vault, networks, caller, body)),
        shown=f"This request registered the webhook before; {LOST}",
        folder="/api/v1/webhooks",
    )


@router.get("")
def list_webhooks(
    session: ReadSession, caller: Manager, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[WebhookRead]:
    """The webhooks of the caller's organisation, newest first."""
    page = WebhookRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[WebhookRead].of(page)


@router.get("/{webhook_id}", responses=problems(404))
def get_webhook(webhook_id: str, session: ReadSession, caller: Manager) -> WebhookRead:
    return WebhookRead.of(WebhookRepository(session).readable_by(caller).get(webhook_id))


@router.patch("/{webhook_id}", responses=problems(400, 404, 413))
def change_webhook(
    webhook_id: str,
    body: WebhookChange,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
) -> WebhookRead:
    """Address, events, description; pause it, or resume it."""
    networks = portal.settings.webhook_networks_allowed
    return WebhookRead.of(service.change(session, networks, caller, webhook_id, body))


@router.delete("/{webhook_id}", status_code=204, responses=problems(404))
def delete_webhook(webhook_id: str, session: WriteSession, caller: Manager) -> None:
    """Delete it and its deliveries."""
    service.delete(session, caller, webhook_id)


@router.get("/{webhook_id}/deliveries", responses=problems(404))
def list_deliveries(
    webhook_id: str,
    session: ReadSession,
    caller: Manager,
    status: Annotated[DeliveryStatus | None, Query(description="Only those.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageRead[DeliveryRead]:
    """Deliveries within thirty days, newest first."""
    webhooks = WebhookRepository(session).readable_by(caller)
    page = webhooks.deliveries(webhook_id, status=status, cursor=cursor, limit=limit)
    return PageRead[DeliveryRead].of(page)


@router.post("/{webhook_id}/test", status_code=202, responses=problems(400, 404))
def test_webhook(
    webhook_id: str, session: WriteSession, caller: Manager, once: Once
) -> DeliveryRead:
    """Send a `ping`; the list of deliveries shows whether it arrived."""
    return once(DeliveryRead, lambda: service.test(session, caller, webhook_id))


@router.post("/{webhook_id}/secret", status_code=201, responses=problems(400, 404, 409, 413))
def rotate_webhook_secret(
    webhook_id: str,
    body: SecretRotate,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    once: Once,
) -> WebhookSecretRead:
    """Sign with a new secret, which is shown once; the old one signs too for a day."""
    return once.secret(
        lambda: _with_secret(*service.rotate(session, portal.vault, caller, webhook_id, body)),
        shown=f"This request made the secret before; {LOST}",
    )


def _with_secret(webhook: Webhook, secret: str) -> WebhookSecretRead:
    return WebhookSecretRead.of(webhook, secret=secret)
