"""Shares a release with a hub: the wish is kept here, and the courier carries it there."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller
from app.federation.connections.repository import ConnectionRepository
from app.federation.shares.repository import ShareRepository
from app.federation.shares.schemas import ShareRead
from app.models.connection import Connection
from app.models.release import ReleaseStatus
from app.models.share import Share, ShareStatus
from app.releases.repository import ReleaseRepository


class NotShareable(Conflict):
    code = "release-not-shareable"
    title = "This release cannot be shared"


class ConnectionNotConfirmed(Conflict):
    code = "connection-not-confirmed"
    title = "The hub's fingerprint was not compared yet"


def share(session: Session, caller: Caller, release_id: str, connection_id: str) -> ShareRead:
    """Have a release carried to a hub; asked again, a refused one is sent again.

    Raises ReleaseNotFound, ConnectionNotFound, NotShareable, ConnectionNotConfirmed.
    """
    release = ReleaseRepository(session).readable_by(caller).get_own(release_id, lock=True)
    connection = ConnectionRepository(session).readable_by(caller).get(connection_id)
    if release.distillation_id is None:
        raise NotShareable("It was published here from another portal. Share it from there.")
    if release.status != ReleaseStatus.PUBLISHED:
        raise NotShareable(
            f"It is {release.status.value}. Nothing was sent. Share the release that others "
            "should find."
        )
    if connection.confirmed_at is None:
        raise ConnectionNotConfirmed(
            "Nothing was sent. Have an admin compare the hub's fingerprint: Organisation, "
            "Connections."
        )
    shares = ShareRepository(session)
    row = shares.readable_by(caller).find(release.id, connection.id)
    if row is not None and row.status != ShareStatus.REFUSED:
        return read(row, connection)
    if row is None:
        row = Share(
            organisation_id=caller.organisation_id,
            release_id=release.id,
            connection_id=connection.id,
            asked_by=caller.name,
            due_at=utc_now(),
        )
        shares.add(row)
    row.status, row.due_at, row.tries, row.problem = ShareStatus.WAITING, utc_now(), 0, None
    session.flush()
    record(session, caller, Action.SHARE_ASKED, release.id, connection=connection.id)
    return read(row, connection)


def of_release(session: Session, caller: Caller, release_id: str) -> Sequence[ShareRead]:
    """Where a release of the caller's was shared. Raises ReleaseNotFound."""
    release = ReleaseRepository(session).readable_by(caller).get_own(release_id)
    rows = ShareRepository(session).readable_by(caller).of_release(release.id)
    return [read(row, connection) for row, connection in rows]


def read(row: Share, connection: Connection) -> ShareRead:
    return ShareRead.of(
        row, hub=connection.name, address=f"{connection.url}/releases/{row.release_id}"
    )
