"""Puts a backup into an empty place, brings its database up to date, and checks what came of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.audit.chain import BrokenChain
from app.audit.verify import check
from app.backups import database as databases
from app.backups.backup import OBJECTS, SECRETS, Listener, check_files
from app.backups.manifest import BackupError, Manifest
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import Storage
from app.core.vault import SECRET_FILE
from app.migrations import upgrade
from app.organisations.repository import OrganisationRepository


@dataclass(frozen=True)
class Restored:
    """What was put back.

    Attributes:
        manifest: Of the backup.
        chains: Organisations whose audit log is intact.
        broken: Organisations whose audit log is not, with the reason: it was so in the backup.
    """

    manifest: Manifest
    chains: int
    broken: dict[str, str]


def restore(
    settings: Settings,
    storage: Storage,
    folder: Path,
    *,
    on_progress: Listener = lambda *_: None,
) -> Restored:
    """Restore a backup of this version, or of an earlier one.

    Args:
        settings: Of the new portal, which does not run yet.
        storage: The new portal's, empty.
        folder: Of the backup.
        on_progress: Called after each file.

    Raises:
        BackupError: When the backup is damaged, or the place is not empty.
    """
    manifest = Manifest.read(folder)
    database = Database(settings.database_url)
    try:
        _refuse_unfit(settings, database, storage, manifest)
        check_files(folder, manifest, on_progress=on_progress)
        # The database comes last: without one there is no portal that lacks its objects.
        for done, (key, kept) in enumerate(manifest.objects.items(), 1):
            storage.put(key, folder / OBJECTS / key)
            if storage.info(key).size != kept.size:
                raise BackupError(f"The store did not keep {key} as it is: restore again.")
            on_progress("objects", done, len(manifest.objects))
        for name in SECRETS:
            if name in manifest.files:
                _put_secret(settings, folder, name)
        databases.load(database.engine, folder, manifest.revision)
        upgrade(database.engine)
        return _checked(database, manifest)
    finally:
        database.close()


def _refuse_unfit(
    settings: Settings, database: Database, storage: Storage, manifest: Manifest
) -> None:
    kind = "sqlite" if database.engine.dialect.name == "sqlite" else "postgresql"
    if kind != manifest.database:
        raise BackupError(
            f"The backup is of {manifest.database}, and this portal's database is {kind}: set "
            "EXCHANGE_DATABASE_URL to one of the same kind. Nothing was changed."
        )
    if not databases.is_empty(database.engine):
        raise BackupError(
            "The database is not empty: a backup is restored into an empty place, so that nothing "
            "is overwritten. Nothing was changed."
        )
    if next(storage.list(""), None) is not None:
        raise BackupError(
            "The object store is not empty: a backup is restored into an empty place. If an "
            "earlier try ended halfway, empty the store first. Nothing was changed."
        )
    if SECRET_FILE not in manifest.files and not settings.secret_key.get_secret_value():
        raise BackupError(
            "The portal that was backed up had its EXCHANGE_SECRET_KEY from its settings, and the "
            "backup does not hold it: set the same here. Without it no signing key can be opened. "
            "Nothing was changed."
        )


def _put_secret(settings: Settings, folder: Path, name: str) -> None:
    target = settings.data_dir / name
    if target.exists():
        raise BackupError(f"{target} is there already: a portal has run here. It was kept.")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write((folder / name).read_bytes())


def _checked(database: Database, manifest: Manifest) -> Restored:
    chains, broken = 0, {}
    with database.reading() as session:
        for organisation_id in OrganisationRepository(session).ids():
            try:
                check(session, organisation_id)
            except BrokenChain as error:
                broken[organisation_id] = str(error)
            else:
                chains += 1
    return Restored(manifest, chains, broken)
