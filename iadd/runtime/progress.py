"""What a long call tells while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a long call.

    Attributes:
        phase: ``reading``, ``teaching``, ``distilling``, ``evaluating`` or ``training``.
        done: Units finished so far, 0 to ``total``.
        total: Units in all, at least 1.
        unit: What is counted, in the plural: ``epochs``, ``iterations``, ``networks``.
        metrics: Numbers worth a plot, by name. Empty when there is nothing new.
        message: One line worth a log, or None.
    """

    phase: str
    done: int
    total: int
    unit: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None


ProgressListener = Callable[[Progress], None]
"""Called from the thread that works. An exception that it raises stops the run: whatever was
checkpointed by then stays valid, which is how a job is cancelled."""


def ignore_progress(_: Progress) -> None:
    """Listen to nothing."""


class Beat:
    """Turns the epochs of single networks, as they end, into progress of all.

    Args:
        listener: Whom to tell; nobody unless given.
        total: Epochs of all networks together.
        phase: What the networks are trained for.
    """

    def __init__(
        self, listener: ProgressListener | None, total: int, *, phase: str = "evaluating"
    ) -> None:
        self._listener = listener or ignore_progress
        self._done, self._total, self._phase = 0, total, phase
        self._message: str | None = None

    def __call__(self) -> None:
        """One network has ended one epoch."""
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

    def say(self, message: str) -> None:
        """Tell a line with the next report."""
        self._message = message
