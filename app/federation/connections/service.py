"""Connects an organisation with a hub: two keys, each compared by a person on both sides."""

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.client.errors import PortalError
from app.client.transport import Transport, parse
from app.core.clock import utc_now
from app.core.errors import Conflict, Invalid
from app.core.portal import Portal
from app.core.security import Caller, Permission
from app.federation.connections.hub import Account, HubUnreachable, contact
from app.federation.connections.repository import ConnectionRepository
from app.federation.connections.schemas import ConnectionCreate, ConnectionRead
from app.federation.home_keys.schemas import HomeKeyRead
from app.models.connection import Connection
from app.organisations.keys.repository import KeyRepository
from app.organisations.keys.service import signer_of
from app.organisations.repository import OrganisationRepository
from app.signing.envelope import Envelope
from app.signing.keys import Purpose, fingerprint
from app.signing.signature import Signer


class TokenNotUsable(Invalid):
    code = "hub-token-not-usable"
    title = "The hub does not take this token"


class OtherHubFingerprint(Conflict):
    code = "other-fingerprint"
    title = "The fingerprint is another key's"


def connect(portal: Portal, caller: Caller, body: ConnectionCreate) -> ConnectionRead:
    """Make a first contact, tell the hub the organisation's key, and keep what it answers.

    Nothing else is sent before a person has compared the hub's fingerprint (`confirm`).

    Raises HubAddressRefused, HubUnreachable, TokenNotUsable.
    """
    url, token = body.url.rstrip("/"), body.token.get_secret_value()
    with portal.database.reading() as session:
        organisation = OrganisationRepository(session).load(caller.organisation_id)
        signer, _ = signer_of(session, portal.vault, organisation)
    try:
        with contact(portal, url, token, pinned=None) as (transport, hub):
            account = transport.read("/session", Account)
            if Permission.SHARE.value not in account.permissions:
                raise TokenNotUsable(
                    "It may not share releases there. Nothing was kept. Make a token of the role "
                    "Data steward at the hub."
                )
            tell_home_key(transport, signer, hub.public_key)
    except PortalError as error:
        if error.status is None or error.is_temporary:
            raise HubUnreachable(f"{error} Nothing was kept.") from error
        raise TokenNotUsable(f"The hub said: {error.detail} Nothing was kept here.") from error
    with portal.database.transaction() as session:
        connections = ConnectionRepository(session)
        row = connections.readable_by(caller).find_url(url)
        if row is None:
            row = connections.add(
                Connection(
                    organisation_id=caller.organisation_id,
                    name=body.name,
                    url=url,
                    sealed_token="",
                    there=account.organisation,
                    there_id=account.organisation_id,
                    hub_key=hub.public_key,
                )
            )
        elif row.there_id != account.organisation_id:
            raise TokenNotUsable(
                f"It is of another organisation at the hub than before ({row.there}). Nothing was "
                "changed. Make a token of that organisation, or remove this connection first."
            )
        elif row.hub_key != hub.public_key:
            row.confirmed_at, row.hub_key = None, hub.public_key
        row.name, row.there, row.version = body.name, account.organisation, hub.version
        row.sealed_token = portal.vault.seal(token.encode())
        row.seen_at, row.problem = utc_now(), None
        session.flush()
        record(session, caller, Action.CONNECTION_MADE, row.id, hub_key=row.hub_key)
        return read(session, row)[0]


def tell_home_key(transport: Transport, signer: Signer, hub_key: str) -> HomeKeyRead:
    """Name the organisation's key to the hub, signed with it. Raises PortalError."""
    envelope = Envelope.make(signer, Purpose.HOME_KEY, {"format": 1, "hub": hub_key})
    reply = transport.request("PUT", "/home-key", json=envelope.to_dict(), repeatable=True)
    return parse(HomeKeyRead, reply)


def confirm(session: Session, caller: Caller, connection_id: str, typed: str) -> Connection:
    """Send to this hub from now on. Raises ConnectionNotFound, OtherHubFingerprint."""
    row = ConnectionRepository(session).readable_by(caller).get(connection_id, lock=True)
    if "".join(typed.split()).lower() != fingerprint(row.hub_key):
        raise OtherHubFingerprint(
            "It is not that of the hub that answered. Nothing was confirmed. Ask the people who "
            "run the hub for its fingerprint once more, by another way than through this page; if "
            "it stays another one, somebody stands between you and the hub."
        )
    if row.confirmed_at is None:
        row.confirmed_at = utc_now()
        session.flush()
        record(session, caller, Action.CONNECTION_CONFIRMED, row.id, hub_key=row.hub_key)
    return row


def pause(session: Session, caller: Caller, connection_id: str, *, paused: bool) -> Connection:
    """Send nothing for now, or go on. Raises ConnectionNotFound."""
    row = ConnectionRepository(session).readable_by(caller).get(connection_id, lock=True)
    if paused != (row.paused_at is not None):
        row.paused_at = utc_now() if paused else None
        session.flush()
        action = Action.CONNECTION_PAUSED if paused else Action.CONNECTION_RESUMED
        record(session, caller, action, row.id)
    return row


def remove(session: Session, caller: Caller, connection_id: str) -> None:
    """Forget the hub and its token. What it shows it goes on showing.

    Raises ConnectionNotFound.
    """
    connections = ConnectionRepository(session)
    row = connections.readable_by(caller).get(connection_id, lock=True)
    record(session, caller, Action.CONNECTION_REMOVED, row.id, hub_key=row.hub_key)
    connections.delete(row.id)


def read(session: Session, *rows: Connection) -> list[ConnectionRead]:
    """Connections of one organisation, as it sees them."""
    if not rows:
        return []
    own = fingerprint(KeyRepository(session).present(rows[0].organisation_id).public_key)
    return [
        ConnectionRead.of(row, fingerprint=fingerprint(row.hub_key), own_fingerprint=own)
        for row in rows
    ]
