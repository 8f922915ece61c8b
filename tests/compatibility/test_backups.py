"""A backup of what version 0.1.0 wrote is restored under the version of today."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.core.db import Database
from app.migrations import config_for, revision_of


def exchange(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EXCHANGE_DATA_DIR": ""},
    )


@pytest.mark.slow
def test_a_backup_from_before_an_update_is_restored_after_it(
    unpack: Callable[[str], Path], tmp_path: Path
) -> None:
    old, folder, new = unpack("rows"), tmp_path / "backup", tmp_path / "new"
    before = revision_of(Database(f"sqlite:///{old / 'exchange.db'}").engine)

    made = exchange("backup", folder, "--data-dir", old)
    assert made.returncode == 0, made.stderr
    whole = exchange("backup", folder, "--check")
    assert "is whole" in whole.stdout
    restored = exchange("restore", folder, "--data-dir", new)

    assert "Start it as before" in restored.stdout, restored.stderr
    # The old place is as it was: a backup updates nothing.
    assert revision_of(Database(f"sqlite:///{old / 'exchange.db'}").engine) == before
    engine = Database(f"sqlite:///{new / 'exchange.db'}").engine
    assert revision_of(engine) == ScriptDirectory.from_config(config_for(engine)).get_current_head()
    assert "old-schema: " in exchange("doctor", "--data-dir", old).stdout
    assert "old-schema: " not in exchange("doctor", "--data-dir", new).stdout
    again = exchange("restore", folder, "--data-dir", new)
    assert again.returncode == 1
    assert "not empty" in again.stderr
    assert "Traceback" not in again.stderr
