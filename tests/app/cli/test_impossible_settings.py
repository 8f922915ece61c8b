"""Folders and ports that cannot be: one sentence that names them, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.standalone.service import EmbeddedError, EmbeddedService

ROOT = Path(__file__).parents[3]
IMPOSSIBLE = {"a file": "file", "below a file": "file/folder", "a file of the system": "/proc/x"}


def run(folder, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    return tmp_path


def expect_reason(done, named):
    said = done.stdout + done.stderr
    assert done.returncode in (1, 2), said
    assert "Traceback" not in said
    assert named in said


@pytest.mark.parametrize("where", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
@pytest.mark.parametrize(
    "command",
    [
        ["up", "--port", "0", "--data-dir"],
        ["migrate", "--data-dir"],
        ["admin", "create-organisation", "Hospital", "--data-dir"],
        ["demo", "--data-dir"],
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_cannot_be_is_named(folder, command, where):
    expect_reason(run(folder, *command, where), where)


@pytest.mark.parametrize("command", ["portal", "worker"])
@pytest.mark.parametrize("where", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_so_is_one_of_the_environment(folder, command, where):
    expect_reason(run(folder, command, EXCHANGE_DATA_DIR=where), where)


def test_a_database_that_is_none_is_named(folder):
    done = run(folder, "migrate", EXCHANGE_DATABASE_URL=f"sqlite:///{folder}/file")

    expect_reason(done, f"{folder}/file")
    assert (folder / "file").read_text() == "not a folder"


@pytest.mark.parametrize("port", ["70000", "-1", "many", "9" * 30])
@pytest.mark.parametrize("command", ["up", "portal"])
def test_a_port_that_cannot_be_is_named(folder, command, port):
    expect_reason(run(folder, command, "--port", port), "--port")
    assert not (folder / "exchange-data").exists()


@pytest.mark.parametrize("port", ["70000", "many"])
def test_so_is_a_port_of_the_environment(folder, port):
    expect_reason(run(folder, "portal", EXCHANGE_PORT=port), "EXCHANGE_PORT")


def test_a_descriptor_that_is_no_socket_is_named(folder):
    expect_reason(run(folder, "portal", "--fd", "77"), "77")


@pytest.mark.parametrize("port", [70000, -1])
def test_a_service_tells_its_program_why_it_cannot_start(tmp_path, port):
    with pytest.raises(EmbeddedError, match=str(port)), EmbeddedService(tmp_path, port):
        pass
