"""Random numbers that depend on what they are for, and on nothing that happened before.

A generator is made anew for every teacher's epoch and every iteration from the run's seed and the
name of its purpose. So a run that resumes needs no saved generator state, and drawing more in one
place changes nothing in another.
"""

import hashlib

import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose: ``derive_seed(0, "teacher", 3)``."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A CPU generator for one purpose. Drawing on the CPU gives every device the same numbers."""
    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
