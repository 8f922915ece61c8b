"""Services of a task, such as database and storage; made once per process, after the fork."""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.core.db import Database
from app.core.queue import CeleryQueue
from app.core.settings import Settings
from app.core.storage import Storage
from worker.app import app, settings, worker_settings
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    settings: Settings
    worker_settings: WorkerSettings
    database: Database
    storage: Storage

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A private folder on the local disk, gone at the end of the block."""
        with tempfile.TemporaryDirectory(
            prefix=f"{os.getpid()}-", dir=scratch_root(), ignore_cleanup_errors=True
        ) as folder:
            yield Path(folder)


@lru_cache(maxsize=1)
def get_services() -> Services:
    return Services(
        settings=settings,
        worker_settings=worker_settings,
        database=Database(settings.database_url, CeleryQueue(app)),
        storage=Storage.of(settings),
    )


def scratch_root() -> Path:
    """Return the root of this host's scratch folders: process ids mean nothing on another host."""
    root = (worker_settings.scratch_dir or settings.data_dir / "scratch") / socket.gethostname()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def clean_scratch() -> None:
    """Remove the folders of killed processes: each is named after the process that made it."""
    for folder in scratch_root().iterdir():
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
