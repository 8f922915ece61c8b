"""Runs a worker that kills its broker when a task has ended, before the message is acknowledged.

`BROKER_PID=4711 python broker_loss_worker.py …`
"""

import os
import signal
from pathlib import Path

from app.core.queue import Task
from worker import tasks, turns
from worker.__main__ import main


def lose_broker(dataset_id: str) -> bool:
    ended = tasks.check_dataset(dataset_id)
    pid = os.environ.get("BROKER_PID")
    if ended and pid is not None and Path(f"/proc/{pid}").exists():
        os.kill(int(pid), signal.SIGKILL)
    return ended


if __name__ == "__main__":
    turns.handles(Task.CHECK_DATASET)(lose_broker)
    main()
