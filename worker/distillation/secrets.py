"""The secrets of a run: whatever touches the images is drawn from them, and they are forgotten."""

import hashlib
import secrets

from app.models import Distillation, Randomness, TrajectorySet


class SeedForgottenError(RuntimeError):
    """A run that drew from a secret goes on without it. It must never fall back to a public one."""


def private_seed_of(row: Distillation | TrajectorySet) -> int | None:
    """Return the seed of all draws that touch images; None for a run of before there were any.

    Raises:
        SeedForgottenError: When the run is finished, and its seed is forgotten.
    """
    if row.randomness == Randomness.PUBLISHED:
        return None
    if row.private_seed is None:
        raise SeedForgottenError(f"{row.id} is finished: what it drew from is forgotten")
    return int(row.private_seed, 16)


def audit_secret_of(row: Distillation) -> int:
    """Return what the bits and the repetitions of an audit follow from.

    It follows from the private seed, so that an audit that goes on elsewhere has the same, and it
    is forgotten with it. A run without one has no repetitions, and any secret will do.
    """
    if row.private_seed is None:
        return secrets.randbits(128)
    return int.from_bytes(hashlib.sha256(f"audit/{row.private_seed}".encode()).digest()[:16], "big")
