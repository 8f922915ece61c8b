"""Errors that end a job, as problems for people: what happened, what was kept, what to do next.

Only messages that were written for people go in. Of any other exception the type alone is named:
its text may hold anything, such as the name of a file in a hospital's archive. The traceback is in
the worker's log.
"""

from collections.abc import Callable

from app.core.disc import is_disc_full
from app.core.errors import problem_dict
from app.core.outages import is_outage
from app.core.types import JsonObject
from iadd.config import ConfigError
from iadd.data.selection import TooFewImagesError
from iadd.distillation.distill import DistillationDivergedError
from iadd.dp.accountant import EpsilonUnreachableError
from iadd.privacy.proof import ProofVoidError
from iadd.runtime.device import DeviceLostError
from iadd.runtime.oom import OutOfMemoryError, is_out_of_memory
from iadd.runtime.seal import DamagedError
from iadd.trajectories.buffer import TrajectoryError

DEVICE_LOST = (
    "The worker's GPU stopped answering. Nothing up to the last checkpoint is lost: another worker "
    "goes on from there."
)
"""Log line of a distillation that another worker takes over."""


class WorkersLostError(RuntimeError):
    """Several workers in a row died over this row."""

    def __init__(self, times: int) -> None:
        super().__init__(f"{times} workers in a row died over this row")
        self.times = times


def _is(*types: type[BaseException]) -> Callable[[BaseException], bool]:
    return lambda error: isinstance(error, types)


def _is_from_compiler(error: BaseException) -> bool:
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


_PROBLEMS: tuple[tuple[Callable[[BaseException], bool], tuple[str, int, str], str], ...] = (
    (
        _is(ConfigError, TooFewImagesError, EpsilonUnreachableError),
        ("unfit-settings", 422, "These settings do not fit this dataset"),
        "{error} {kept} Start a new distillation with other settings.",
    ),
    (
        _is(ProofVoidError),
        ("no-proof", 409, "Nothing is proven of this set"),
        "{error} {kept} What its images say of patients is not bounded. Start a new distillation, "
        "and give the operator the id of this one.",
    ),
    (
        _is(DistillationDivergedError),
        ("diverged", 422, "The distillation diverged"),
        "{error} {kept} Start a new distillation with other settings: a retry of this one would "
        "diverge again.",
    ),
    (
        _is(OutOfMemoryError),
        ("out-of-memory", 507, "The worker ran out of memory"),
        "{error} {kept} Start a new distillation with other settings, or retry on a worker with "
        "more memory.",
    ),
    (
        is_out_of_memory,
        ("out-of-memory", 507, "The worker ran out of memory"),
        "There was too little memory while {doing}. {kept} Start a new distillation with a smaller "
        "micro_batch_size, fewer images per class or a narrower network, or retry on a worker with "
        "more memory.",
    ),
    (
        _is_from_compiler,
        ("compilation-failed", 500, "A training step could not be compiled"),
        "Compiling failed while {doing} ({type}). {kept} Start a new distillation with compilation "
        "set to never: the result differs by rounding alone. Give the operator the id of this one: "
        "the worker's log has the details.",
    ),
    (
        _is(DeviceLostError),
        ("device-lost", 500, "The GPU was lost"),
        "The GPU stopped answering again and again while {doing}, on each worker that tried. "
        "{kept} Retry when the operator has repaired the GPUs, or on a worker without one: the "
        "work goes on from there.",
    ),
    (
        _is(WorkersLostError),
        ("worker-lost", 500, "The worker was lost again and again"),
        "{error.times} workers in a row ended abruptly while {doing}, most often for lack of "
        "memory. {kept} Retry on a worker with more memory, or start a new distillation with "
        "smaller settings.",
    ),
    (
        _is(FileNotFoundError),
        ("objects-missing", 410, "Stored data is missing"),
        "Data that is needed while {doing} is no longer stored: the dataset may have been deleted. "
        "{kept} If the dataset still exists, retry: what can be made again is made again. "
        "Otherwise upload it again.",
    ),
    (
        _is(DamagedError, TrajectoryError),
        ("objects-damaged", 410, "Stored data is damaged"),
        "Data that is needed while {doing} is not as it was stored, and nothing was made of it. "
        "{kept} Retry: what can be made again is made again. If it fails again, upload the "
        "dataset as its next version.",
    ),
    (
        is_disc_full,
        ("disc-full", 507, "The disc is full"),
        "There was no room to store what was computed while {doing}. {kept} Ask the operator to "
        "make room, then retry: the work goes on from there.",
    ),
    (
        is_outage,
        ("storage-unavailable", 503, "The database or the object store did not answer"),
        "Several tries failed while {doing} ({type}). {kept} Retry when the operator has repaired "
        "it; the work goes on from there.",
    ),
    (
        _is(BaseException),
        ("unexpected-error", 500, "The work ended with an error"),
        "An unexpected error ({type}) ended the work while {doing}. {kept} Retry; if it fails "
        "again, give the operator the id of this job: the worker's log has the details.",
    ),
)
"""Rows of: matches, (code, status, title), detail as a format of `error`, `type`, `doing`, `kept`.

The first row that matches an error describes it.
"""


def problem_of(error: BaseException, *, doing: str, kept: str) -> JsonObject:
    """Describe a failure as an RFC 9457 object.

    Args:
        error: Error that ended the work.
        doing: The work, as in "while {doing}".
        kept: Sentence that says what is not lost.
    """
    (code, status, title), detail = next(row[1:] for row in _PROBLEMS if row[0](error))
    detail = detail.format(error=error, type=type(error).__name__, doing=doing, kept=kept)
    return problem_dict(code=code, title=title, status=status, detail=detail)
