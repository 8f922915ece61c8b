"""Detects a GPU that fails during a computation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from iadd.runtime.oom import is_out_of_memory

_TEXTS = (
    "No CUDA GPUs are available",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "Triton Error [CUDA]",
)
"""Messages by which the libraries on top of CUDA, which raise plain RuntimeErrors, report a lost
device."""


class DeviceLostError(RuntimeError):
    """The device stopped responding. The last checkpoint is valid; this process cannot continue."""


@contextmanager
def watching_device() -> Iterator[None]:
    """Turn the failure of an accelerator into a :class:`DeviceLostError`.

    After such a failure every later call to the device fails too: the process has to end, and
    another resumes from the checkpoint.

    Raises:
        DeviceLostError: For any error of the device within the block except a lack of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error) or not _is_device_error(error):
            raise
        reason = str(error).splitlines()[0][:200]
        raise DeviceLostError(
            f"The GPU stopped responding ({reason}). Everything up to the last checkpoint is kept. "
            "Start again: the run resumes from there; with device=cpu it resumes without the GPU."
        ) from error


def _is_device_error(error: RuntimeError) -> bool:
    return isinstance(error, torch.AcceleratorError) or any(text in str(error) for text in _TEXTS)
