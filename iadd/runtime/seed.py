"""Random number generators that depend on a seed and a key, and on nothing that happened before.

A new generator is made for every teacher's epoch and every iteration, from the run's seed and an
rng key that names its use. So a run that resumes needs no saved generator state, and drawing more
in one place changes nothing in another.
"""

import hashlib

import torch


def derive_seed(seed: int, *rng_key: str | int) -> int:
    """Derive a 63-bit seed for an rng key: ``derive_seed(0, "teacher", 3)``."""
    text = "/".join(str(part) for part in (seed, *rng_key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_generator(seed: int, *rng_key: str | int) -> torch.Generator:
    """Make a CPU generator for an rng key; drawing on the CPU gives every device equal numbers."""
    return torch.Generator().manual_seed(derive_seed(seed, *rng_key))
