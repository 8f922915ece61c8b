"""Keeps a folder in object storage while a long computation works in it.

The library resumes from files that it wrote into a folder. A worker's folder dies with it, so the
files that changed are stored from time to time, and a list of them, last, under the row's lease.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from app.core.storage import Storage
from iadd.runtime.checkpoint import CheckpointTimer
from worker.jobs.checkpoints import Checkpoints


class FolderCheckpoint:
    """The files of a folder.

    Args:
        storage: Where the objects lie.
        lists: The checkpoint of the row, which is the list of files.
        prefix: Key prefix that belongs to the files alone.
        folder: The local folder.
        token: Makes the keys this worker's own.
        seconds: Between two checkpoints at least.
    """

    def __init__(
        self,
        storage: Storage,
        lists: Checkpoints,
        *,
        prefix: str,
        folder: Path,
        token: int,
        seconds: float,
    ) -> None:
        self._storage = storage
        self._lists = lists
        self._prefix = prefix
        self._folder = folder
        self._token = token
        self._count = 0
        self._timer = CheckpointTimer(seconds)
        self._stored: dict[str, tuple[str, tuple[int, int]]] = {}

    def restore(self) -> None:
        """Fetch the files of the last checkpoint, if there is one."""
        known: dict[str, str] = json.loads(self._lists.read() or b"{}")
        for name, key in known.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._storage.download(key, path)
            self._stored[name] = (key, _state(path))
        self._delete_others()

    def save_if_due(self) -> None:
        """Store what changed, once enough time has passed. Raises LeaseLost."""
        self._timer.run_if_due(self._save)

    def _save(self) -> None:
        stored = {}
        for name, path in self._files():
            before = self._stored.get(name)
            if before is not None and before[1] == _state(path):
                stored[name] = before
                continue
            key = f"{self._prefix}/{self._token:06d}-{self._count:06d}"
            self._count += 1
            self._storage.put(key, path)
            stored[name] = (key, _state(path))
        self._lists.write(json.dumps({name: key for name, (key, _) in stored.items()}).encode())
        self._stored = stored
        self._delete_others()

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self._folder.rglob("*")):
            if path.is_file():
                yield path.relative_to(self._folder).as_posix(), path

    def _delete_others(self) -> None:
        kept = {key for key, _ in self._stored.values()}
        stored = [info.key for info in self._storage.list(self._prefix)]
        self._storage.delete(*[key for key in stored if key not in kept])


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
