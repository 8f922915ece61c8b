"""Start and stop of worker processes: Celery's signals, and the flags that end a worker.

A worker is a parent process that takes messages and a forked child that runs the tasks. The parent
never computes: a computation before the fork would leave the child with broken thread pools.
"""

import logging
import mmap
import os
import random
import signal
import socket
from typing import Any

from celery import bootsteps, signals

from app.core.log_context import add_to_every_line
from app.core.logging import configure_logging
from app.core.tracing import configure_tracing, end_tracing
from app.standalone.parent_death import die_with_parent
from worker import admission, liveness, registration
from worker.app import app, settings, worker_settings
from worker.services import clean_scratch, get_services
from worker.stand_in import is_gpu_served

logger = logging.getLogger(__name__)

_parent_pid = os.getpid()
# Shared with the forked children. A request to stop sets the first, a child that cannot go on sets
# the second, one that may take no more work the third.
_flags = mmap.mmap(-1, 3)
_STOPPING, _BROKEN, _WAITING = 0, 1, 2
_stop_requests = 0


def is_stopping() -> bool:
    """Return True once this worker was requested to stop; a long task leaves at its next step."""
    return _flags[_STOPPING] != 0


def request_stop() -> None:
    """End this worker from within its child: a long task leaves at its next step."""
    _flags[_STOPPING] = 1
    os.kill(_parent_pid, signal.SIGTERM)


def end_worker() -> None:
    """End this worker from within a task: its process is of no use for any other task.

    The task itself runs to its end. Whatever keeps the worker running starts a new one.
    """
    _flags[_BROKEN] = 1
    request_stop()


def is_broken() -> bool:
    """Return True when this worker ends because a task could not go on in it."""
    return _flags[_BROKEN] != 0


def wait_for_admission() -> None:
    """End this worker's work: it is given back, and the worker waits until it may work again."""
    if _flags[_WAITING]:
        return  # another child was faster
    _flags[_STOPPING] = _flags[_WAITING] = 1
    os.kill(_parent_pid, signal.SIGTERM)


def is_to_wait() -> bool:
    """Return True when this worker ended its work to wait for admission, and nobody stops it."""
    return _flags[_WAITING] != 0 and _stop_requests <= 1


def process_name() -> str:
    """Name the owner of a lease: host, process and a random part, so that no two are the same."""
    return f"{socket.gethostname()}:{os.getpid()}:{random.SystemRandom().getrandbits(32):08x}"


def _configure_logging(**_: Any) -> None:
    configure_logging(settings.log_level, settings.log_format)
    # Celery logs every message twice at INFO; the tasks log what they do themselves.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


def _request_stop(**_: Any) -> None:
    global _stop_requests
    _flags[_STOPPING] = 1
    _stop_requests += 1


def _prepare_parent(**_: Any) -> None:
    clean_scratch()


def _prepare_child(**_: Any) -> None:
    # Imports torch, which must find the folder of compiled steps that `worker.__main__` sets.
    from worker.device import is_there, memory_bytes, name_device, prepare_torch

    die_with_parent(_parent_pid)
    clean_scratch()  # of the child that this one replaces
    add_to_every_line(worker=registration.own_id())
    configure_tracing(settings, "worker")
    prepare_torch(worker_settings)
    if not is_there(worker_settings):
        end_worker()
    queues = registration.queues()
    database = get_services().database
    registration.begin(
        database,
        name_device(worker_settings, queues),
        memory_bytes=memory_bytes(worker_settings, queues),
        on_heartbeat=_leave_to_gpu if worker_settings.stand_in else lambda: None,
    )
    admission.watch(database, wait_for_admission)


def _leave_to_gpu() -> None:
    """End this stand-in where a worker with a GPU has come: its job goes on there."""
    if not is_stopping() and is_gpu_served(get_services().database):
        logger.info("a worker with a GPU has come; this one stops at its next step and stands by")
        request_stop()


def _leave_child(**_: Any) -> None:
    end_tracing()
    registration.end()


class MarkWhileTaking(bootsteps.StartStopStep):  # type: ignore[misc]
    """Renew the mark of a worker that takes messages, from the loop that takes them."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **options)

    def start(self, parent: Any) -> None:
        liveness.mark(liveness.TAKES)
        self._timer = parent.timer.call_repeatedly(
            liveness.RENEW_SECONDS, liveness.mark, (liveness.TAKES,)
        )

    def stop(self, parent: Any) -> None:
        """The connection is lost, or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()


app.steps["consumer"].add(MarkWhileTaking)
signals.setup_logging.connect(_configure_logging, weak=False)
signals.worker_init.connect(_prepare_parent, weak=False)
signals.worker_shutting_down.connect(_request_stop, weak=False)
signals.worker_process_init.connect(_prepare_child, weak=False)
signals.worker_process_shutdown.connect(_leave_child, weak=False)
