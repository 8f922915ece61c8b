"""Checks of what a portal needs, one at a time of each, shared by all who ask meanwhile.

A broker or a disc that hangs holds one thread, which is none of those that serve requests.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from anyio import CapacityLimiter, to_thread

logger = logging.getLogger(__name__)

CHECK_SECONDS = 3.0
"""What has not answered by then is as good as unreachable."""
MOST_CHECKS = 8


class Readiness:
    """The checks that run. Used from one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._threads: CapacityLimiter | None = None

    async def works(self, name: str, check: Callable[[], object]) -> bool:
        """Whether a check succeeds soon."""
        task = self._running.get(name)
        if task is None or task.done():
            task = self._running[name] = asyncio.create_task(self._run(name, check))
        await asyncio.wait({task}, timeout=CHECK_SECONDS)
        if not task.done():
            logger.warning("not ready: no answer of the %s within %g s", name, CHECK_SECONDS)
            return False
        return task.result()

    async def _run(self, name: str, check: Callable[[], object]) -> bool:
        if self._threads is None:
            self._threads = CapacityLimiter(MOST_CHECKS)
        work = partial(_works, name, check)
        return await to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)


def _works(name: str, check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 (whatever the driver raises, the answer is "no")
        logger.warning("not ready: %s: %s", name, error)
        return False
    return True
