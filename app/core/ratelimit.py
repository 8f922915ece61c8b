"""Rate limits, counted in the memory of each portal process.

Several portals each count for themselves, so that a limit is at most that many times as high: it
holds off floods and guessing, and what must be exact (wrong passwords) is in the
database.
"""

import math
import time
from ipaddress import IPv6Address, IPv6Network

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from app.core.errors import TooManyRequests


class RateLimiter:
    def __init__(self) -> None:
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    def count(self, rate: RateLimitItem, *who: str) -> None:
        """Count one request. Raises TooManyRequests where that was one too many."""
        if self._windows.hit(rate, *who):
            return
        opens_at = self._windows.get_window_stats(rate, *who).reset_time
        seconds = max(1, math.ceil(opens_at - time.time()))
        raise TooManyRequests(
            f"More such requests came than the {rate.amount} that may within "
            f"{rate.get_expiry()} s. This one changed nothing. Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def address_of(request: HTTPConnection) -> str:
    """Client address as the server saw it, or as a trusted proxy reported it.

    Of IPv6 the first 64 bits: the others are the client's own to choose.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, 64), strict=False))


def parse_rate(text: str) -> RateLimitItem:
    """As in `10/minute`. Raises ValueError."""
    return parse(text)
