"""Tells owners of releases what was found about such sets later on."""

from sqlalchemy.orm import Session

from app.audit.log import Action, record_by_portal
from app.core.clock import utc_now
from app.core.db import Database
from app.core.security import Permission
from app.models.release import Release
from app.notifications.service import Notice, notify_organisation
from app.releases.repository import ReleaseRepository
from app.releases.service import WARNINGS

ADVICE = (
    "You can withdraw it, which tells those who have it, and distill the images again: new sets "
    "start from what shows no patient."
)


def warn_owners(database: Database) -> None:
    """Notify the owner of each release that was marked and nobody was told of; each once."""
    with database.reading() as session:
        release_ids = ReleaseRepository(session).with_untold_warning()
    for release_id in release_ids:
        with database.transaction() as session:
            release = ReleaseRepository(session).lock_untold(release_id)
            if release is not None:
                _warn(session, release)


def _warn(session: Session, release: Release) -> None:
    assert release.warning is not None, "only marked ones are found"
    release.warned_at = utc_now()
    session.flush()
    notify_organisation(
        session,
        release.organisation_id,
        Permission.SHARE,
        Notice(
            kind="release.warned",
            title=f"A release of yours tells who is in it: {release.title}",
            text=f"{WARNINGS[release.warning]} {ADVICE}",
            link=f"/releases/{release.id}",
            data={"release": release.id},
        ),
    )
    record_by_portal(
        session,
        release.organisation_id,
        Action.RELEASE_WARNED,
        release.id,
        warning=release.warning.value,
    )
