"""Problems of failures hold what the library wrote for people, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from obstore.exceptions import GenericError

from iadd.distillation.distill import DistillationDivergedError
from iadd.runtime.device import DeviceLostError
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.seal import DamagedError
from worker.jobs.problems import problem_of

KEPT = "The teachers are kept."


def compilation_error() -> Exception:
    from torch._dynamo.exc import TorchDynamoException  # takes seconds

    return TorchDynamoException("file")


@pytest.mark.parametrize(
    ("error", "code", "status", "said"),
    [
        (
            DistillationDivergedError("The matching loss became nan: lower lr_img."),
            *("diverged", 422, "The matching loss became nan: lower lr_img."),
        ),
        (
            OutOfMemoryError("Not even one at a time fits. Use a smaller width."),
            *("out-of-memory", 507, "Use a smaller width."),
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), "out-of-memory", 507, "micro_batch_size"),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"
            ),
            *("out-of-memory", 507, "micro_batch_size"),
        ),
        (compilation_error, "compilation-failed", 500, "compilation set to never"),
        (DeviceLostError("CUDA error 719"), "device-lost", 500, "The GPU stopped answering"),
        (OSError(28, "No space left", "smith.png"), "disc-full", 507, "make room"),
        (GenericError("smith.png: (os error 28)"), "disc-full", 507, "make room"),
        (GenericError("error sending request"), "storage-unavailable", 503, "Retry when"),
        (OSError(30, "Read-only file system", "smith.png"), "storage-unavailable", 503, "Retry"),
        (DamagedError("smith.png"), "objects-damaged", 410, "made again"),
        (FileNotFoundError(2, "smith.png"), "objects-missing", 410, "made again"),
        (RuntimeError("smith_john_1970.png"), "unexpected-error", 500, "(RuntimeError)"),
    ],
)
def test_a_problem_states_what_happened_what_is_kept_and_what_to_do(
    error: Exception | Callable[[], Exception], code: str, status: int, said: str
) -> None:
    if callable(error):
        error = error()
    problem = problem_of(error, doing="distilling", kept=KEPT)
    assert problem["type"].endswith(code)
    assert problem["status"] == status
    assert said in problem["detail"]
    assert KEPT in problem["detail"]
    assert "smith" not in problem["detail"]
