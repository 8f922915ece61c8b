"""Confines a child that decodes untrusted files, as far as the platform can.

Linux has all limits; macOS leaves memory to the system, Windows has none of these: there the pool's
wall-clock limit and the child's separate process remain.
"""

from __future__ import annotations

import ctypes
import os
import sys

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def confine(address_space: int) -> None:
    """Limit memory, forbid writing files and leave the network, for good.

    Args:
        address_space: bytes that this process may map.
    """
    if sys.platform == "win32":
        return
    import resource

    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0}
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = address_space
        _leave_network()
    for limit, value in limits.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):
            continue  # a lower limit is in force


def limit_processor_time(seconds: int) -> None:
    """Let the system end this process after so many more seconds of processor time."""
    if sys.platform == "win32":
        return
    import resource

    used = sum(os.times()[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used) + 1 + seconds
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _leave_network() -> None:
    # A network namespace of its own holds no interface. Containers may forbid it: then the child
    # has what the service has, and no code of ours that uses it.
    try:
        ctypes.CDLL(None).unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    except (OSError, AttributeError):
        return
