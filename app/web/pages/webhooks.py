"""Pages of an organisation's webhooks."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.security import Caller
from app.models.webhook import WebhookEvent
from app.web.dependencies import Manager
from app.web.forms import Sent, checked, confirmed
from app.web.render import go_to, is_fragment, page
from app.webhooks import service
from app.webhooks.repository import WebhookRepository
from app.webhooks.schemas import SecretRotate, WebhookChange, WebhookCreate

router = APIRouter(prefix="/organisation/webhooks")


class WebhookForm(BaseModel):
    url: str = ""
    description: str = ""
    events: list[str] = Field(default_factory=list)

    def fields(self) -> dict[str, object]:
        return {
            "url": self.url,
            "description": self.description.strip() or None,
            "events": self.events,
        }


@router.get("")
def show_webhooks(
    request: Request, session: ReadSession, caller: Manager, cursor: Cursor = None
) -> Response:
    return _webhooks(request, session, caller, cursor=cursor)


@router.post("")
def create_webhook(
    request: Request,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    form: Sent[WebhookForm],
) -> Response:
    """The secret of its signatures is in this answer, and nowhere else."""
    networks = portal.settings.webhook_networks_allowed
    body = checked(WebhookCreate, **form.fields())
    _, secret = service.create(session, portal.vault, networks, caller, body)
    return _webhooks(request, session, caller, secret=secret)


@router.get("/{webhook_id}")
def show_webhook(
    request: Request, webhook_id: str, session: ReadSession, caller: Manager, cursor: Cursor = None
) -> Response:
    return _webhook(request, session, caller, webhook_id, "webhooks/webhook.html", cursor=cursor)


@router.get("/{webhook_id}/deliveries")
def show_deliveries(
    request: Request, webhook_id: str, session: ReadSession, caller: Manager
) -> Response:
    """The part of the page that follows what is sent."""
    return _webhook(request, session, caller, webhook_id, "webhooks/deliveries.html")


@router.post("/{webhook_id}")
def change_webhook(
    request: Request,
    webhook_id: str,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    form: Sent[WebhookForm],
) -> Response:
    networks = portal.settings.webhook_networks_allowed
    body = checked(WebhookChange, **form.fields())
    service.change(session, networks, caller, webhook_id, body)
    return go_to(request, f"/organisation/webhooks/{webhook_id}", note="note-webhook-changed")


@router.post("/{webhook_id}/test")
def test_webhook(
    request: Request, webhook_id: str, session: WriteSession, caller: Manager
) -> Response:
    service.test(session, caller, webhook_id)
    return go_to(request, f"/organisation/webhooks/{webhook_id}", note="note-webhook-tested")


@router.post("/{webhook_id}/pause")
def pause_webhook(
    request: Request, webhook_id: str, session: WriteSession, portal: PortalDep, caller: Manager
) -> Response:
    networks = portal.settings.webhook_networks_allowed
    service.change(session, networks, caller, webhook_id, WebhookChange(paused=True))
    return go_to(request, f"/organisation/webhooks/{webhook_id}", note="note-webhook-paused")


@router.post("/{webhook_id}/resume")
def resume_webhook(
    request: Request, webhook_id: str, session: WriteSession, portal: PortalDep, caller: Manager
) -> Response:
    networks = portal.settings.webhook_networks_allowed
    service.change(session, networks, caller, webhook_id, WebhookChange(paused=False))
    return go_to(request, f"/organisation/webhooks/{webhook_id}", note="note-webhook-resumed")


@router.post("/{webhook_id}/secret")
def rotate_secret(
    request: Request,
    webhook_id: str,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    compromised: Sent[bool] = False,
) -> Response:
    """The new secret is in this answer, and nowhere else."""
    body = SecretRotate(compromised=compromised)
    _, secret = service.rotate(session, portal.vault, caller, webhook_id, body)
    template = "webhooks/secret.html" if is_fragment(request) else "webhooks/webhook.html"
    return _webhook(request, session, caller, webhook_id, template, secret=secret)


@router.post("/{webhook_id}/delete")
def delete_webhook(
    request: Request,
    webhook_id: str,
    session: WriteSession,
    caller: Manager,
    confirm: Sent[str] = "",
) -> Response:
    webhook = WebhookRepository(session).readable_by(caller).get(webhook_id)
    confirmed(confirm, service.host_of(webhook))
    service.delete(session, caller, webhook_id)
    return go_to(request, "/organisation/webhooks", note="note-webhook-deleted")


def _webhooks(
    request: Request,
    session: Session,
    caller: Caller,
    *,
    secret: str | None = None,
    cursor: str | None = None,
) -> Response:
    rows = WebhookRepository(session).readable_by(caller).page(cursor=cursor, limit=50)
    return page(
        request,
        "webhooks/list.html" if is_fragment(request) else "webhooks/webhooks.html",
        webhooks=rows,
        hosts={row.id: service.host_of(row) for row in rows.items},
        secret=secret,
        events=list(WebhookEvent),
    )


def _webhook(
    request: Request,
    session: Session,
    caller: Caller,
    webhook_id: str,
    template: str,
    *,
    secret: str | None = None,
    cursor: str | None = None,
) -> Response:
    webhooks = WebhookRepository(session).readable_by(caller)
    webhook = webhooks.get(webhook_id)
    return page(
        request,
        template,
        webhook=webhook,
        host=service.host_of(webhook),
        deliveries=webhooks.deliveries(webhook_id, status=None, cursor=cursor, limit=50),
        newest=cursor is None,
        secret=secret,
        events=list(WebhookEvent),
    )
