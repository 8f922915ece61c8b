"""How far the check of an archive is, told in the dataset's row."""

from enum import StrEnum

from iadd.runtime.progress import Progress
from worker.jobs.lease import Hold
from worker.jobs.progress import Throttle


class CheckPhase(StrEnum):
    """What a check does, in this order; the first two are for some datasets only."""

    REMOVING = "removing"
    """Files that were withdrawn leave the archive."""
    DRAWING = "drawing"
    """The images of the sample cohort."""
    FETCHING = "fetching"
    """The archive, from the object storage."""
    READING = "reading"
    """Every file in it."""
    STORING = "storing"
    """What was found."""


class CheckProgress:
    """Begins phases, and listens to `iadd`; asks the hold first, since that may end the check."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._throttle = Throttle(1.0)

    def begin(self, phase: CheckPhase) -> None:
        """A phase whose end nobody can tell before."""
        self._hold.check()
        self._hold.write(progress={"phase": phase.value})

    def __call__(self, progress: Progress) -> None:
        self._hold.check()
        if self._throttle.lets_through(at_once=progress.done >= progress.total):
            self._hold.write(
                progress={
                    "phase": CheckPhase.READING.value,
                    "done": progress.done,
                    "total": progress.total,
                    "unit": progress.unit,
                }
            )
