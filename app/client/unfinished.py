"""Notes about unfinished uploads, in the user's state folder.

One small file for each, named by the portal and by what the archive is: its path, its size, when it
was changed, and a sum over its head and its tail. Another archive under the same name has another
note. No token is in it.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from app.client.signins import config_folder

FINGERPRINT_BYTES = 64 * 1024
KEPT_SECONDS = 60 * 24 * 3600.0
"""Longer than portals keep what has arrived."""


class Note(BaseModel):
    """The dataset of an archive, and its upload; None: no byte was sent yet."""

    model_config = ConfigDict(frozen=True)

    dataset_id: str
    upload_id: str | None = None


class Unfinished:
    """The note of one archive for one portal.

    Raises OSError where the archive cannot be read, or the folder not be written to.
    """

    def __init__(self, portal: str, archive: Path) -> None:
        folder = state_folder() / "uploads"
        self._path = folder / f"{_name(portal, archive)}.json"

    def find(self) -> Note | None:
        with contextlib.suppress(OSError, ValidationError):
            return Note.model_validate_json(self._path.read_bytes())
        return None

    def put(self, note: Note) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(self._path.parent)
        draft = self._path.with_suffix(f".{os.getpid()}")
        with draft.open("w") as file:
            json.dump(note.model_dump(), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def state_folder() -> Path:
    """`XDG_STATE_HOME` or ~/.local/state; elsewhere where the sign-ins are."""
    if platform.system() == "Linux":
        named = os.environ.get("XDG_STATE_HOME", "").strip()
        return (Path(named) if named else Path.home() / ".local" / "state") / "iadd-exchange"
    return config_folder()


def _name(portal: str, archive: Path) -> str:
    with archive.open("rb") as file:
        status = os.fstat(file.fileno())
        ends = hashlib.sha256(file.read(FINGERPRINT_BYTES))
        file.seek(max(0, status.st_size - FINGERPRINT_BYTES))
        ends.update(file.read(FINGERPRINT_BYTES))
    what = [portal, str(archive.resolve()), status.st_size, status.st_mtime_ns, ends.hexdigest()]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink()
