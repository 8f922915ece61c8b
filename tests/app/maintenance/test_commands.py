"""`exchange drain`, and what commands say of a database that is of another version."""

from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app.cli import app
from app.core.clock import utc_now
from app.core.db import Database
from app.core.version import VERSION
from app.maintenance.drain import drained_since
from app.models import WorkerProcess
from app.standalone.service import EmbeddedError, EmbeddedService
from tests.fixtures.database import migrate
from tests.fixtures.versions import minors_away


@pytest.fixture
def database(tmp_path: Path, migrated_sqlite: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'exchange.db'}")
    migrate(database, migrated_sqlite)
    tmp_path.chmod(0o700)
    return database


def exchange(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], env={"EXCHANGE_DATA_DIR": str(tmp_path)})


def make_schema(database: Database, revision: str, version: str = VERSION) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        session.execute(text("UPDATE service_state SET version = :it"), {"it": version})


def test_a_service_at_rest_is_drained_at_once_and_resumed(
    tmp_path: Path, database: Database
) -> None:
    done = exchange(tmp_path, "drain")
    assert done.exit_code == 0, done.output
    assert "Drained: nothing runs" in done.output
    with database.reading() as session:
        assert drained_since(session) is not None
    assert exchange(tmp_path, "drain", "--undo").output == "Workers take work again.\n"
    with database.reading() as session:
        assert drained_since(session) is None


def test_it_says_who_has_not_stopped_in_time(tmp_path: Path, database: Database) -> None:
    now = utc_now()
    worker = {"id": "node-1:7", "host": "node-1", "pid": 7, "queues": ["gpu"], "device": "cpu"}
    with database.transaction() as session:
        session.add(WorkerProcess(**worker, version=VERSION, started_at=now, seen_at=now))
    done = exchange(tmp_path, "drain", "--seconds", "0")
    assert done.exit_code == 1
    assert "running steps: 0, workers that have not stopped: 1" in done.output
    with database.transaction() as session:
        session.get_one(WorkerProcess, "node-1:7").refusal = "drained"
    assert exchange(tmp_path, "drain", "--seconds", "0").exit_code == 0


@pytest.mark.parametrize("command", ["portal", "drain", "migrate"])
def test_a_database_of_a_later_version_is_left_alone_in_plain_words(
    tmp_path: Path, database: Database, command: str
) -> None:
    make_schema(database, "9999", minors_away(+2))
    done = exchange(tmp_path, command)
    assert done.exit_code == 1
    assert f"The database belongs to version {minors_away(+2)}, and this is {VERSION}" in (
        done.output
    )
    assert "Traceback" not in done.output


def test_the_whole_service_says_the_same_at_its_start(tmp_path: Path, database: Database) -> None:
    make_schema(database, "9999", minors_away(+2))
    with (
        pytest.raises(EmbeddedError, match=f"belongs to version {minors_away(+2)}"),
        EmbeddedService(tmp_path),
    ):
        pass


def test_the_schema_of_the_next_version_is_left_as_it_is(
    tmp_path: Path, database: Database
) -> None:
    make_schema(database, "9999", minors_away(+1))
    done = exchange(tmp_path, "migrate")
    assert done.exit_code == 0
    assert f"the schema of version {minors_away(+1)}, the next one" in done.output


@pytest.mark.parametrize("command", ["portal", "drain"])
def test_a_database_that_is_not_migrated_yet_is_not_migrated_in_passing(
    tmp_path: Path, database: Database, command: str
) -> None:
    make_schema(database, "0001")
    done = exchange(tmp_path, command)
    assert done.exit_code == 1
    assert "Run `exchange migrate` first" in done.output
