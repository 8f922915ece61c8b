"""Carries releases and withdrawals to hubs. Every portal runs one; one of them takes each share.

What cannot be carried is tried again, each time later. A hub that answers something final is
believed: the share says what it said. A portal that dies on the way leaves a share that another one
takes after a while, and a hub that has the half of a bundle asks for the rest.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta

from app.audit.log import Action, record_by_portal
from app.background.periodic import PeriodicTask
from app.client.errors import PortalError
from app.client.transport import Transport
from app.core.clock import utc_now
from app.core.errors import Problem, problem_dict
from app.core.portal import Portal
from app.core.security import Permission
from app.federation.connections.hub import HubKeyChanged, contact
from app.federation.connections.repository import ConnectionRepository
from app.federation.connections.service import tell_home_key
from app.federation.publications.schemas import LARGEST_PART, PublicationRead
from app.federation.shares.documents import publication, withdrawal
from app.federation.shares.repository import ShareRepository
from app.models.audit_entry import Outcome
from app.models.connection import Connection
from app.models.publication import PublicationStatus
from app.models.release import Release
from app.models.share import Share, ShareStatus
from app.notifications.service import Notice, notify_organisation
from app.organisations.keys.service import signer_of
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository
from app.signing.envelope import Envelope
from app.signing.keys import Purpose
from app.signing.signature import Signer

logger = logging.getLogger(__name__)

TAKEN_FOR = timedelta(minutes=5)
"""A portal that has not carried it by then has died on the way."""
LONGEST_PAUSE = timedelta(minutes=10)
"""Between two tries. The first pause is two rounds, each further one twice as long."""
FINAL = frozenset({"publication-refused", "release-id-taken", "release-not-found"})
"""Answers of a hub that another try would not change."""


def courier(portal: Portal) -> Iterator[PeriodicTask]:
    """The periodic task. A hub sends nothing to anybody."""
    if not portal.settings.is_hub:
        yield PeriodicTask(
            name="courier",
            seconds=portal.settings.hub_seconds,
            run=lambda stopping: carry(portal, stopping.is_set),
            leave_seconds=10,
        )


def carry(portal: Portal, is_stopping: Callable[[], bool] = lambda: False) -> bool:
    """One round: everything that is due, hub by hub; whether all of it arrived."""
    with portal.database.transaction() as session:
        ShareRepository(session).note_withdrawn(utc_now())
    with portal.database.reading() as session:
        due = ConnectionRepository(session).with_due_shares(utc_now())
    arrived = True
    for connection_id in due:
        if is_stopping():
            break
        arrived &= _over(portal, connection_id, is_stopping)
    return arrived


def _over(portal: Portal, connection_id: str, is_stopping: Callable[[], bool]) -> bool:
    """Carry what is due over one connection, until something fails."""
    now = utc_now()
    with portal.database.transaction() as session:
        connection = ConnectionRepository(session).load(connection_id)
        share = ShareRepository(session).take(connection_id, now, now + TAKEN_FOR)
        if connection is None or share is None:
            return True
        organisation = OrganisationRepository(session).load(connection.organisation_id)
        signer, _ = signer_of(session, portal.vault, organisation)
    token = portal.vault.open(connection.sealed_token).decode()
    try:
        with contact(portal, connection.url, token, pinned=connection.hub_key) as (hub, found):
            tell_home_key(hub, signer, connection.hub_key)
            _note_contact(portal, connection_id, version=found.version)
            while share is not None:
                _carry_one(portal, hub, signer, connection, share)
                if is_stopping():
                    return True
                with portal.database.transaction() as session:
                    now = utc_now()
                    share = ShareRepository(session).take(connection_id, now, now + TAKEN_FOR)
    except Problem as problem:
        _note_contact(portal, connection_id, problem=problem.as_dict())
        if isinstance(problem, HubKeyChanged):
            _break(portal, connection_id, problem)
        _put_off(portal, share, problem.as_dict())
        return False
    except PortalError as error:
        told = _told(error)
        if error.status is None or error.is_temporary or error.status in (401, 403):
            _note_contact(portal, connection_id, problem=told)
        _put_off(portal, share, told)
        return False
    return True


def _carry_one(
    portal: Portal, hub: Transport, signer: Signer, connection: Connection, share: Share
) -> None:
    """Raises PortalError where it did not arrive."""
    with portal.database.reading() as session:
        release = ReleaseRepository(session).load(share.release_id)
        supersedes = ShareRepository(session).shared_before(
            ReleaseRepository(session).superseded_by(release.id), connection.id
        )
    try:
        if share.status == ShareStatus.WITHDRAWING:
            document = withdrawal(release, hub_key=connection.hub_key)
            envelope = Envelope.make(signer, Purpose.WITHDRAWAL, document)
            hub.request("POST", "/publications/withdraw", json=envelope.to_dict(), repeatable=True)
            _end(portal, share, ShareStatus.WITHDRAWN)
            return
        document = publication(release, hub_key=connection.hub_key, supersedes=supersedes)
        envelope = Envelope.make(signer, Purpose.PUBLICATION, document)
        found = _publish(portal, hub, envelope, release)
    except PortalError as error:
        if error.code not in FINAL:
            raise
        if share.status == ShareStatus.WITHDRAWING:  # it never was there
            _end(portal, share, ShareStatus.WITHDRAWN)
        else:
            _end(portal, share, ShareStatus.REFUSED, _told(error))
        return
    if found.status == PublicationStatus.ACCEPTED:
        _end(portal, share, ShareStatus.SHARED)
    else:
        _end(portal, share, ShareStatus.REFUSED, found.problem)


def _publish(
    portal: Portal, hub: Transport, envelope: Envelope, release: Release
) -> PublicationRead:
    """Send the statement, and of the bundle what the hub has not. Raises PortalError."""
    sent = hub.request("POST", "/publications", json=envelope.to_dict(), repeatable=True)
    found = PublicationRead.model_validate_json(sent.content)
    bundle = b""
    while found.status == PublicationStatus.RECEIVING:
        bundle = bundle or portal.storage.get(release.bundle_key)
        begins = found.received
        part = bundle[begins : begins + min(found.part, LARGEST_PART)]
        reply = hub.request(
            "PATCH",
            f"/publications/{release.id}/bundle",
            content=part,
            headers={
                "Upload-Offset": str(begins),
                "Content-Type": "application/octet-stream",
            },
        )
        found = PublicationRead.model_validate_json(reply.content)
        if found.status == PublicationStatus.RECEIVING and found.received <= begins:
            raise PortalError("The hub does not take the bundle: it asks for the same part again.")
    return found


def _end(
    portal: Portal, share: Share, status: ShareStatus, problem: dict[str, object] | None = None
) -> None:
    """Note what became of it, in the organisation's log too, and tell who asked."""
    with portal.database.transaction() as session:
        row = ShareRepository(session).load(share.id, lock=True)
        if row is None or row.status not in (ShareStatus.WAITING, ShareStatus.WITHDRAWING):
            return
        # Withdrawn here while it was carried: the hub is told in the next round.
        row.status = status
        row.problem, row.tries = problem, 0
        if status == ShareStatus.SHARED:
            row.shared_at = utc_now()
        action = {
            ShareStatus.SHARED: Action.SHARE_DONE,
            ShareStatus.WITHDRAWN: Action.SHARE_WITHDRAWN,
            ShareStatus.REFUSED: Action.SHARE_REFUSED,
        }[status]
        is_refused = status == ShareStatus.REFUSED
        record_by_portal(
            session,
            row.organisation_id,
            action,
            row.release_id,
            outcome=Outcome.REFUSED if is_refused else Outcome.DONE,
            connection=row.connection_id,
            **({"reason": str((problem or {}).get("detail", ""))} if is_refused else {}),
        )
        if is_refused:
            notify_organisation(
                session,
                row.organisation_id,
                Permission.SHARE,
                Notice(
                    kind="share.refused",
                    title="A hub does not show your release",
                    text=str((problem or {}).get("detail", "")),
                    link=f"/releases/{row.release_id}",
                    data={"release": row.release_id},
                ),
            )


def _put_off(portal: Portal, share: Share | None, problem: dict[str, object]) -> None:
    if share is None:
        return
    with portal.database.transaction() as session:
        row = ShareRepository(session).load(share.id, lock=True)
        if row is not None:
            row.tries, row.problem = row.tries + 1, problem
            seconds: float = portal.settings.hub_seconds * 2 ** min(row.tries, 20)
            row.due_at = utc_now() + min(timedelta(seconds=seconds), LONGEST_PAUSE)
    # Neither address nor answer: both may hold what is nobody's business here.
    logger.warning("share %s is tried again: %s", share.id, str(problem["type"]).split(":")[-1])


def _note_contact(
    portal: Portal,
    connection_id: str,
    *,
    version: str | None = None,
    problem: dict[str, object] | None = None,
) -> None:
    with portal.database.transaction() as session:
        row = ConnectionRepository(session).load(connection_id, lock=True)
        if row is None:
            return
        row.problem = problem
        if version is not None:
            row.seen_at, row.version = utc_now(), version


def _break(portal: Portal, connection_id: str, problem: HubKeyChanged) -> None:
    """Send nothing more there until a person has looked."""
    with portal.database.transaction() as session:
        row = ConnectionRepository(session).load(connection_id, lock=True)
        if row is None or row.confirmed_at is None:
            return
        row.confirmed_at = None
        record_by_portal(
            session,
            row.organisation_id,
            Action.CONNECTION_BROKEN,
            row.id,
            outcome=Outcome.REFUSED,
            hub_key=row.hub_key,
        )
        notify_organisation(
            session,
            row.organisation_id,
            Permission.MANAGE,
            Notice(
                kind="connection.broken",
                title=f"{row.name} has another key than before",
                text=problem.detail,
                link="/organisation/connections",
                data={"connection": row.id},
            ),
        )


def _told(error: PortalError) -> dict[str, object]:
    """What the hub said, or why it could not be asked, as a problem."""
    return problem_dict(
        code=error.code or "hub-unreachable",
        title=error.title or "The hub does not answer as one",
        status=error.status or 502,
        detail=error.detail,
    )
