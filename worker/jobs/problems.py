"""From an exception to the problem that a person reads: what happened, what was kept, what to do.

Only messages that were written for people go in. Of any other exception the kind alone is told: its
text may hold anything, such as the name of a file in a hospital's archive. The traceback is in the
worker's log.
"""

from obstore.exceptions import BaseError as StorageError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import problem_dict
from app.core.types import JsonObject
from iadd.config import ConfigError
from iadd.data.selection import TooFewImagesError
from iadd.distillation.distill import DistillationDivergedError
from iadd.runtime.device import DeviceLostError
from iadd.runtime.oom import OutOfMemoryError, is_out_of_memory

TRANSIENT = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    StorageError,
    ConnectionError,
    TimeoutError,
)
"""Worth another try: the database is locked or restarting, the object store does not answer."""

DEVICE_LOST = (
    "The worker's GPU stopped answering. Nothing up to the last checkpoint is lost: another worker "
    "goes on from there."
)
"""The line in the log of a distillation that is handed to another worker."""


class WorkersLostError(RuntimeError):
    """Several workers in a row died over this row."""

    def __init__(self, times: int) -> None:
        super().__init__(f"{times} workers in a row died over this row")
        self.times = times


def problem_of(error: BaseException, *, doing: str, kept: str) -> JsonObject:
    """The RFC 9457 object of a failure.

    Args:
        error: What ended the work.
        doing: The work, as in "while {doing}".
        kept: A sentence that says what is not lost.
    """
    if isinstance(error, ConfigError | TooFewImagesError):
        return problem_dict(
            code="unfit-settings",
            title="These settings do not fit this dataset",
            status=422,
            detail=f"{error} {kept} Start a new distillation with other settings.",
        )
    if isinstance(error, DistillationDivergedError):
        return problem_dict(
            code="diverged",
            title="The distillation ran away",
            status=422,
            detail=f"{error} {kept} Start a new distillation with other settings: a retry of this "
            "one would end alike.",
        )
    if isinstance(error, OutOfMemoryError):
        return problem_dict(
            code="out-of-memory",
            title="The worker ran out of memory",
            status=507,
            detail=f"{error} {kept} Start a new distillation with other settings, or retry on a "
            "worker with more memory.",
        )
    if is_out_of_memory(error):
        return problem_dict(
            code="out-of-memory",
            title="The worker ran out of memory",
            status=507,
            detail=f"There was too little memory while {doing}. {kept} Start a new distillation "
            "with a smaller micro_batch_size, fewer images per class or a narrower network, or "
            "retry on a worker with more memory.",
        )
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return problem_dict(
            code="compilation-failed",
            title="A training step could not be compiled",
            status=500,
            detail=f"Compiling failed while {doing} ({type(error).__name__}). {kept} Start a new "
            "distillation with compilation set to never: the result differs by rounding alone; "
            "give the operator the id of this one: the worker's log tells more.",
        )
    if isinstance(error, DeviceLostError):
        return problem_dict(
            code="device-lost",
            title="The GPU was lost",
            status=500,
            detail=f"The GPU stopped answering again and again while {doing}, on each worker that "
            f"tried. {kept} Retry when the operator has seen to the GPUs, or on a worker without "
            "one: the work goes on from there.",
        )
    if isinstance(error, WorkersLostError):
        return problem_dict(
            code="worker-lost",
            title="The worker was lost again and again",
            status=500,
            detail=f"{error.times} workers in a row ended abruptly while {doing}, most often for "
            f"want of memory. {kept} Retry on a worker with more memory, or start a new "
            "distillation with smaller settings.",
        )
    if isinstance(error, FileNotFoundError):
        return problem_dict(
            code="objects-missing",
            title="Stored data is missing",
            status=410,
            detail=f"Something that is needed while {doing} is no longer stored: the dataset may "
            f"have been deleted. {kept} If the dataset still exists, retry; else upload it again.",
        )
    if isinstance(error, TRANSIENT):
        return problem_dict(
            code="storage-unavailable",
            title="The database or the object store did not answer",
            status=503,
            detail=f"Several tries failed while {doing} ({type(error).__name__}). {kept} "
            "Retry when the operator has seen to it; the work goes on from there.",
        )
    return problem_dict(
        code="unexpected-error",
        title="The work ended with an error",
        status=500,
        detail=f"An unexpected error ({type(error).__name__}) ended the work while {doing}. {kept} "
        "Retry; if it fails again, give the operator the id of this distillation: the worker's "
        "log tells more.",
    )
