"""A backup of a portal that runs, put back into an empty place."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.backups import database as databases
from app.backups.backup import OBJECTS, back_up, check_files
from app.backups.manifest import NAME, BackupError, Manifest
from app.backups.restore import Restored, restore
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import Storage
from app.core.vault import PREVIOUS_SECRET_FILE, SECRET_FILE, Vault, replace_kept_secret
from app.models import OrganisationKey
from tests.fixtures.database import all_rows
from tests.fixtures.portal import PortalHarness


@pytest.fixture
def elsewhere(tmp_path: Path, fresh_database: Callable[[str], str]) -> Settings:
    """Settings of a portal that never ran, of the same kind."""
    return Settings(
        _env_file=None, data_dir=tmp_path / "new", database_url=fresh_database("restored")
    )


def backed_up(portal: PortalHarness, folder: Path) -> Manifest:
    return back_up(portal.services.settings, portal.database, portal.storage, folder)


def put_back(folder: Path, settings: Settings) -> tuple[Restored, Database, Storage]:
    storage = Storage(settings.storage_url)
    return restore(settings, storage, folder), Database(settings.database_url), storage


def test_what_is_restored_is_what_was_there(
    portal: PortalHarness, tmp_path: Path, elsewhere: Settings
) -> None:
    portal.release()
    portal.ready_dataset()

    manifest = backed_up(portal, tmp_path / "backup")
    restored, database, storage = put_back(tmp_path / "backup", elsewhere)

    assert all_rows(database) == all_rows(portal.database)
    keys = [info.key for info in portal.storage.list("")]
    assert keys
    assert sorted(keys) == sorted(info.key for info in storage.list(""))
    assert all(storage.get(key) == portal.storage.get(key) for key in keys)
    assert (restored.chains, restored.broken) == (2, {})
    assert not set(manifest.missing) & set(keys)
    # The signing keys open with the secret that came along.
    with database.reading() as session:
        sealed = session.query(OrganisationKey).first().sealed_private_key
    assert Vault.of(elsewhere).open(sealed)
    assert (elsewhere.data_dir / SECRET_FILE).stat().st_mode & 0o777 == 0o600
    database.close()


def test_a_rotation_that_has_not_ended_is_backed_up_with_both_keys(
    portal: PortalHarness, tmp_path: Path, elsewhere: Settings
) -> None:
    before = portal.services.settings.data_dir
    made = portal.services.vault.seal(b"a private key")
    try:
        replace_kept_secret(before)
        backed_up(portal, tmp_path / "backup")
    finally:
        (before / PREVIOUS_SECRET_FILE).replace(before / SECRET_FILE)

    _, database, _ = put_back(tmp_path / "backup", elsewhere)

    assert Vault.of(elsewhere).open(made) == b"a private key"
    database.close()


def test_a_second_backup_copies_what_is_new_and_drops_what_was_deleted(
    portal: PortalHarness, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    kept, gone = portal.ready_dataset(), portal.ready_dataset()
    first = backed_up(portal, folder)
    untouched = next(key for key in first.objects if kept in key)
    before = (folder / OBJECTS / untouched).stat().st_mtime_ns
    assert portal.steward.delete(f"/datasets/{gone}").status_code == 204
    portal.storage.delete_folder(f"datasets/{gone}")
    added = portal.ready_dataset()

    second = backed_up(portal, folder)

    assert (folder / OBJECTS / untouched).stat().st_mtime_ns == before
    assert any(added in key for key in second.objects)
    left = [path for path in folder.rglob("*") if gone in str(path) and path.is_file()]
    assert left == []
    check_files(folder, second)


def test_rows_that_are_written_meanwhile_have_their_objects(
    portal: PortalHarness, tmp_path: Path, elsewhere: Settings
) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            dataset = portal.uploaded_dataset()
            portal.steward.delete(f"/datasets/{dataset}")
            portal.uploaded_dataset()

    portal.uploaded_dataset()
    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(3):
            backed_up(portal, tmp_path / "backup")
    finally:
        stop.set()
        worker.join()
    _, database, storage = put_back(tmp_path / "backup", elsewhere)

    there = {info.key for info in storage.list("")}
    assert databases.object_keys(database) <= there
    database.close()


@pytest.mark.parametrize("damage", ["flipped", "missing", "no manifest"])
def test_a_damaged_backup_is_not_restored(
    portal: PortalHarness, tmp_path: Path, elsewhere: Settings, damage: str
) -> None:
    folder = tmp_path / "backup"
    portal.ready_dataset()
    manifest = backed_up(portal, folder)
    victim = folder / OBJECTS / next(iter(manifest.objects))
    if damage == "flipped":
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    elif damage == "missing":
        victim.unlink()
    else:
        (folder / NAME).unlink()

    with pytest.raises(BackupError, match="Nothing was"):
        put_back(folder, elsewhere)

    assert databases.is_empty(Database(elsewhere.database_url).engine)
    assert not list(Storage(elsewhere.storage_url).list(""))


def test_nothing_is_overwritten(portal: PortalHarness, tmp_path: Path) -> None:
    portal.ready_dataset()
    backed_up(portal, tmp_path / "backup")
    rows = all_rows(portal.database)

    with pytest.raises(BackupError, match="not empty"):
        restore(portal.services.settings, portal.storage, tmp_path / "backup")

    assert all_rows(portal.database) == rows


def test_a_folder_of_something_else_is_no_backup(portal: PortalHarness, tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(BackupError, match=r"thesis\.odt, which is no backup"):
        backed_up(portal, tmp_path)


def test_the_folder_is_the_operators_alone(portal: PortalHarness, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    folder.mkdir(mode=0o755)
    backed_up(portal, folder)
    assert folder.stat().st_mode & 0o777 == 0o700
