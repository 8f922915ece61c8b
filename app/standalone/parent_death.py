"""Ties the life of a process to the life of the one that started it.

Run as a script it does so and becomes another program:

    python -I -S parent_death.py PARENT_PID PROGRAM [ARGUMENT …]

A launcher, and not `preexec_fn`: the supervisor has threads, and running Python between fork and
exec of a threaded process may deadlock. The kernel keeps the setting across `execve`, so it works
for programs that know nothing of it, such as the broker. It is dropped by `fork`: a process that
forks workers has them call `die_with_parent` again.

Only Linux has this. On macOS a child outlives a supervisor that was killed with SIGKILL.

The file must import nothing outside the standard library: it runs without site-packages.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as the thread that started it is gone.

    Args:
        parent: Process id of the parent, as the parent itself saw it before it started this one.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    # The parent may have died before the call above took effect: then nobody will send the signal.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command is the supervisor's own
