"""Checkpoints of a row in object storage.

Each is written under a key of its own, then the row is pointed at it, then the one before is
deleted. A worker that dies in between leaves a whole checkpoint in the row, old or new, and at most
one object that nobody points at; the next claim removes that.
"""

import logging

from app.core.leases import LeaseLost
from app.core.storage import Storage
from iadd.runtime.seal import DamagedError, expect_intact
from worker.jobs.lease import ClaimedRow

logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoint that a claimed row points at; an `iadd.runtime.checkpoint.CheckpointStore`.

    Args:
        storage: Where the objects lie.
        claimed: The row, which has the columns `column` and `takeovers`.
        folder: Key prefix that belongs to this row's checkpoints alone.
        key: What the row points at now.
        column: Name of that column.
    """

    def __init__(
        self,
        storage: Storage,
        claimed: ClaimedRow,
        *,
        folder: str,
        key: str | None,
        column: str = "checkpoint_key",
    ) -> None:
        self._storage = storage
        self._claimed = claimed
        self._folder = folder
        self._column = column
        self._count = 0
        self.key = key
        storage.delete(*[info.key for info in storage.list(folder) if info.key != key])

    def read(self) -> bytes | None:
        """The last checkpoint; None where there is none, or a damaged one: the work begins anew."""
        data = None if self.key is None else self._storage.find(self.key)
        if data is not None:
            try:
                expect_intact(data)
            except DamagedError:
                logger.warning("%s: its checkpoint is damaged", self._claimed.row_id)
                return None
        return data

    def write(self, data: bytes) -> None:
        """Store a checkpoint. Raises LeaseLost, and then leaves nothing behind."""
        self._claimed.check()
        before = self.key
        # The fencing token makes the key this worker's own, whoever else believes to have the row.
        key = f"{self._folder}/{self._claimed.fencing_token:06d}-{self._count:06d}"
        self._count += 1
        self._storage.put(key, data)
        try:
            self._claimed.write(**{self._column: key, "takeovers": 0})
        except LeaseLost:
            self._storage.delete(key)
            raise
        self.key = key
        if before is not None:
            self._storage.delete(before)
