"""Copies a database as it is at one moment, and puts the copy into an empty one.

SQLite is copied by its own backup call, page by page. PostgreSQL is read table by table in one
snapshot, in its own text format; the schema is made by the migrations.
"""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.util import CommandError
from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    column,
    delete,
    func,
    inspect,
    select,
    table,
)

from app.backups.manifest import BackupError
from app.core.db import Database
from app.migrations import config_for

SQLITE_FILE = "database.sqlite3"
TABLES = "tables"
_OBJECT = re.compile(r"[a-z-]+/[^:]*$")
_FOLDERS = ("read_key",)
"""Columns that name what several objects lie below."""
_VERSIONS = "alembic_version"


def dump(database: Database, folder: Path) -> list[Path]:
    """Copy all rows as of one moment, while others write.

    Args:
        database: The portal's.
        folder: Of the backup.

    Returns:
        The files, in `folder`.
    """
    if database.engine.dialect.name == "sqlite":
        target = folder / SQLITE_FILE
        target.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(str(database.engine.url.database))) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
            # A file of its own, without a log beside it that could be forgotten.
            copy.execute("PRAGMA journal_mode = DELETE")
        return [target]
    (folder / TABLES).mkdir(exist_ok=True)
    for old in (folder / TABLES).iterdir():
        old.unlink()
    files = []
    with database.reading() as session:
        connection = session.connection()
        for name, columns in _tables(connection):
            path = folder / TABLES / f"{name}.copy"
            with path.open("wb") as file, _cursor(connection) as cursor:
                file.write(json.dumps(columns).encode() + b"\n")
                with cursor.copy(f"COPY {_listed(name, columns)} TO STDOUT") as rows:
                    for block in rows:
                        file.write(block)
            files.append(path)
    return files


def is_empty(engine: Engine) -> bool:
    """Whether the database has no table at all; an SQLite file that is not there is not made."""
    if engine.dialect.name == "sqlite":
        path = Path(str(engine.url.database))
        if not path.exists() or path.stat().st_size == 0:
            return True
    return not inspect(engine).get_table_names()


def load(engine: Engine, folder: Path, revision: str) -> None:
    """Put a copy into an empty database, with the schema that it had.

    Args:
        engine: Of the empty database, of the kind that was copied.
        folder: Of the backup.
        revision: Of the copy's schema.

    Raises:
        BackupError: When this version does not know the schema: the backup is of a newer one.
    """
    if engine.dialect.name == "sqlite":
        target = Path(str(engine.url.database))
        target.parent.mkdir(parents=True, exist_ok=True)
        engine.dispose()
        with (
            closing(sqlite3.connect(folder / SQLITE_FILE)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
        target.chmod(0o600)
        return
    with engine.begin() as connection:
        config = config_for(engine)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise BackupError(
                f"The backup's database has the schema {revision}, which this version does not "
                "know: use the version that made the backup, or a newer one. Nothing was kept of "
                "what was read."
            ) from error
        for name, _ in _tables(connection):
            # What a migration puts into new tables, the copy has too.
            connection.execute(delete(table(name)))
        for name, _ in reversed(_tables(connection)):
            _load_table(connection, name, folder / TABLES / f"{name}.copy")


def object_keys(database: Database) -> set[str]:
    """Keys of stored objects that rows name, whatever the version of the schema."""
    # By convention: `images_key`, `bundle_key`, `object_key`. Others, such as `public_key`, hold
    # no path.
    return _named(database, lambda name: name.endswith("_key") and name not in _FOLDERS)


def folder_keys(database: Database) -> set[str]:
    """Key prefixes that rows name: some objects are below each."""
    return _named(database, _FOLDERS.__contains__)


def _named(database: Database, is_wanted: Callable[[str], bool]) -> set[str]:
    found: set[str] = set()
    inspector = inspect(database.engine)
    with database.reading() as session:
        for name in inspector.get_table_names():
            for one in inspector.get_columns(name):
                if is_wanted(one["name"]):
                    values: Any = session.scalars(
                        select(column(one["name"])).select_from(table(name)).distinct()
                    )
                    found |= {value for value in values if _OBJECT.match(str(value))}
    return found


def _tables(connection: Connection) -> list[tuple[str, list[str]]]:
    """Tables with their columns, those that others refer to last."""
    metadata = MetaData()
    metadata.reflect(connection)
    return [
        (found.name, [one.name for one in found.columns])
        for found in reversed(metadata.sorted_tables)
        if found.name != _VERSIONS
    ]


def _load_table(connection: Connection, name: str, path: Path) -> None:
    with path.open("rb") as file:
        columns = json.loads(file.readline())
        with (
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {_listed(name, columns)} FROM STDIN") as rows,
        ):
            while block := file.read(1 << 20):
                rows.write(block)
    for one in columns:
        sequence = connection.scalar(select(func.pg_get_serial_sequence(_quoted(name), one)))
        if sequence is not None:
            last = select(func.max(column(one))).select_from(table(name)).scalar_subquery()
            connection.execute(select(func.setval(sequence, func.coalesce(last, 0) + 1, False)))


def _listed(name: str, columns: list[str]) -> str:
    # Names come from the schema, or from a backup that its hashes vouch for.
    return f"{_quoted(name)} ({', '.join(map(_quoted, columns))})"


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection that is open has one"
    return driver.cursor()
