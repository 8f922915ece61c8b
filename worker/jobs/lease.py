"""A row while this worker works on it: its lease, its heartbeat, and the reasons to stop.

A long step computes for minutes without coming back here, so the heartbeat has a thread of its own.
It only sets flags. The step learns of them where it reports its progress, in its own thread, by one
of three exceptions:

- `LeaseLost`: the row is another worker's, or deleted. Nothing may be written any more.
- `Cancelled`: somebody asked for an end, or nobody waits for the result any more.
- `Interrupted`: this worker is told to stop. The row waits for another one.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core import leases
from app.core.leases import LeaseLost
from worker import registration
from worker.app import is_stopping
from worker.services import Services

logger = logging.getLogger(__name__)


class Cancelled(Exception):  # noqa: N818 - it tells an event, and is no error
    """The work is not wanted any more."""


class Interrupted(Exception):  # noqa: N818
    """The worker stops; the work goes on elsewhere."""


class Hold:
    """A claimed row.

    Args:
        services: Of this process.
        model: Table of the row.
        row_id: Its id.
        fence: What the claim returned.
        is_wanted: Asked with each heartbeat; False leads to `Cancelled`.
    """

    def __init__(
        self,
        services: Services,
        model: type[Any],
        row_id: str,
        fence: int,
        *,
        is_wanted: Callable[[Session], bool] = lambda session: True,
    ) -> None:
        self.row_id = row_id
        self.fence = fence
        self._services = services
        self._model = model
        self._is_wanted = is_wanted
        self._lost = threading.Event()
        self._unwanted = threading.Event()
        self._done = threading.Event()

    @contextmanager
    def beating(self) -> Iterator[Self]:
        """Renew the lease for as long as the block runs."""
        thread = threading.Thread(target=self._beat, name=f"lease-{self.row_id}", daemon=True)
        thread.start()
        try:
            with registration.holding(self.row_id):
                yield self
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
            leases.write(session, self._model, self.row_id, fence=self.fence, **values)

    def _beat(self) -> None:
        settings = self._services.settings
        while not self._done.wait(settings.heartbeat_seconds):
            try:
                with self._services.database.transaction() as session:
                    leases.renew(
                        session,
                        self._model,
                        self.row_id,
                        fence=self.fence,
                        seconds=settings.lease_seconds,
                    )
                    wanted = self._is_wanted(session)
            except LeaseLost:
                self._lost.set()
                return
            except SQLAlchemyError as error:
                # The lease may run out meanwhile. If nobody took the row, the next beat has it
                # back; if somebody did, the fence says so.
                logger.warning("heartbeat of %s failed: %s", self.row_id, type(error).__name__)
            else:
                if not wanted:
                    self._unwanted.set()
