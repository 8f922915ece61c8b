"""A row that this worker has claimed: its lease, its heartbeat, and the reasons to stop.

A long step computes for minutes without coming back here, so the heartbeat has a thread of its own.
It only sets flags. The step reads them where it reports its progress, in its own thread, and ends
by one of three exceptions:

- `LeaseLost`: another worker has the row, or it is deleted. Nothing may be written any more.
- `Cancelled`: somebody requested an end, or nobody waits for the result any more.
- `Interrupted`: this worker was requested to stop. The row waits for another one.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core import leases
from app.core.leases import LeaseLost
from worker import registration
from worker.lifecycle import is_stopping
from worker.services import Services

logger = logging.getLogger(__name__)


class Cancelled(Exception):  # noqa: N818 - it is an event, and no error
    """Nobody wants the result any more."""


class Interrupted(Exception):  # noqa: N818
    """The worker stops; the work goes on elsewhere."""


class ClaimedRow:
    """A row under the lease of this worker.

    Args:
        services: Services of this process.
        model: Table of the row.
        row_id: Its id.
        fencing_token: Number that the claim returned; each write names it, so that a worker that
            lost the row changes nothing.
        is_wanted: Read with each heartbeat; False leads to `Cancelled`.
    """

    def __init__(
        self,
        services: Services,
        model: type[Any],
        row_id: str,
        fencing_token: int,
        *,
        is_wanted: Callable[[Session], bool] = lambda session: True,
    ) -> None:
        self.row_id = row_id
        self.fencing_token = fencing_token
        self._services = services
        self._model = model
        self._is_wanted = is_wanted
        self._lost = threading.Event()
        self._unwanted = threading.Event()
        self._done = threading.Event()

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease for as long as the block runs."""
        thread = threading.Thread(
            # With the ids of its log.
            target=copy_context().run,
            args=(self._renew,),
            name=f"lease-{self.row_id}",
            daemon=True,
        )
        thread.start()
        try:
            with registration.working_on(self.row_id):
                yield
        finally:
            self._done.set()
            thread.join()

    def check(self) -> None:
        """Raise if the work must stop. Costs nothing: call it at every step."""
        if self._lost.is_set():
            raise LeaseLost(f"{self._model.__tablename__} {self.row_id}: lost while working on it")
        if self._unwanted.is_set():
            raise Cancelled
        if is_stopping():
            raise Interrupted

    def write(self, **values: Any) -> None:
        """Change the row in a transaction of its own. Raises LeaseLost."""
        with self._services.database.transaction() as session:
            leases.write(session, self._model, self.row_id, fence=self.fencing_token, **values)

    def _renew(self) -> None:
        settings = self._services.settings
        while not self._done.wait(settings.heartbeat_seconds):
            try:
                with self._services.database.transaction() as session:
                    leases.renew(
                        session,
                        self._model,
                        self.row_id,
                        fence=self.fencing_token,
                        seconds=settings.lease_seconds,
                    )
                    wanted = self._is_wanted(session)
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError as error:
                # The lease may run out meanwhile. If nobody took the row, the next heartbeat has
                # it back; if somebody did, the fencing token stops this worker.
                logger.warning("heartbeat of %s failed: %s", self.row_id, type(error).__name__)
            else:
                if not wanted:
                    self._unwanted.set()
