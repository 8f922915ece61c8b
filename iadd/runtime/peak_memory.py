"""Measures the peak memory of a block of code."""

import os
import resource
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

_STATM = Path("/proc/self/statm")
_INTERVAL = 0.005


class MemoryWatch:
    """Measures a block: ``before`` is bytes at its start, ``peak`` the maximum, set at its end.

    On a GPU the peak is that of all tensors. On a CPU it is the resident memory of the process,
    libraries included, sampled every 5 ms; where the system has no ``/proc``, the maximum over the
    life of the process.
    """

    def __init__(self, device: torch.device | str) -> None:
        self._device = torch.device(device)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.before = self.peak = 0

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(self._device)
            self.before = torch.cuda.memory_allocated(self._device)
        else:
            self.before = _resident()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._device.type == "cuda":
            self.peak = torch.cuda.max_memory_allocated(self._device)
        else:
            self._ended.set()
            self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(_INTERVAL):
            self.peak = max(self.peak, _resident())
        self.peak = max(self.peak, _resident())


def _resident() -> int:
    try:
        pages = int(_STATM.read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * os.sysconf("SC_PAGE_SIZE")
