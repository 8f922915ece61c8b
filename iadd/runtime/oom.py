"""Going on with half as much at once when memory runs out."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


class OutOfMemoryError(RuntimeError):
    """There was too little memory even for the smallest part. The message names the setting."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU.

    The CPU's allocator raises a plain RuntimeError, known by its text alone.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


class Halving:
    """How much is computed at once: as much as asked for, and half of it after running out.

    What was found to fit stays for the rest of the run, so that memory runs out once and not at
    each step.

    Args:
        size: How much at once to begin with: images or networks, at least 1.
        advice: What to change when even one is too much, a sentence for people.
        on_halved: Called with the new size, after each halving.
    """

    def __init__(
        self, size: int, *, advice: str, on_halved: Callable[[int], None] | None = None
    ) -> None:
        self.size = size
        self._advice, self._on_halved = advice, on_halved

    def run(self, work: Callable[[int], T]) -> T:
        """Call ``work(size)``; where memory runs out, free it, halve the size and call again.

        Args:
            work: Begins anew at each call: a try that failed has to leave nothing behind.

        Raises:
            OutOfMemoryError: When size 1 did not fit either.
        """
        while True:
            try:
                return work(self.size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error).splitlines()[0][:200]
            except MemoryError:
                failure = "the machine has no memory left"
            # Outside the handler: there the traceback still holds the tensors of the failed try.
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
