"""Backups by the clock: when, by whom, how many are kept, and what a failure leaves."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.backups import schedule
from app.backups.backup import OBJECTS, check_files
from app.backups.manifest import BackupError, Manifest
from app.backups.schedule import back_up_if_due, backups_in, scheduled_backups
from app.core import leases
from app.core.clock import utc_now
from app.core.portal import Portal
from app.core.settings import Settings
from app.models import BackupStatus, ScheduledBackup
from app.models.scheduled_backup import ONLY
from tests.fixtures.portal import PortalHarness


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def scheduled(portal: PortalHarness, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Portal:
    """The portal with a schedule, each backup in a second of its own."""
    seconds = iter(range(60))
    monkeypatch.setattr(schedule, "_name", lambda: f"2026-01-01T00-00-{next(seconds):02d}Z")
    changes = {"backup_dir": folder, "backup_hours": 24.0, "backup_keep": 2}
    services: Any = portal.services
    return Portal(**{**vars(services), "settings": services.settings.model_copy(update=changes)})


def run(portal: Portal) -> ScheduledBackup:
    back_up_if_due(portal, threading.Event())
    return row_of(portal)


def row_of(portal: Portal) -> ScheduledBackup:
    with portal.database.reading() as session:
        return session.get_one(ScheduledBackup, ONLY)


def make_due(portal: Portal) -> None:
    with portal.database.transaction() as session:
        row = session.get_one(ScheduledBackup, ONLY)
        row.made_at = row.tried_at = utc_now() - timedelta(days=2)


def test_none_is_made_unless_it_is_set(portal: PortalHarness) -> None:
    assert list(scheduled_backups(portal.services)) == []
    with pytest.raises(ValidationError, match="needs EXCHANGE_BACKUP_DIR"):
        Settings(_env_file=None, backup_hours=24)


def test_one_is_made_when_it_is_due_and_not_before(
    portal: PortalHarness, scheduled: Portal, folder: Path
) -> None:
    portal.ready_dataset()
    row = run(scheduled)
    [made] = backups_in(folder)
    check_files(made, manifest := Manifest.read(made))
    assert (row.status, row.problem, row.size) == (BackupStatus.MADE, None, manifest.size)
    assert row.lease_owner is None

    run(scheduled)
    assert backups_in(folder) == [made]


def test_the_newest_are_kept_and_share_what_has_not_changed(
    portal: PortalHarness, scheduled: Portal, folder: Path
) -> None:
    kept, gone = portal.ready_dataset(), portal.ready_dataset()
    run(scheduled)
    make_due(scheduled)
    portal.steward.delete(f"/datasets/{gone}")
    portal.storage.delete_folder(f"datasets/{gone}")
    run(scheduled)

    first, second = backups_in(folder)
    for made in (first, second):
        check_files(made, Manifest.read(made))
    image = f"{OBJECTS}/datasets/{kept}/images.safetensors"
    assert (first / image).samefile(second / image), "one copy on the disc"
    assert (first / OBJECTS / f"datasets/{gone}/images.safetensors").exists()
    assert not list((second / OBJECTS / f"datasets/{gone}").rglob("*.*"))

    make_due(scheduled)
    run(scheduled)
    assert backups_in(folder)[0] == second
    assert len(backups_in(folder)) == 2
    assert not first.exists()


def test_another_portal_that_makes_one_is_left_alone(scheduled: Portal, folder: Path) -> None:
    run(scheduled)
    make_due(scheduled)
    with scheduled.database.transaction() as session:
        assert leases.claim(
            session,
            ScheduledBackup,
            ONLY,
            statuses=tuple(BackupStatus),
            owner="another portal",
            seconds=60,
        )
    run(scheduled)
    assert len(backups_in(folder)) == 1


def test_a_failure_is_told_keeps_what_was_made_and_is_tried_again_within_the_hour(
    scheduled: Portal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_at = run(scheduled).made_at
    make_due(scheduled)

    def fail(*_: object, **__: object) -> None:
        raise BackupError("The disc of the backups is away.")

    with monkeypatch.context() as patch:
        patch.setattr(schedule, "back_up", fail)
        row = run(scheduled)
    assert (row.status, row.problem) == (BackupStatus.FAILED, "The disc of the backups is away.")
    assert row.made_at is not None
    assert row.made_at < made_at
    assert row.lease_owner is None
    assert len(backups_in(folder)) == 1

    run(scheduled)
    assert len(backups_in(folder)) == 1, "not at once"
    with scheduled.database.transaction() as session:
        session.get_one(ScheduledBackup, ONLY).tried_at = utc_now() - timedelta(hours=1.1)
    row = run(scheduled)
    assert (row.status, row.problem) == (BackupStatus.MADE, None)
    assert len(backups_in(folder)) == 2


def test_a_folder_that_cannot_be_written_is_a_failure(scheduled: Portal, folder: Path) -> None:
    folder.write_text("a file")
    row = run(scheduled)
    assert row.status == BackupStatus.FAILED
    assert str(folder) in row.problem


def test_what_a_killed_portal_left_is_removed_and_the_rest_of_the_folder_is_not(
    scheduled: Portal, folder: Path
) -> None:
    unfinished, other = folder / "2025-01-01T00-00-00Z", folder / "by-hand"
    for path in (unfinished, other):
        (path / OBJECTS).mkdir(parents=True)
    run(scheduled)
    assert not unfinished.exists()
    assert other.exists()


def test_a_portal_that_ends_leaves_it_to_the_next(
    portal: PortalHarness, scheduled: Portal, folder: Path
) -> None:
    portal.ready_dataset()
    stopping = threading.Event()
    stopping.set()
    back_up_if_due(scheduled, stopping)
    row = row_of(scheduled)
    assert (row.status, row.lease_owner) == (BackupStatus.NONE, None)
    assert backups_in(folder) == []
    assert list(folder.iterdir()) == [], "nothing is in the way of the next one"
    assert run(scheduled).status == BackupStatus.MADE
