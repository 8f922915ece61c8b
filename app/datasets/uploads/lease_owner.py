"""Names the process that holds a lease, so that its death is seen before the lease runs out.

A portal that was killed and started again would otherwise answer 423 until the lease of its own
earlier life is over. This only makes it sooner: what keeps two writers apart is the fence.
"""

import os
import secrets
import socket

_LIFE = secrets.token_hex(8)
"""Random id of this process: in containers every portal may have the same pid."""


def this_process() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{_LIFE}"


def is_dead(owner: str) -> bool:
    """True if it was a process of this machine that ended; False where unknown."""
    host, _, rest = owner.partition("/")
    number, _, life = rest.partition("/")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    pid = int(number)
    if pid == os.getpid():
        return life != _LIFE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
