"""What a long call tells while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a long call.

    Attributes:
        phase: ``reading``, ``teaching``, ``distilling`` or ``evaluating``.
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
