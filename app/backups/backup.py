"""Makes a backup of a portal that runs, into a folder; again into the same folder, of what is new.

The order makes it consistent. Objects never change under their key, so what is there is copied
first, then the database is read as of one moment, then objects that came meanwhile are copied.
An object that a row names and that went meanwhile shows that the row went too: then the database is
read again.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.backups import database as databases
from app.backups.manifest import NAME, BackupError, Kept, Manifest, kept_file
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import ObjectInfo, Storage
from app.core.vault import PREVIOUS_SECRET_FILE, SECRET_FILE
from app.core.version import VERSION
from app.migrations import revision_of

OBJECTS = "objects"
SECRETS = (SECRET_FILE, PREVIOUS_SECRET_FILE)
"""The second one is there while a rotation has not ended, and as needed then as the first."""
_ROUNDS = 3
_PARTS = ".part"

Listener = Callable[[str, int, int], object]
"""Told what is done, how many of it, and of how many."""


def back_up(
    settings: Settings,
    database: Database,
    storage: Storage,
    folder: Path,
    *,
    like: Path | None = None,
    on_progress: Listener = lambda *_: None,
) -> Manifest:
    """Copy database, objects and the secret key into a folder for the operator alone.

    Args:
        settings: Of the portal.
        database: The portal's.
        storage: The portal's.
        folder: New, or of an earlier backup of this portal: what has not changed is not copied
            again, and what was deleted since goes.
        like: Folder of another backup of this portal: objects that it has as they are now are
            linked from there, where the file system can, and copied where it cannot.
        on_progress: Called after each object.

    Returns:
        What the backup holds.

    Raises:
        BackupError: When the folder holds something else.
        OSError: When it cannot be written; the manifest of the earlier backup is gone then, since
            its files may be.
    """
    earlier = _prepare(folder)
    objects = {**({} if like is None else _linked(like, folder)), **earlier}
    _copy_new(storage, folder, objects, on_progress)
    # From here on the earlier backup is none any more: its database is overwritten.
    (folder / NAME).unlink(missing_ok=True)
    made_at, files, missing = utc_now(), [], set[str]()
    for _ in range(_ROUNDS):
        made_at = utc_now()
        files = databases.dump(database, folder)
        there = _copy_new(storage, folder, objects, on_progress)
        missing = databases.object_keys(database) - there
        if not missing - objects.keys():
            break
    kept = {key: objects[key] for key in objects.keys() & (there | databases.object_keys(database))}
    for key in objects.keys() - kept.keys():
        (folder / OBJECTS / key).unlink(missing_ok=True)
    files += _secrets(settings, folder)
    manifest = Manifest(
        made_at=made_at.isoformat(),
        version=VERSION,
        revision=revision_of(database.engine),
        database="sqlite" if database.engine.dialect.name == "sqlite" else "postgresql",
        files={str(path.relative_to(folder)): kept_file(path) for path in files},
        objects=dict(sorted(kept.items())),
        missing=tuple(sorted(missing - kept.keys())),
    )
    manifest.write(folder)
    return manifest


def _prepare(folder: Path) -> dict[str, Kept]:
    """Return the objects of an earlier backup in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    inside = {path.name for path in folder.iterdir()}
    if (folder / NAME).exists():
        return Manifest.read(folder).objects
    known = {OBJECTS, databases.SQLITE_FILE, databases.TABLES, *SECRETS, f"{NAME}{_PARTS}"}
    if inside - known:
        raise BackupError(
            f"{folder} holds {min(inside - known)}, which is no backup: name an empty folder, or "
            "that of an earlier backup. Nothing was written."
        )
    return {}


def _linked(like: Path, folder: Path) -> dict[str, Kept]:
    """Have the objects of another backup here too, and return them.

    Objects are never written in place, so what one folder replaces or deletes the other keeps.
    """
    try:
        objects = Manifest.read(like).objects
    except BackupError:
        return {}  # what is damaged there is copied here
    for key in objects:
        source, target = like / OBJECTS / key, folder / OBJECTS / key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            shutil.rmtree(folder / OBJECTS)
            return {}
    return objects


def _copy_new(
    storage: Storage, folder: Path, objects: dict[str, Kept], on_progress: Listener
) -> set[str]:
    """Copy what the folder does not have, add it to `objects`, and return what the store has."""
    listed = list(storage.list(""))
    for done, info in enumerate(listed, 1):
        known = objects.get(info.key)
        if known is None or not _is_there(folder, info, known):
            copied = _copy(storage, folder, info)
            if copied is not None:
                objects[info.key] = copied
        on_progress("objects", done, len(listed))
    return {info.key for info in listed}


def _is_there(folder: Path, info: ObjectInfo, known: Kept) -> bool:
    path = folder / OBJECTS / info.key
    same = (known.size, known.etag) == (info.size, info.etag)
    return same and path.exists() and path.stat().st_size == known.size


def _copy(storage: Storage, folder: Path, info: ObjectInfo) -> Kept | None:
    """None where it was deleted meanwhile."""
    path = folder / OBJECTS / info.key
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PARTS)
    try:
        storage.download(info.key, part)
    except FileNotFoundError:
        part.unlink(missing_ok=True)
        return None
    part.replace(path)
    return kept_file(path, etag=info.etag)


def _secrets(settings: Settings, folder: Path) -> list[Path]:
    """Copy the secret key that the portal made; one of the operator's own is the operator's."""
    copied = []
    for name in SECRETS:
        source, target = settings.data_dir / name, folder / name
        if settings.secret_key.get_secret_value() or not source.exists():
            target.unlink(missing_ok=True)
            continue
        shutil.copyfile(source, target)
        target.chmod(0o600)
        copied.append(target)
    return copied


def check_files(
    folder: Path, manifest: Manifest, *, on_progress: Listener = lambda *_: None
) -> None:
    """Compare every file of a backup with its hash.

    Raises:
        BackupError: When one is missing or damaged.
    """
    expected = {folder / name: kept for name, kept in manifest.files.items()}
    expected |= {folder / OBJECTS / key: kept for key, kept in manifest.objects.items()}
    for done, (path, kept) in enumerate(expected.items(), 1):
        if not path.is_file():
            raise BackupError(f"The backup is damaged: {path} is missing. Nothing was restored.")
        if replace(kept_file(path), etag=kept.etag) != kept:
            raise BackupError(
                f"The backup is damaged: {path} is not what was backed up. Nothing was restored."
            )
        on_progress("checked", done, len(expected))
