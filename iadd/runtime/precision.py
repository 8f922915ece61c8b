"""TF32 while a call computes, and exactly then."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from iadd.config import Precision


@contextmanager
def computing_at(precision: Precision) -> Iterator[None]:
    """Let the GPU's libraries use TF32 within the block, or keep them from it.

    The setting belongs to the process and not to a layer, so what was there before comes back at
    the end. On a CPU, which knows no TF32, and for ``bfloat16``, which the layers round to
    themselves (:mod:`iadd.networks.layers`), the block computes in full float32.

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
