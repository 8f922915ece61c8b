"""A message as the worker's parent handles it.

Celery logs an acknowledgement that the broker did not take, and goes on. With one message at a time
it then waits for ever: the message counts as one that is worked on, and no other is taken. Here the
lost connection is an error, and the parent connects anew.
"""

from typing import Any

from celery.worker.request import Request
from celery.worker.request import logger as celery_logger


class AcknowledgedRequest(Request):  # type: ignore[misc]
    """A request whose acknowledgement must reach the broker."""

    acknowledged: bool

    def acknowledge(self) -> None:
        """Acknowledge once. Raises what the lost connection raises."""
        if not self.acknowledged:
            swallowed: tuple[type[BaseException], ...] = ()
            on_ack: Any = self.on_ack
            on_ack(celery_logger, swallowed)
            self.acknowledged = True
