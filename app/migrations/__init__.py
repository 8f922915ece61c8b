"""The schema's history, the call that brings a database up to date, and which schemas fit."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from app.core.version import VERSION, is_older, work_together
from app.models.service_state import ONLY, ServiceState

# Any number; it only has to be the same in every process that migrates.
ADVISORY_LOCK = 7_223_019


class SchemaFit(StrEnum):
    """How a database's schema fits this version."""

    CURRENT = "current"
    OLDER = "older"
    """`exchange migrate` brings it up to date; also a database that is still empty."""
    NEXT = "next"
    """The next version's, which leaves what this one needs."""
    NEWER = "newer"
    """Of a version farther on."""

    @property
    def is_usable(self) -> bool:
        return self in (SchemaFit.CURRENT, SchemaFit.NEXT)


class SchemaTooNew(RuntimeError):  # noqa: N818 (its text says it all)
    """The database belongs to a version that this one cannot work with."""


def config_for(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def newest_revision() -> str:
    """Revision of this version's schema."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return ScriptDirectory.from_config(config).get_current_head() or ""


def revision_of(engine: Engine) -> str:
    """The revision of the schema; empty for an empty database."""
    with engine.connect() as connection:
        return _revision(connection)


def fit_of(engine: Engine) -> SchemaFit:
    """How the schema fits this version."""
    with engine.connect() as connection:
        return _fit(connection)


def upgrade(engine: Engine) -> None:
    """Apply what is missing. Several processes may do so at once: one works, the others wait.

    The schema of the next version is left as it is.

    Raises:
        SchemaTooNew: When the schema is of a version farther on; nothing was changed.
    """
    with _changeable(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        # On SQLite the transaction itself, BEGIN IMMEDIATE, is the lock.
        fit = _fit(connection)
        if fit == SchemaFit.NEWER:
            raise SchemaTooNew(explain_newer(_version_of(connection)))
        if fit != SchemaFit.OLDER:
            return
        config = config_for(engine)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _write_version(connection)
        if connection.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            assert broken is None, f"a migration left a row of {broken} that refers to nothing"


@contextmanager
def _changeable(engine: Engine) -> Iterator[Connection]:
    """A transaction in which SQLite rebuilds a table that others refer to.

    SQLite changes a column by making the table anew, and would take the rows that refer to the old
    one for orphans. It can be told not to look only before the transaction.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
        finally:
            if isinstance(driver, sqlite3.Connection):
                driver.execute("PRAGMA foreign_keys = ON")


def explain_newer(its_version: str) -> str:
    """Say that the schema is too new, and what to update."""
    whose = f"version {its_version}" if its_version else "a newer version"
    return (
        f"The database belongs to {whose}, and this is {VERSION}, which does not know its schema. "
        "Nothing was changed. Update this installation, or restore the backup that was made before "
        "the update."
    )


def version_of(engine: Engine) -> str:
    """The version that brought the schema to where it is; empty where none is noted."""
    with engine.connect() as connection:
        return _version_of(connection)


def _fit(connection: Connection) -> SchemaFit:
    found, newest = _revision(connection), newest_revision()
    if found == newest:
        return SchemaFit.CURRENT
    # Revisions are numbers, and each follows the one before.
    if found < newest:
        return SchemaFit.OLDER
    its_version = _version_of(connection)
    if is_older(VERSION, its_version) and work_together(VERSION, its_version):
        return SchemaFit.NEXT
    return SchemaFit.NEWER


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")) or "")


def _version_of(connection: Connection) -> str:
    if not inspect(connection).has_table(ServiceState.__tablename__):
        return ""
    return str(connection.scalar(text("SELECT version FROM service_state")) or "")


def _write_version(connection: Connection) -> None:
    values = {"id": ONLY, "version": VERSION}
    written = connection.execute(
        text("UPDATE service_state SET version = :version WHERE id = :id"), values
    )
    if written.rowcount == 0:
        connection.execute(
            text("INSERT INTO service_state (id, version) VALUES (:id, :version)"), values
        )
