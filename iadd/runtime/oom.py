"""Halves the batch when memory runs out, and tries again."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


class OutOfMemoryError(RuntimeError):
    """Memory was too small even for the smallest part. The message names the setting to change."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the CPU.

    The CPU's allocator raises a plain RuntimeError, recognised by its text.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


class Halving:
    """Limits how much is computed at once: the given size, halved whenever memory runs out.

    A size that fits is kept for the rest of the run, so that memory runs out once and not at each
    step.

    Args:
        size: Number to start with: images or networks, at least 1.
        advice: Sentence for people that says what to change when even one is too much.
        on_halved: Called with the new size, after each halving.
    """

    def __init__(
        self, size: int, *, advice: str, on_halved: Callable[[int], None] | None = None
    ) -> None:
        self.size = size
        self._advice, self._on_halved = advice, on_halved

    def run(self, compute: Callable[[int], T]) -> T:
        """Call ``compute(size)``; when memory runs out, free it, halve the size and call again.

        Args:
            compute: Starts anew at each call: a failed call has to leave no effects.

        Raises:
            OutOfMemoryError: When size 1 did not fit either.
        """
        while True:
            try:
                return compute(self.size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error).splitlines()[0][:200]
            except MemoryError:
                failure = "the machine has no memory left"
            # Outside the handler, where the traceback would still hold the failed call's tensors.
            if self.size == 1:
                raise OutOfMemoryError(
                    f"There is too little memory even for one at a time ({failure}). {self._advice}"
                )
            self.size = (self.size + 1) // 2
            _free()
            if self._on_halved:
                self._on_halved(self.size)


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
