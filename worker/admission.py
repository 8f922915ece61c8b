"""Keeps this worker from work while the service is drained, or beside a version too far off.

Before it starts, a worker waits here until it may work. While it works a thread looks again, and
when the answer has changed the worker ends as if it were stopped: running steps are given back with
a checkpoint. Then it begins anew, and waits here.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from app.core.db import Database
from app.maintenance.admission import Refusal, explain, portal_version, refusal, refusal_at_start
from worker.liveness import STANDS_BY, mark, unmark
from worker.registration import HEARTBEAT_SECONDS, Registration

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


def wait_until_admitted(database_url: str, look_seconds: float = LOOK_SECONDS) -> None:
    """Return once this worker may take work; meanwhile say in the log and the database why not.

    Called before anything forks: no connection is left open.
    """
    database = Database(database_url)
    registration = Registration(database, device="")
    told, written_at = "", 0.0
    previous = signal.signal(signal.SIGTERM, _end)
    try:
        while True:
            try:
                reason = refusal_at_start(database)
                if reason is None:
                    return
                text = _explain(database, reason)
                mark(STANDS_BY)
                if time.monotonic() - written_at > HEARTBEAT_SECONDS or text != told:
                    written_at = time.monotonic()
                    registration.tell_refusal(reason)
            except SQLAlchemyError as error:
                text = f"The database does not answer ({type(error).__name__}): tried again."
            if text != told:
                logger.warning("waits: %s", text)
                told = text
            time.sleep(look_seconds)
    except KeyboardInterrupt:
        sys.exit(0)
    finally:
        unmark(STANDS_BY)
        if told:
            registration.remove()
        database.close()
        signal.signal(signal.SIGTERM, previous)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def watch(database: Database, leave: Callable[[], None]) -> None:
    """Call `leave` as soon as this worker may take no more work; looks in a thread of its own."""
    threading.Thread(target=_look, args=(database, leave), name="admission", daemon=True).start()


def _look(database: Database, leave: Callable[[], None]) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            with database.reading() as session:
                reason = refusal(session)
        except SQLAlchemyError as error:
            logger.warning("cannot see whether to work on: %s", type(error).__name__)
            continue
        if reason is not None:
            logger.warning("gives its work back: %s", _explain(database, reason))
            leave()
            return


def _explain(database: Database, reason: Refusal) -> str:
    if reason in (Refusal.OLD_SCHEMA, Refusal.NEW_SCHEMA):
        return explain(reason, None)
    with database.reading() as session:
        return explain(reason, portal_version(session))
