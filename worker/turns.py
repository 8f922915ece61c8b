"""Which row a message's worker takes: `app.scheduling.turns` names it.

A message is worth one row of its queue, whichever. So there are as many messages as rows that wait,
and the order in which the broker keeps them decides nothing.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.core.db import Database
from app.core.outages import is_outage
from app.core.queue import Task
from app.scheduling import device_use
from app.scheduling.turns import is_waiting, next_turn
from worker.app import app
from worker.lifecycle import is_stopping
from worker.request import AcknowledgedRequest
from worker.services import get_services

logger = logging.getLogger(__name__)

Handler = Callable[[str], bool]
"""Works on the row of this id; False if it had nothing to do."""

_HANDLERS: dict[Task, Handler] = {}


def handles(task: Task) -> Callable[[Handler], Handler]:
    """Register a function as what works on the rows of this task."""

    def register(handler: Handler) -> Handler:
        _HANDLERS[task] = handler

        def on_message(row_id: str) -> None:
            take_turn(task, row_id)

        app.task(name=task.value, Request=AcknowledgedRequest)(on_message)
        return handler

    return register


def take_turn(task: Task, row_id: str) -> None:
    """Work on the row of the message's queue whose turn it is."""
    try:
        _take_turn(task, row_id)
    except Exception as error:
        if not is_outage(error):
            raise
        # The row waits as before: the sweeper sends it again.
        logger.warning("%s: its turn was not found: %s", row_id, type(error).__name__)


def _take_turn(task: Task, row_id: str) -> None:
    database = get_services().database
    with database.reading() as session:
        waits = is_waiting(session, task, row_id)
    # Its task may know more than the row's status says: that its teachers have ended, for one.
    if not waits and _HANDLERS[task](row_id):
        return
    tried: list[str] = []
    while not is_stopping():
        with database.reading() as session:
            turn = next_turn(session, task.queue, besides=tried)
        # A row that another worker took meanwhile is not worked on by this one.
        if turn is None or _HANDLERS[turn.task](turn.row_id):
            return
        tried.append(turn.row_id)


@contextmanager
def booking(database: Database, task: Task, row_id: str) -> Iterator[None]:
    """Book the time that the block takes for the row's organisation."""
    begun = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - begun
        try:
            with database.transaction() as session:
                device_use.book(session, task, row_id, seconds)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("%s: its time was not booked: %s", row_id, type(error).__name__)
