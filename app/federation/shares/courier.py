"""Carries releases and withdrawals to hubs. Every portal runs one; one of them takes each share.

What cannot be carried is tried again, each time later. A hub that answers something final is
believed: the share says what it said. A portal that dies on the way leaves a share that another one
takes after a while, and a hub that has the half of a bundle asks for the rest.
"""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from app.audit.log import Action, record_by_portal
from app.background.periodic import PeriodicTask
from app.client.errors import PortalError
from app.client.transport import Transport, parse
from app.core.clock import utc_now
from app.core.errors import Problem, problem_dict
from app.core.outages import is_outage
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
FINAL = frozenset({"publication-refused", "release-id-taken"})
"""Answers to a publication that another try would not change."""
OWN_FAULT = problem_dict(
    code="internal-error",
    title="Something went wrong in the portal",
    status=500,
    detail="The release was not sent, and nothing was lost. It is tried again; the operator of "
    "this portal finds the reason in its log.",
)
SAYS_WITHDRAWN = problem_dict(
    code="publication-withdrawn",
    title="The hub says that the release was withdrawn",
    status=409,
    detail="It is shown there no longer. If nobody of your organisation withdrew it, ask the "
    "people who run the hub.",
)
_CODE = re.compile(r"[a-z0-9-]{1,60}")


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
    share: Share | None = None
    try:
        taken = _take(portal, connection_id)
        if taken is None:
            return True
        connection, share = taken
        with portal.database.reading() as session:
            organisation = OrganisationRepository(session).load(connection.organisation_id)
            signer, _ = signer_of(session, portal.vault, organisation)
        token = portal.vault.open(connection.sealed_token).decode()
        with contact(portal, connection.url, token, pinned=connection.hub_key) as (hub, found):
            tell_home_key(hub, signer, connection.hub_key)
            _note_contact(portal, connection_id, version=found.version)
            while share is not None and not is_stopping():
                _carry_one(portal, hub, signer, connection, share, is_stopping)
                # Again from the database: it may have been paused meanwhile.
                taken = _take(portal, connection_id)
                share = None if taken is None else taken[1]
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
    except Exception as error:
        # Of this share or hub; what goes to others goes on.
        if is_outage(error):
            raise
        logger.exception("connection %s: a share failed, and is tried again", connection_id)
        _put_off(portal, share, OWN_FAULT)
        return False
    return True


def _take(portal: Portal, connection_id: str) -> tuple[Connection, Share] | None:
    """The next share over a connection that is in use; None where there is none."""
    now = utc_now()
    with portal.database.transaction() as session:
        connection = ConnectionRepository(session).load(connection_id)
        if connection is None or connection.paused_at or not connection.confirmed_at:
            return None
        share = ShareRepository(session).take(connection_id, now, now + TAKEN_FOR)
        return None if share is None else (connection, share)


def _carry_one(
    portal: Portal,
    hub: Transport,
    signer: Signer,
    connection: Connection,
    share: Share,
    is_stopping: Callable[[], bool],
) -> None:
    """Raises PortalError where it did not arrive."""
    with portal.database.reading() as session:
        release = ReleaseRepository(session).load(share.release_id)
        supersedes = ReleaseRepository(session).superseded_by(release.id)
    if share.status == ShareStatus.WITHDRAWING:
        document = withdrawal(release, hub_key=connection.hub_key)
        envelope = Envelope.make(signer, Purpose.WITHDRAWAL, document)
        # No answer but "done" ends it: the hub keeps a withdrawal that overtakes its release.
        hub.request("POST", "/publications/withdraw", json=envelope.to_dict(), repeatable=True)
        _end(portal, share, ShareStatus.WITHDRAWN)
        return
    document = publication(release, hub_key=connection.hub_key, supersedes=supersedes)
    envelope = Envelope.make(signer, Purpose.PUBLICATION, document)
    try:
        found = _publish(portal, hub, envelope, release, is_stopping)
    except PortalError as error:
        if error.code not in FINAL:
            raise
        _end(portal, share, ShareStatus.REFUSED, _told(error))
        return
    if found.status == PublicationStatus.ACCEPTED:
        _end(portal, share, ShareStatus.SHARED)
    elif found.status == PublicationStatus.REFUSED:
        _end(portal, share, ShareStatus.REFUSED, _as_told(found.problem))
    elif found.status == PublicationStatus.WITHDRAWN:
        # Withdrawn here in the meantime, the next round says so; else the hub is wrong.
        _end(portal, share, ShareStatus.REFUSED, SAYS_WITHDRAWN)


def _publish(
    portal: Portal,
    hub: Transport,
    envelope: Envelope,
    release: Release,
    is_stopping: Callable[[], bool],
) -> PublicationRead:
    """Send the statement, and of the bundle what the hub has not. Raises PortalError."""
    sent = hub.request("POST", "/publications", json=envelope.to_dict(), repeatable=True)
    found = parse(PublicationRead, sent)
    bundle = b""
    asked: set[int] = set()
    while found.status == PublicationStatus.RECEIVING and not is_stopping():
        bundle = bundle or portal.storage.get(release.bundle_key)
        begins = found.received
        # At the end once more, with nothing: the hub died before it had looked through it.
        if begins in asked or not 0 <= begins <= len(bundle) or len(asked) > _most_parts(bundle):
            raise PortalError("The hub does not take the bundle: it asks for the same part again.")
        asked.add(begins)
        reply = hub.request(
            "PATCH",
            f"/publications/{release.id}/bundle",
            content=bundle[begins : begins + LARGEST_PART],
            headers={
                "Upload-Offset": str(begins),
                "Content-Type": "application/octet-stream",
            },
        )
        found = parse(PublicationRead, reply)
    return found


def _most_parts(bundle: bytes) -> int:
    """More than a hub ever asks for that lets parts have the size that they may have."""
    return 2 + len(bundle) // 1024


def _end(
    portal: Portal, share: Share, status: ShareStatus, problem: dict[str, object] | None = None
) -> None:
    """Note what became of it, in the organisation's log too, and tell who asked."""
    with portal.database.transaction() as session:
        row = ShareRepository(session).load(share.id, lock=True)
        if row is None or row.status not in (ShareStatus.WAITING, ShareStatus.WITHDRAWING):
            return
        if row.status == ShareStatus.WITHDRAWING and status == ShareStatus.REFUSED:
            return  # withdrawn here while it was carried: that is said in the next round
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
        tries = 0 if row is None else row.tries + 1
        if row is not None:
            row.tries, row.problem = tries, problem
            seconds: float = portal.settings.hub_seconds * 2 ** min(row.tries, 20)
            row.due_at = utc_now() + min(timedelta(seconds=seconds), LONGEST_PAUSE)
    # Neither address nor answer: both may hold what is nobody's business here.
    logger.warning("share %s is tried again (%d tries)", share.id, tries)


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
    code = error.code or ""
    return problem_dict(
        code=code if _CODE.fullmatch(code) else "hub-unreachable",
        title=_cut(error.title, 200) or "The hub does not answer as one",
        status=error.status or 502,
        detail=_cut(error.detail, 1000),
    )


def _as_told(problem: dict[str, Any] | None) -> dict[str, object]:
    """What a hub said of a bundle, of which nobody knows what it holds."""
    said = problem or {}
    return problem_dict(
        code="publication-refused",
        title="The hub does not show the release",
        status=422,
        detail=_cut(str(said.get("detail", "")), 1000) or "It gives no reason.",
    )


def _cut(text: str, most: int) -> str:
    """One line that can be stored and shown, whoever wrote it."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
