"""Nobody else on the machine reads what is stored, also where the folder was there before."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.core.private import NotPrivateError, private_folder
from app.core.storage import Storage

NOBODY = 65534


def others_may(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o077


def test_a_folder_that_was_there_is_closed(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)

    private_folder(folder)

    assert others_may(folder) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_folder_of_somebody_else_that_is_open_is_refused():
    # Not below pytest's folder, which nobody else can enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(NotPrivateError, match="chmod go="):
                private_folder(folder)
        finally:
            os.seteuid(0)
        assert others_may(folder) == 0o055


def test_what_commands_and_the_portal_write_is_private(tmp_path):
    """With the umask that most systems have, and a folder that was made by hand."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    environment = {**os.environ, "EXCHANGE_DATA_DIR": str(data)}
    store = "from pathlib import Path; import sys; from app.core.storage import Storage; "
    store += "from app.core.private import write_privately; write_privately(); "
    store += "Storage(Path(sys.argv[1]).as_uri()).put('datasets/ds_1/archive', b'patients')"
    old = os.umask(0o022)
    try:
        migrate = [sys.executable, "-P", "-m", "app.cli", "migrate"]
        subprocess.run(migrate, env=environment, check=True, capture_output=True)
        objects = str(data / "objects")
        subprocess.run([sys.executable, "-c", store, objects], env=environment, check=True)
    finally:
        os.umask(old)

    assert others_may(data) == 0
    assert others_may(data / "exchange.db") == 0
    assert others_may(data / "objects" / "datasets" / "ds_1" / "archive") == 0
    assert Storage((data / "objects").as_uri()).get("datasets/ds_1/archive") == b"patients"
