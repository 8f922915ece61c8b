"""Shares a number of bytes between threads, first come first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Bytes that may be in use at once; more than all of them are granted to one user alone."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def take(self, size: int) -> None:
        """Wait until `size` bytes are free, then use them.

        Raises:
            BudgetClosed: when the budget is closed meanwhile.
        """
        place = object()
        with self._changed:
            self._queue.append(place)
            self._changed.wait_for(
                lambda: self._closed or (self._queue[0] is place and self._fits(size))
            )
            self._queue.remove(place)
            self._changed.notify_all()
            if self._closed:
                raise BudgetClosed
            self._used += size

    def give_back(self, size: int) -> None:
        """Stop using `size` bytes."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Wake all who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Use `size` bytes within a ``with`` block."""
        self.take(size)
        try:
            yield
        finally:
            self.give_back(size)

    def _fits(self, size: int) -> bool:
        return self._used == 0 or self._used + size <= self._total


class BudgetClosed(Exception):  # noqa: N818 - it is no error, the work was called off
    """The pool was closed while someone waited."""
