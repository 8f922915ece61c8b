"""Progress reports of long calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a long call.

    Attributes:
        phase: ``reading``, ``teaching``, ``distilling``, ``evaluating`` or ``training``.
        done: Units finished so far, 0 to ``total``.
        total: Units in all, at least 1.
        unit: Name of the units, in the plural: ``epochs``, ``iterations``, ``networks``.
        metrics: Numbers to plot, by name. Empty when there is nothing new.
        message: One line for the log, or None.
    """

    phase: str
    done: int
    total: int
    unit: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None


ProgressListener = Callable[[Progress], None]
"""Called from the computing thread. An exception that it raises stops the run and leaves the last
checkpoint valid; jobs are cancelled in this way."""


def ignore_progress(_: Progress) -> None:
    """Ignore a report."""


class ProgressCounter:
    """Counts the finished epochs of single networks as the progress of all.

    Args:
        listener: Called with each report, if given.
        total: Epochs of all networks together.
        phase: Phase of the reports.
    """

    def __init__(
        self, listener: ProgressListener | None, total: int, *, phase: str = "evaluating"
    ) -> None:
        self._listener = listener or ignore_progress
        self._done, self._total, self._phase = 0, total, phase
        self._message: str | None = None

    def __call__(self) -> None:
        """Count one epoch of one network."""
        self._done += 1
        message, self._message = self._message, None
        self._listener(
            Progress(
                phase=self._phase,
                done=self._done,
                total=self._total,
                unit="epochs",
                message=message,
            )
        )

    def expect(self, more: int) -> None:
        """Add epochs that were not foreseen to the total."""
        self._total += more

    def log(self, message: str) -> None:
        """Emit a line with the next report."""
        self._message = message
