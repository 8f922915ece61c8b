"""Settings of one reading."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits

MOST_DECODERS = 4
"""Each holds one decoded picture, so that their number bounds the memory."""


def usual_workers() -> int:
    """Count the decoders that this machine runs at once."""
    return min(os.cpu_count() or 1, MOST_DECODERS)


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Settings of one reading.

    Attributes:
        key: secret of the keyed hashes of patients and file names; the same key gives the same
            hashes, so that a file can be looked up without its name being stored.
        image_size: side S of the square that every picture is resized to.
        seed: of the split into training, validation and test images.
        limits: bounds on the cost of the archive.
        workers: decoding processes.
        withdrawn: hashes of files and folders that are left out.
    """

    key: bytes
    image_size: int = 112
    seed: int = 0
    limits: Limits = DEFAULT_LIMITS
    workers: int = field(default_factory=usual_workers)
    withdrawn: frozenset[str] = frozenset()
