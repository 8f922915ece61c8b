"""A GPU that goes away while it computes."""

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
"""How the libraries on top of CUDA, which raise plain RuntimeErrors, tell of a lost device."""


class DeviceLostError(RuntimeError):
    """The device stopped answering. The last checkpoint is valid; this process cannot go on."""


@contextmanager
def watching_device() -> Iterator[None]:
    """Turn the failure of an accelerator into a :class:`DeviceLostError`.

    After such a failure every later call to the device fails too, whatever it asks for: the
    process has to end, and another goes on from the checkpoint.

    Raises:
        DeviceLostError: For any error of the device within the block but a want of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error) or not _is_of_the_device(error):
            raise
        reason = str(error).splitlines()[0][:200]
        raise DeviceLostError(
            f"The GPU stopped answering ({reason}). Everything up to the last checkpoint is kept. "
            "Start again: the run goes on from there; with device=cpu it goes on without the GPU."
        ) from error


def _is_of_the_device(error: RuntimeError) -> bool:
    return isinstance(error, torch.AcceleratorError) or any(text in str(error) for text in _TEXTS)
