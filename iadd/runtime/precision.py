"""Sets the precision of the GPU's libraries for the duration of a call."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from iadd.config import Precision


@contextmanager
def computing_at(precision: Precision) -> Iterator[None]:
    """Allow or forbid TF32 in the GPU's libraries within the block.

    The setting belongs to the process and not to a layer, so the former value is restored at the
    end. On a CPU, which has no TF32, and for ``bfloat16``, which the layers round to themselves
    (:mod:`iadd.networks.layers`), the block computes in full float32.

    Args:
        precision: ``config.compute.precision``.
    """
    matmul = torch.backends.cuda.matmul
    convolution = torch.backends.cudnn.conv  # type: ignore[attr-defined] # missing in the stubs
    before = matmul.fp32_precision, convolution.fp32_precision
    chosen = "tf32" if precision == "tf32" else "ieee"
    matmul.fp32_precision = convolution.fp32_precision = chosen
    try:
        yield
    finally:
        matmul.fp32_precision, convolution.fp32_precision = before
