"""Folders and ports that cannot be: one sentence that names them, and never a traceback."""

import logging
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from app.cli import app
from app.core.db import Database
from app.core.vault import Vault
from app.models import Dataset
from app.organisations import service as organisations
from app.standalone.service import EmbeddedError, EmbeddedService

ROOT = Path(__file__).parents[3]
IMPOSSIBLE = {"a file": "file", "below a file": "file/folder", "a file of the system": "/proc/x"}


COMMANDS = {
    "up": ["up", "--port", "0", "--data-dir"],
    "migrate": ["migrate", "--data-dir"],
    "admin": ["admin", "create-organisation", "Hospital", "--data-dir"],
    "demo": ["demo", "--data-dir"],
}


@pytest.fixture(autouse=True)
def process_as_before():
    """A command that would run on logs to its own terminal."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, **environment):
    """Run a command in this process, where an error that it does not explain is raised."""
    done = CliRunner().invoke(
        app, arguments, env={"COLUMNS": "200", **environment}, catch_exceptions=False
    )
    return done.exit_code, done.output


def run_process(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def expect_reason(done, named):
    code, said = done
    assert code in (1, 2), said
    assert "Traceback" not in said
    assert named in said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("where", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_folder_that_cannot_be_is_named(command, where):
    expect_reason(run(*command, where), where)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("where", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_so_is_one_of_the_environment(where):
    expect_reason(run("portal", EXCHANGE_DATA_DIR=where), where)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["up", "portal", "worker"])
def test_a_process_ends_without_a_traceback(command):
    expect_reason(run_process(command, EXCHANGE_DATA_DIR="file/folder"), "file/folder")


def test_a_database_that_is_none_is_named(folder):
    done = run("migrate", EXCHANGE_DATABASE_URL=f"sqlite:///{folder}/file")

    expect_reason(done, f"{folder}/file")
    assert (folder / "file").read_text() == "not a folder"


@pytest.mark.parametrize("port", ["70000", "-1", "many", "9" * 30])
@pytest.mark.parametrize("command", ["up", "portal"])
def test_a_port_that_cannot_be_is_named(folder, command, port):
    expect_reason(run(command, "--port", port), "--port")
    assert not (folder / "exchange-data").exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("port", ["70000", "many"])
def test_so_is_a_port_of_the_environment(port):
    expect_reason(run("portal", EXCHANGE_PORT=port), "EXCHANGE_PORT")


@pytest.mark.usefixtures("folder")
def test_a_descriptor_that_is_no_socket_is_named():
    expect_reason(run("portal", "--fd", "77777"), "77777")


def test_a_hospitals_data_is_not_served_as_a_hub(folder, migrated_sqlite):
    shutil.copy(migrated_sqlite, folder / "exchange.db")
    database = Database(f"sqlite:///{folder / 'exchange.db'}")
    with database.transaction() as session:
        organisation = organisations.create(session, Vault("k" * 40), "St. Anna")
        session.add(Dataset(organisation_id=organisation.id, name="chest"))
    database.close()
    place = {"EXCHANGE_DATA_DIR": str(folder), "EXCHANGE_ROLE": "hub"}
    expect_reason(run("portal", **place), "it holds datasets")


@pytest.mark.parametrize("role", ["satellite", ""])
def test_a_role_that_there_is_not_is_named(role):
    expect_reason(run("portal", EXCHANGE_ROLE=role), "EXCHANGE_ROLE")


def test_a_descriptor_is_served_as_the_socket_that_it_is(folder, monkeypatch):
    served = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets=None: served.extend(sockets))
    run("migrate")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        run("portal", "--fd", str(os.dup(listening.fileno())))
        # Taken for another kind, it would send each reply 40 ms late.
        assert [(one.family, one.getsockname()) for one in served] == [
            (socket.AF_INET, listening.getsockname())
        ]
    served[0].close()


@pytest.mark.parametrize("port", [70000, -1])
def test_a_service_tells_its_program_why_it_cannot_start(tmp_path, port):
    with pytest.raises(EmbeddedError, match=str(port)), EmbeddedService(tmp_path, port):
        pass
