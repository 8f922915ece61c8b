"""Whether a worker may take work: not while the service is drained, nor beside other versions.

Portals say in the database which version they are. A worker compares itself with the newest that
lives; where none lives, the schema alone decides.
"""

from enum import StrEnum

from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.version import VERSION, is_older, minor_of, work_together
from app.maintenance.drain import drained_since
from app.maintenance.portals import living
from app.migrations import SchemaFit, fit_of, newest_revision


class Refusal(StrEnum):
    """Why a worker takes no work."""

    DRAINED = "drained"
    TOO_OLD = "too_old"
    """The portal is more than one minor version ahead of it."""
    TOO_NEW = "too_new"
    """The portal is more than one minor version behind it."""
    OLD_SCHEMA = "old_schema"
    NEW_SCHEMA = "new_schema"


def refusal(session: Session) -> Refusal | None:
    """Why this process takes no work now; None: it may. The schema fits."""
    if drained_since(session) is not None:
        return Refusal.DRAINED
    return refusal_of(VERSION, portal_version(session))


def refusal_at_start(database: Database) -> Refusal | None:
    """Like `refusal`, of a database with any schema."""
    fit = fit_of(database.engine)
    if fit == SchemaFit.OLDER:
        return Refusal.OLD_SCHEMA
    if fit == SchemaFit.NEWER:
        return Refusal.NEW_SCHEMA
    with database.reading() as session:
        return refusal(session)


def refusal_of(worker_version: str, portal: str | None) -> Refusal | None:
    """Why a worker of this version takes no work of such a portal."""
    if portal is None or work_together(worker_version, portal):
        return None
    return Refusal.TOO_OLD if is_older(worker_version, portal) else Refusal.TOO_NEW


def portal_version(session: Session) -> str | None:
    """Version of the newest portal that lives; None where none does."""
    versions = [portal.version for portal in living(session)]
    return max(versions, key=lambda found: minor_of(found) or (0, 0), default=None)


def explain(reason: Refusal, portal: str | None, own: str = VERSION) -> str:
    """Say why a worker takes no work, what was kept, and what to do."""
    match reason:
        case Refusal.DRAINED:
            return "The service is drained: jobs wait until `exchange drain --undo`."
        case Refusal.TOO_OLD:
            return (
                f"This worker is version {own} and the portal {portal}: update this worker. "
                "Versions work together that are one minor version apart. Jobs wait meanwhile."
            )
        case Refusal.TOO_NEW:
            return (
                f"This worker is version {own} and the portal {portal}: update the portal. "
                "Versions work together that are one minor version apart. Jobs wait meanwhile."
            )
        case Refusal.OLD_SCHEMA:
            return (
                f"The database does not have the schema {newest_revision()} of version {own} yet: "
                "run `exchange migrate`. This worker takes work as soon as it has."
            )
        case Refusal.NEW_SCHEMA:
            return (
                f"The database belongs to a version that {own} does not work with: update this "
                "worker. Jobs wait meanwhile."
            )
