"""Engine and sessions, the same for SQLite and PostgreSQL.

SQLite runs in WAL mode. A transaction that may write begins with BEGIN IMMEDIATE: with the
default deferred BEGIN two writers that both read first cannot both be upgraded, and one gets
"database is locked" at once, whatever the busy timeout says. A transaction that only reads
(`database.reading()`) stays deferred and never waits for a writer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker

from app.core.queue import MessageQueue, send_after_commit

BUSY_TIMEOUT_MS = 30_000


def make_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=40
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        parsed,
        # An error's text ends in a log, and the parameters are names that people chose.
        hide_parameters=True,
        pool_size=10,
        max_overflow=40,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _snapshot_options(engine: Engine) -> dict[str, str]:
    # PostgreSQL would otherwise show each statement what was committed before it, not before all.
    if engine.dialect.name == "postgresql":
        return {"isolation_level": "REPEATABLE READ"}
    return {}


class Database:
    """Sessions of one engine; what they enqueue goes to `queue` once they are committed.

    A process that forks makes its own after the fork (or calls `engine.dispose(close=False)`).
    """

    def __init__(self, url: str, queue: MessageQueue | None = None) -> None:
        self.engine = make_engine(url)
        info = {"queue": queue}
        self._writing = sessionmaker(self.engine, expire_on_commit=False, info=info)
        self._reading = sessionmaker(
            self.engine.execution_options(read_only=True, **_snapshot_options(self.engine)),
            expire_on_commit=False,
        )
        send_after_commit(self._writing)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end of the block, rolled back by an exception."""
        with self._writing.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """One snapshot to read from; nothing of it is ever committed."""
        with self._reading() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()
