"""Passwords: Argon2id with the recommended settings of `pwdlib`, 0.2 s and 64 MiB a check.

Neither is spent inside a transaction (on SQLite that would keep every other writer waiting), nor by
more than a few requests at once.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash

P = ParamSpec("P")
T = TypeVar("T")

FEWEST_CHARACTERS = 12
MOST_CHARACTERS = 256
AT_ONCE = 2
"""Checks at one time in one portal. A flood of them waits, and takes no thread from others."""

_hasher = PasswordHash.recommended()


def hash_password(password: str) -> str:
    return _hasher.hash(password)


@cache
def _unused_hash() -> str:
    """Hash that makes an unknown address take as long as a known one."""
    return _hasher.hash("nobody has this password")


def check_password(password: str, password_hash: str | None) -> bool:
    """True if it matches; as slow for a person without a password."""
    matches = _hasher.verify(password, password_hash or _unused_hash())
    return matches and password_hash is not None


class PasswordTurns:
    """Lets requests that hash a password take turns."""

    def __init__(self) -> None:
        self._few = CapacityLimiter(AT_ONCE)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` in a thread when it is this request's turn."""
        return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._few)
