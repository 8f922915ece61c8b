"""Unpacks what released versions left behind: `tests/compatibility/<version>/*.tar.xz`.

`rows`: a database with rows of every kind, and the objects that belong to them. `results`: the data
folder of a demonstration that ended. `library`: files that the library wrote by itself.
`in_flight`: the data folder of a service that was stopped in the middle of a job. They were made by
their version (`fill.py`) and are never made again.
"""

import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import JSON, Boolean, DateTime, MetaData, Table, text

from app.core.db import Database
from app.migrations import config_for, revision_of
from tests.fixtures.database import postgres_database

HERE = Path(__file__).parent
RELEASED = sorted(path.name for path in HERE.iterdir() if path.name[0].isdigit())
"""Versions that left something here."""
FIRST = "0.1.0"


@pytest.fixture
def unpack(tmp_path: Path) -> Callable[..., Path]:
    """`unpack("rows")` returns a copy that the test may change, of 0.1.0 unless it says other."""

    def unpack(name: str, version: str = FIRST) -> Path:
        with tarfile.open(HERE / version / f"{name}.tar.xz") as archive:
            archive.extractall(tmp_path, filter="data")
        folder = tmp_path / name
        shutil.copymode(tmp_path, folder)
        return folder

    return unpack


@pytest.fixture
def in_postgres(postgres: str) -> Callable[[Path], str]:
    """`in_postgres(folder)` puts the rows of its SQLite file into PostgreSQL, of that schema."""

    def copy(folder: Path) -> str:
        source = folder / "exchange.db"
        url = postgres_database(postgres, "released")
        database = Database(url)
        with database.engine.begin() as connection:
            config = config_for(database.engine)
            config.attributes["connection"] = connection
            command.upgrade(config, revision_of(Database(f"sqlite:///{source}").engine))
            # Rows of one table refer to each other: nothing is checked until all are there.
            connection.execute(text("SET session_replication_role = replica"))
            metadata = MetaData()
            metadata.reflect(connection)
            for table in metadata.sorted_tables:
                if table.name != "alembic_version" and (rows := _rows(source, table)):
                    connection.execute(table.delete())
                    connection.execute(table.insert(), rows)
        database.close()
        return url

    return copy


def _rows(source: Path, table: Table) -> list[dict[str, Any]]:
    """Rows of an SQLite file as PostgreSQL takes them."""
    with closing(sqlite3.connect(source)) as database:
        database.row_factory = sqlite3.Row
        return [
            {column.name: _value(row[column.name], column.type) for column in table.columns}
            for row in database.execute(f'SELECT * FROM "{table.name}"')
        ]


def _value(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(kind, Boolean):
        return bool(value)
    return json.loads(value) if isinstance(kind, JSON) else value
