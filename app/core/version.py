"""The version of this software, and which versions work together.

Portal and workers of neighbouring minor versions do, so that they can be updated one after another.
Farther apart, one would read rows that it does not understand.
"""

import re
from importlib.metadata import version

VERSION = version("iadd-exchange")

_NUMBERS = re.compile(r"(\d+)\.(\d+)(\D|$)")


def minor_of(text: str) -> tuple[int, int] | None:
    """Major and minor number of a version; None where the text is none."""
    found = _NUMBERS.match(text)
    return (int(found[1]), int(found[2])) if found else None


def work_together(one: str, other: str) -> bool:
    """Whether two versions are the same or neighbours: 0.3 and 0.4, not 0.3 and 0.5."""
    first, second = minor_of(one), minor_of(other)
    if first is None or second is None:
        return False
    return first[0] == second[0] and abs(first[1] - second[1]) <= 1


def is_older(one: str, other: str) -> bool:
    """Whether the first version came before the second; patches count as the same."""
    return (minor_of(one) or (0, 0)) < (minor_of(other) or (0, 0))
