"""Backups of PostgreSQL and of objects on S3, restored into either kind of store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.backups.backup import OBJECTS, back_up, check_files
from app.backups.restore import restore
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import Storage
from tests.fixtures.database import all_rows, postgres_database
from tests.fixtures.portal import PortalHarness

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("here", "there"), [("s3", "folder"), ("folder", "s3"), ("s3", "s3")])
def test_rows_and_objects_come_back_in_either_store(
    portal_with: Callable[..., PortalHarness],
    postgres: str,
    s3_place: Callable[[], str],
    tmp_path: Path,
    here: str,
    there: str,
) -> None:
    place = {"s3": s3_place, "folder": lambda: (tmp_path / "elsewhere").as_uri()}
    portal = portal_with(
        database_url=postgres_database(postgres, "backed_up"), storage_url=place[here]()
    )
    portal.release()
    gone = portal.ready_dataset()
    folder = tmp_path / "backup"
    settings = portal.services.settings
    first = back_up(settings, portal.database, portal.storage, folder)

    # The second one copies what is new, whatever a store calls the versions of its objects.
    untouched = next(key for key in first.objects if gone not in key)
    before = (folder / OBJECTS / untouched).stat().st_mtime_ns
    portal.steward.delete(f"/datasets/{gone}")
    portal.storage.delete_folder(f"datasets/{gone}")
    large = bytes(range(256)) * 40_000  # in several parts, where a store has parts
    portal.storage.put(f"datasets/{portal.ready_dataset()}/large", large)
    second = back_up(settings, portal.database, portal.storage, folder)
    assert (folder / OBJECTS / untouched).stat().st_mtime_ns == before
    check_files(folder, second)

    elsewhere = Settings(
        _env_file=None,
        data_dir=tmp_path / "new",
        database_url=postgres_database(postgres, "restored"),
        storage_url=place[there](),
    )
    storage = Storage(elsewhere.storage_url)
    restored = restore(elsewhere, storage, folder)

    database = Database(elsewhere.database_url)
    assert all_rows(database) == all_rows(portal.database)
    database.close()
    assert (restored.chains, restored.broken) == (2, {})
    keys = {info.key for info in portal.storage.list("")}
    assert keys == {info.key for info in storage.list("")}
    assert not [key for key in keys if gone in key]
    assert all(storage.get(key) == portal.storage.get(key) for key in keys)
