"""Looks a portal over: what it lacks, what nobody needs, and what an administrator should know.

Nothing is changed unless it is asked for, and then only what is safe: modes of files, and objects
that no row owns.
"""

import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import column, inspect, select, table

from app.audit.chain import BrokenChain
from app.audit.verify import check
from app.backups.database import folder_keys, object_keys
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import Storage
from app.core.vault import PREVIOUS_SECRET_FILE, SECRET_FILE
from app.core.version import VERSION, work_together
from app.maintenance.workers import seen_workers
from app.migrations import (
    SchemaFit,
    explain_newer,
    fit_of,
    newest_revision,
    revision_of,
    version_of,
)
from app.organisations.repository import OrganisationRepository

LEAST_FREE = 0.05
"""Share of a disc that should be free, and at least a gigabyte."""
_GIGABYTE = 10**9
_SEEN = timedelta(minutes=1)
_SHOWN = 3
_OWNER = re.compile(r"[a-z-]+/([a-z]+_[0-9a-f]{8,})/")


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        code: Stable name.
        text: What it is, and what to do about it.
        mend: Does what is safe to do, and says what it did; None where a person has to decide.
    """

    code: str
    text: str
    mend: Callable[[], str] | None = None


def examine(settings: Settings, database: Database, storage: Storage) -> Iterator[Finding]:
    """Look for everything that can be seen from outside; nothing is changed.

    Args:
        settings: Of the portal.
        database: The portal's; it may be of another version's schema.
        storage: The portal's.
    """
    yield from _disc(settings.data_dir)
    yield from _modes(settings, database)
    yield from _rotation(settings.data_dir)
    if (found := _schema(database)) is not None:
        # The rows of another version cannot be read by the models of this one.
        yield found
        return
    yield from _workers(database)
    yield from _chains(database)
    yield from _objects(database, storage)


def _disc(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        return
    usage = shutil.disk_usage(folder)
    if usage.free < max(_GIGABYTE, LEAST_FREE * usage.total):
        yield Finding(
            "full-disc",
            f"The disc of {folder} has {usage.free / 1e9:.1f} of {usage.total / 1e9:.0f} GB left: "
            "delete datasets or distillations, or give it more room.",
        )


def _modes(settings: Settings, database: Database) -> Iterator[Finding]:
    wanted = {settings.data_dir: 0o700, settings.data_dir / SECRET_FILE: 0o600}
    if database.engine.dialect.name == "sqlite":
        wanted[Path(str(database.engine.url.database))] = 0o600
    for path, mode in wanted.items():
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(
                "wrong-mode",
                f"Others on this machine can open {path}.",
                partial(_set_mode, path, mode),
            )


def _rotation(folder: Path) -> Iterator[Finding]:
    if (folder / PREVIOUS_SECRET_FILE).exists():
        yield Finding(
            "unfinished-rotation",
            "A rotation of the secret key was interrupted, and both keys are kept: stop the "
            "service, and run exchange rotate-secret again.",
        )


def _set_mode(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"{path} is its owner's alone now."


def _schema(database: Database) -> Finding | None:
    match fit_of(database.engine):
        case SchemaFit.OLDER:
            found = revision_of(database.engine) or "none"
            return Finding(
                "old-schema",
                f"The database has the schema {found}, and this version needs "
                f"{newest_revision()}: run exchange migrate, after a backup. The rest was not "
                "looked at.",
            )
        case SchemaFit.NEWER:
            return Finding("new-schema", explain_newer(version_of(database.engine)))
    return None


def _workers(database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        alive = seen_workers(session, utc_now() - _SEEN)
    for worker in alive:
        if worker.version != VERSION:
            works = "" if work_together(worker.version, VERSION) else " It takes no work."
            yield Finding(
                "other-version",
                f"The worker {worker.id} runs version {worker.version}, and the portal {VERSION}: "
                f"update it and start it anew; a running step ends with a checkpoint.{works}",
            )


def _chains(database: Database) -> Iterator[Finding]:
    with database.reading() as session:
        for organisation_id in OrganisationRepository(session).ids():
            try:
                check(session, organisation_id)
            except BrokenChain as error:
                yield Finding(
                    "broken-log",
                    f"The log of {organisation_id} was changed: {error}. Compare it with an export "
                    "that was kept elsewhere (exchange audit verify --earlier).",
                )


def _objects(database: Database, storage: Storage) -> Iterator[Finding]:
    # Rows are read after the store: what came meanwhile has its row, and is no orphan.
    there = {info.key for info in storage.list("")}
    owners, named = _owners(database), object_keys(database)
    missing = sorted(named - there)
    # What was deleted between the two looks is missing for a moment.
    missing = [key for key in missing if not storage.exists(key)]
    missing += sorted(key for key in folder_keys(database) if not any(storage.list(key)))
    if missing:
        yield Finding(
            "missing-object",
            f"Rows name {len(missing)} objects that are not in the store: {_some(missing)}. "
            "Restore them from a backup, or retry the distillation that made them.",
        )
    orphans = sorted(
        key
        for key in there - named
        if (owner := _OWNER.match(key)) is not None and owner[1] not in owners
    )
    if orphans:
        yield Finding(
            "orphan",
            f"{len(orphans)} objects belong to no row: {_some(orphans)}.",
            partial(_delete, database, storage, orphans),
        )


def _delete(database: Database, storage: Storage, orphans: list[str]) -> str:
    owners = _owners(database)
    gone = [key for key in orphans if (owner := _OWNER.match(key)) and owner[1] not in owners]
    storage.delete(*gone)
    return f"Deleted {len(gone)} objects that no row owns."


def _owners(database: Database) -> set[str]:
    """Ids of every kind of row."""
    found: set[str] = set()
    inspector = inspect(database.engine)
    with database.reading() as session:
        for name in inspector.get_table_names():
            keys = inspector.get_pk_constraint(name)["constrained_columns"]
            if len(keys) == 1:
                ids: Any = session.scalars(select(column(keys[0])).select_from(table(name)))
                found |= {str(one) for one in ids}
    return found


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return ", ".join(keys[:_SHOWN]) + more
