"""Makes the memory allocator keep freed blocks for the next allocation."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_BLOCK = 1 << 30
_KEEP = 2**31 - 1


def reuse_freed_memory() -> bool:
    """Make glibc keep freed blocks of up to 1 GiB for the next allocation.

    By default it maps every block above 32 MiB anew and unmaps it when freed. One layer's
    activations at 112×112 are that large, so each step of a training loop pays page faults for
    every tensor: a ConvNetD5 of width 16 at batch 64 took 6.5 ms an image, and 2.8 ms with this
    (``python -m benchmarks.allocator``). The setting holds for the whole process, so programs call
    it once, at their start; the library itself never does.

    Returns:
        Whether the C library accepted the setting. C libraries other than glibc are not changed.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK) and mallopt(_M_TRIM_THRESHOLD, _KEEP))
