"""A second try, and a third, for what another moment may mend."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from iadd.runtime.device import watching_device
from worker.jobs.lease import Hold
from worker.jobs.problems import TRANSIENT

logger = logging.getLogger(__name__)

PAUSES = (1.0, 5.0, 15.0)
"""Seconds before each new try."""

T = TypeVar("T")


def patiently(action: Callable[[], T], hold: Hold) -> T:
    """Do it, and again after a transient error: the database locked, the object store silent.

    Raises:
        LeaseLost, Cancelled, Interrupted: Between two tries, when the row asks for it.
    """
    for pause in PAUSES:
        try:
            return action()
        except TRANSIENT as error:
            logger.warning("%s: %s, tried again in %g s", hold.row_id, type(error).__name__, pause)
        time.sleep(pause)
        hold.check()
    return action()


def carry_out(step: Callable[[], Callable[[], None]], hold: Hold) -> None:
    """Compute under a heartbeat, then write down what came of it; each patiently.

    Args:
        step: Computes and stores, and returns what writes the end into the row.
        hold: The row.

    Raises:
        LeaseLost, Cancelled, Interrupted: As the row or this process asks.
        DeviceLostError: When the GPU went away; nothing can be computed in this process any more.
    """
    hold.check()
    # The heartbeat ends before the row is given back: it would renew a lease nobody holds.
    with hold.beating(), watching_device():
        finish = patiently(step, hold)
    patiently(finish, hold)
