"""Progress of an archive's check, in the dataset's row."""

from enum import StrEnum

from iadd.runtime.progress import Progress
from worker.jobs.lease import ClaimedRow
from worker.jobs.progress import Throttle


class CheckPhase(StrEnum):
    """Phases of a check, in this order; the first two are for some datasets only."""

    REMOVING = "removing"
    """Withdrawn files leave the archive."""
    DRAWING = "drawing"
    """The images of the sample cohort are drawn."""
    FETCHING = "fetching"
    """The archive comes from the object storage."""
    LISTING = "listing"
    """Names and tables are read, and how they are laid out."""
    READING = "reading"
    """Every picture in it is read."""
    COMPARING = "comparing"
    """Pictures are compared with each other, for near-duplicates."""
    STORING = "storing"
    """The images and the quality report are stored."""


class CheckProgress:
    """Begins phases, and listens to `iadd`; checks the row first, since that may end the check."""

    def __init__(self, claimed: ClaimedRow) -> None:
        self._claimed = claimed
        self._throttle = Throttle(1.0)
        self._phase = ""

    def begin(self, phase: CheckPhase) -> None:
        """Begin a phase of unknown length."""
        self._claimed.check()
        self._claimed.write(progress={"phase": phase.value})

    def __call__(self, progress: Progress) -> None:
        self._claimed.check()
        # A phase of its own begins at once, and ends at once.
        at_once = progress.phase != self._phase or progress.done >= progress.total
        self._phase = progress.phase
        if self._throttle.lets_through(at_once=at_once):
            self._claimed.write(
                progress={
                    "phase": CheckPhase(progress.phase).value,
                    "done": progress.done,
                    "total": progress.total,
                    "unit": progress.unit,
                }
            )
