"""Makes backups by the clock: each in a folder named by its time, the newest ones kept.

One portal of several makes it, under a lease. A folder without a manifest is no backup: what a
killed portal left is removed by the next one, and the backups before stay as they are.
"""

import logging
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.background.periodic import Periodic, PeriodicTask
from app.backups.backup import back_up
from app.backups.manifest import NAME, BackupError, Manifest
from app.core import leases
from app.core.clock import utc_now
from app.core.leases import LeaseLost
from app.core.portal import Portal
from app.core.storage import StorageError
from app.models.scheduled_backup import ONLY, BackupStatus, ScheduledBackup

logger = logging.getLogger(__name__)

LEASE = leases.LONGEST
RENEW_SECONDS = 60.0
TRIED_AGAIN_AFTER = timedelta(hours=1)
"""After a failure, or sooner where backups are made more often."""
_STAMP = "%Y-%m-%dT%H-%M-%SZ"
_NAMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ")


class _Stopping(Exception):  # noqa: N818 (the portal ends, and it is no error)
    """The portal ends; the backup is made by the next one."""


def scheduled_backups(portal: Portal) -> Iterator[PeriodicTask]:
    """The periodic task, if the settings have one."""
    if portal.settings.backup_hours:
        yield PeriodicTask(
            name="backup",
            seconds=portal.settings.sweep_seconds,
            run=lambda stopping: back_up_if_due(portal, stopping),
            leave_seconds=10,
        )


def back_up_if_due(portal: Portal, stopping: threading.Event) -> None:
    """Make a backup when it is time and no other portal makes it."""
    with portal.database.transaction() as session:
        row = _row(session)
        if not _is_due(row, timedelta(hours=portal.settings.backup_hours)):
            return
        fence = leases.claim(
            session,
            ScheduledBackup,
            ONLY,
            statuses=tuple(BackupStatus),
            owner=socket.gethostname(),
            seconds=LEASE.total_seconds(),
        )
    if fence is None:
        return
    try:
        manifest = _make(portal, fence, stopping)
    except LeaseLost as lost:
        logger.warning("backup: %s", lost)
    except _Stopping:
        _end(portal, fence)
    except (BackupError, OSError, StorageError) as error:
        # Of the file system, or of the store; neither names a patient.
        logger.error("backup: failed, tried again later: %s", error)  # noqa: TRY400
        _end(
            portal,
            fence,
            status=BackupStatus.FAILED,
            tried_at=utc_now(),
            problem=str(error)[:1000],
        )
    except Exception as error:
        _end(
            portal,
            fence,
            status=BackupStatus.FAILED,
            tried_at=utc_now(),
            problem=f"{type(error).__name__}; the portal's log has more.",
        )
        raise
    else:
        logger.info("backup: made, %d objects", len(manifest.objects))
        _end(
            portal,
            fence,
            status=BackupStatus.MADE,
            tried_at=utc_now(),
            made_at=datetime.fromisoformat(manifest.made_at),
            size=manifest.size,
            problem=None,
        )


def backups_in(folder: Path) -> list[Path]:
    """Finished backups of a schedule, oldest first."""
    return [path for path in _folders(folder) if (path / NAME).exists()]


def _make(portal: Portal, fence: int, stopping: threading.Event) -> Manifest:
    root = portal.settings.backup_dir
    assert root is not None, "settings with hours have a folder"
    root.mkdir(parents=True, exist_ok=True)
    earlier = backups_in(root)
    for path in set(_folders(root)) - set(earlier):
        shutil.rmtree(path)
    lost = threading.Event()

    def renew(_: threading.Event) -> None:
        try:
            with portal.database.transaction() as session:
                leases.renew(
                    session, ScheduledBackup, ONLY, fence=fence, seconds=LEASE.total_seconds()
                )
        except LeaseLost:
            lost.set()

    def go_on(*_: object) -> None:
        if stopping.is_set() or lost.is_set():
            raise _Stopping

    folder = root / _name()
    heartbeat = PeriodicTask(name="backup lease", seconds=RENEW_SECONDS, run=renew)
    try:
        # A large object, or the database, takes longer than a lease.
        with Periodic(heartbeat):
            manifest = back_up(
                portal.settings,
                portal.database,
                portal.storage,
                folder,
                like=earlier[-1] if earlier else None,
                on_progress=go_on,
            )
    except BaseException:
        # On a full disc it would be in the way of the next one.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for path in [*earlier, folder][: -portal.settings.backup_keep]:
        shutil.rmtree(path)
    return manifest


def _name() -> str:
    return utc_now().strftime(_STAMP)


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and _NAMED.fullmatch(path.name))


def _is_due(row: ScheduledBackup, every: timedelta) -> bool:
    now = utc_now()
    if row.status == BackupStatus.FAILED and row.tried_at is not None:
        return not now - min(every, TRIED_AGAIN_AFTER) < row.tried_at <= now
    # What a clock that ahead of time wrote is as good as never.
    return row.made_at is None or not now - every < row.made_at <= now


def _row(session: Session) -> ScheduledBackup:
    row = session.get(ScheduledBackup, ONLY)
    if row is None:
        row = ScheduledBackup(id=ONLY)
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:  # another portal was faster
            row = session.get_one(ScheduledBackup, ONLY)
    return row


def _end(portal: Portal, fence: int, **values: object) -> None:
    try:
        with portal.database.transaction() as session:
            leases.release(session, ScheduledBackup, ONLY, fence=fence, **values)
    except LeaseLost as lost:
        logger.warning("backup: %s", lost)
