"""Runs a worker whose GPU goes away, as Torch reports it in the middle of a computation.

`LOSE_GPU_IN=distill LOSE_GPU_AFTER=3 python gpu_loss_worker.py …`
"""

import os
from collections.abc import Callable
from typing import Any

import torch

from iadd.runtime.progress import Progress, ProgressListener
from worker.__main__ import main
from worker.distillation import pipeline


def losing(function: Callable[..., Any], after: int) -> Callable[..., Any]:
    def compute(*arguments: Any, on_progress: ProgressListener, **options: Any) -> Any:
        def listen(progress: Progress) -> None:
            on_progress(progress)
            if progress.done >= after:
                raise torch.AcceleratorError("CUDA error: unspecified launch failure")

        if after == 0:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")
        return function(*arguments, on_progress=listen, **options)

    return compute


if __name__ == "__main__":
    name = os.environ["LOSE_GPU_IN"]
    after = int(os.environ["LOSE_GPU_AFTER"])
    setattr(pipeline, name, losing(getattr(pipeline, name), after))
    main()
