"""Webhooks: create, change, rotate the secret, pause, delete."""

from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller, Permission
from app.core.vault import Vault
from app.models.webhook import PING, DeliveryError, Webhook, WebhookDelivery
from app.notifications.service import Notice, notify_organisation
from app.organisations.repository import OrganisationRepository
from app.webhooks.addresses import Networks, read_target
from app.webhooks.repository import WebhookRepository
from app.webhooks.schemas import SecretRotate, WebhookChange, WebhookCreate
from app.webhooks.signature import new_secret

MOST_WEBHOOKS = 20
"""Webhooks of one organisation: each event makes a row for each."""
OLD_SECRET_SIGNS_FOR = timedelta(days=1)


class TooManyWebhooks(Conflict):
    code = "too-many-webhooks"
    title = "The organisation has reached its limit of webhooks"


def create(
    session: Session, vault: Vault, networks: Networks, caller: Caller, body: WebhookCreate
) -> tuple[Webhook, str]:
    """A webhook, and its secret, which is shown once. Raises AddressRefused, TooManyWebhooks."""
    read_target(body.url, networks)
    # Locked, so that two that ask at once do not both see room for one more.
    OrganisationRepository(session).get(caller.organisation_id, lock=True)
    webhooks = WebhookRepository(session)
    if webhooks.readable_by(caller).count() >= MOST_WEBHOOKS:
        raise TooManyWebhooks(
            f"Your organisation has {MOST_WEBHOOKS} webhooks, the most that it may have here. None "
            "was made. Delete one that is needed no longer, or let one receiver pass events on.",
            limit=MOST_WEBHOOKS,
        )
    secret = new_secret()
    webhook = webhooks.add(
        Webhook(
            organisation_id=caller.organisation_id,
            url=body.url,
            description=body.description or "",
            event_names=[event.value for event in body.events],
            sealed_secret=vault.seal(secret.encode()),
        )
    )
    record(
        session,
        caller,
        Action.WEBHOOK_CREATED,
        webhook.id,
        host=host_of(webhook),
        events=webhook.event_names,
    )
    return webhook, secret


def change(
    session: Session, networks: Networks, caller: Caller, webhook_id: str, body: WebhookChange
) -> Webhook:
    """Raises WebhookNotFound, AddressRefused."""
    if body.url is not None:
        read_target(body.url, networks)
    webhook = WebhookRepository(session).readable_by(caller).get(webhook_id, lock=True)
    if body.url is not None and body.url != webhook.url:
        webhook.url = body.url
        _forgive(webhook)
    if body.events is not None:
        webhook.event_names = [event.value for event in body.events]
    if body.description is not None:
        webhook.description = body.description
    if body.paused is True and webhook.paused_at is None:
        webhook.paused_at = utc_now()
        WebhookRepository(session).give_up(webhook.id, DeliveryError.PAUSED)
    if body.paused is False and webhook.paused_at is not None:
        webhook.paused_at = None
        _forgive(webhook)
    session.flush()
    record(
        session,
        caller,
        Action.WEBHOOK_CHANGED,
        webhook.id,
        host=host_of(webhook),
        events=webhook.event_names,
        paused=webhook.paused_at is not None,
    )
    return webhook


def _forgive(webhook: Webhook) -> None:
    webhook.failures, webhook.failing_since, webhook.quiet_until = 0, None, None


def rotate(
    session: Session, vault: Vault, caller: Caller, webhook_id: str, body: SecretRotate
) -> tuple[Webhook, str]:
    """Sign with a new secret, which is shown once. Raises WebhookNotFound."""
    webhook = WebhookRepository(session).readable_by(caller).get(webhook_id, lock=True)
    secret = new_secret()
    if body.compromised:
        webhook.sealed_old_secret, webhook.old_secret_until = None, None
    else:
        webhook.sealed_old_secret = webhook.sealed_secret
        webhook.old_secret_until = utc_now() + OLD_SECRET_SIGNS_FOR
    webhook.sealed_secret = vault.seal(secret.encode())
    session.flush()
    record(
        session,
        caller,
        Action.WEBHOOK_SECRET_ROTATED,
        webhook.id,
        compromised=body.compromised,
    )
    return webhook, secret


def delete(session: Session, caller: Caller, webhook_id: str) -> None:
    """Delete the webhook and its deliveries. Raises WebhookNotFound."""
    webhooks = WebhookRepository(session)
    webhook = webhooks.readable_by(caller).get(webhook_id, lock=True)
    host = host_of(webhook)
    webhook.deleted_at, webhook.url, webhook.description = utc_now(), "", ""
    webhook.sealed_secret, webhook.sealed_old_secret = None, None
    session.flush()
    webhooks.delete_deliveries(webhook.id)
    record(session, caller, Action.WEBHOOK_DELETED, webhook.id, host=host)


def test(session: Session, caller: Caller, webhook_id: str) -> WebhookDelivery:
    """Send a `ping` at once and once, even to one that is paused. Raises WebhookNotFound."""
    webhooks = WebhookRepository(session)
    webhook = webhooks.readable_by(caller).get(webhook_id, lock=True)
    webhook.quiet_until = None
    delivery = webhooks.add_delivery(WebhookDelivery(webhook_id=webhook.id, event=PING, data={}))
    record(session, caller, Action.WEBHOOK_TESTED, webhook.id)
    return delivery


def pause_by_portal(session: Session, webhook: Webhook, why: str) -> None:
    """Pause a webhook that failed for days or answered 410, and notify its admins."""
    webhook.paused_at = utc_now()
    session.flush()
    WebhookRepository(session).give_up(webhook.id, DeliveryError.PAUSED)
    notify_organisation(
        session,
        webhook.organisation_id,
        Permission.MANAGE,
        Notice(
            kind="webhook.paused",
            title="A webhook was paused",
            text=f"The webhook to {host_of(webhook)} {why}. Nothing is sent to it any more; what "
            "was not delivered can be read in the portal. Repair the receiver, send a test, and "
            "resume the webhook.",
            link="/organisation/webhooks",
            data={"webhook": webhook.id},
        ),
    )
    record_by_portal(session, webhook.organisation_id, Action.WEBHOOK_PAUSED, webhook.id)


def host_of(webhook: Webhook) -> str:
    """The part of its address that may be shown: the rest may be a secret."""
    return urlsplit(webhook.url).hostname or ""
