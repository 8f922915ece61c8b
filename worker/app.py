"""The Celery application of the workers, and what happens when their processes start and stop.

A worker is a parent process that takes messages and a forked child that runs the tasks. The parent
never computes: a computation before the fork would leave the child with broken thread pools.
"""

import logging
import mmap
import os
import random
import signal
import socket
from collections.abc import Callable
from typing import Any

from celery import signals

from app.core.logging import configure_logging
from app.core.queue import Task, celery_app
from app.core.settings import get_settings
from app.standalone.parent_death import die_with_parent
from worker import registration
from worker.settings import get_worker_settings

settings = get_settings()
worker_settings = get_worker_settings()

app = celery_app(settings)
app.conf.update(
    imports=("worker.tasks",),
    task_time_limit=worker_settings.task_limit_seconds,
    worker_hijack_root_logger=False,
    # A task whose broker went away runs on: its row, not its message, says what is to be done.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_max_retries=None,
)

_parent_pid = os.getpid()
# Shared with the forked children. The first is set when the worker is told to stop, the second by
# a child that cannot go on.
_flags = mmap.mmap(-1, 2)
_STOPPING, _BROKEN = 0, 1


def is_stopping() -> bool:
    """Whether this worker was told to stop; a long task then leaves at its next step."""
    return _flags[_STOPPING] != 0


def end_worker() -> None:
    """End this worker from within a task: its process is of no use for any other.

    The task itself is finished in peace. Whatever keeps the worker running starts a new one.
    """
    _flags[_STOPPING] = _flags[_BROKEN] = 1
    os.kill(_parent_pid, signal.SIGTERM)


def is_broken() -> bool:
    """Whether this worker ends because a task could not go on in it."""
    return _flags[_BROKEN] != 0


def process_name() -> str:
    """Who holds a lease: host, process and a random part, so that no two are ever the same."""
    return f"{socket.gethostname()}:{os.getpid()}:{random.SystemRandom().getrandbits(32):08x}"


def task(name: Task) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Register a function of one id as the task of this name."""

    def register(function: Callable[[str], None]) -> Callable[[str], None]:
        app.task(name=name.value)(function)
        return function

    return register


def _configure_logging(**_: Any) -> None:
    configure_logging(settings.log_level)
    # Celery tells of every message twice at INFO; the tasks say what they do themselves.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


def _stop_soon(**_: Any) -> None:
    _flags[_STOPPING] = 1


def _prepare_parent(**_: Any) -> None:
    from worker.services import clean_scratch  # needs this module

    clean_scratch()


def _prepare_child(**_: Any) -> None:
    from worker.device import is_there, name_device, prepare_torch  # torch is for the child alone
    from worker.services import get_services

    die_with_parent(_parent_pid)
    prepare_torch(worker_settings)
    if not is_there(worker_settings):
        end_worker()
    registration.begin(get_services().database, name_device(worker_settings, registration.queues()))


def _leave_child(**_: Any) -> None:
    registration.end()


signals.setup_logging.connect(_configure_logging, weak=False)
signals.worker_init.connect(_prepare_parent, weak=False)
signals.worker_shutting_down.connect(_stop_soon, weak=False)
signals.worker_process_init.connect(_prepare_child, weak=False)
signals.worker_process_shutdown.connect(_leave_child, weak=False)
