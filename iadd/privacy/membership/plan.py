"""The size of an audit, its units, and which of them are in a twin."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet, Unit

FEWEST_UNITS = 10
"""Below so many audit units there is no audit by repetition."""


@dataclass(frozen=True, kw_only=True)
class AuditPlan:
    """How often a run is repeated, and with how many units.

    Twins are numbered from 0: the first ``calibration_runs`` calibrate the attacks, the others are
    attacked.

    Attributes:
        units: m, audit units that are in or out.
        unit: ``patient`` where patients are known, else ``image``.
        calibration_runs: C.
        test_runs: T; 0 where only the shipped run itself is attacked.
    """

    units: int
    unit: Unit
    calibration_runs: int
    test_runs: int


def plan_audit(images: ImageSet, config: Config) -> AuditPlan:
    """Plan the repetitions of a run.

    Args:
        images: The whole set; units are drawn from its ``train`` split.
        config: Settings of the run; m is ``audit_units``, and a fifth of the units at most.
    """
    units = min(config.audit.audit_units, len(_unit_numbers(images.part("train")).unique()) // 5)
    repeated = (
        units >= FEWEST_UNITS
        and config.audit.audit_test_runs > 0
        # What a DP run reveals is bounded by its proof, and repetitions would be paid for.
        and config.protection.privacy != "dp"
    )
    return AuditPlan(
        units=units,
        unit=images.unit,
        calibration_runs=config.audit.audit_calibration_runs if repeated else 0,
        test_runs=config.audit.audit_test_runs if repeated else 0,
    )


@dataclass(frozen=True, eq=False)
class AuditUnits:
    """The units of an audit.

    Attributes:
        rows: int64 (R,), the training images of all units.
        unit: int64 (R,), the unit of each, 0 to m − 1.
        labels: int64 (m,), the class of each unit: that of its first image.
    """

    rows: Tensor
    unit: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def mean(self, values: Tensor) -> Tensor:
        """Average values of the images, (R,), over each unit, (m,) float32."""
        total = torch.zeros(len(self), dtype=torch.float64)
        total.index_add_(0, self.unit, values.double())
        return (total / self.unit.bincount(minlength=len(self))).float()

    def most(self, values: Tensor) -> Tensor:
        """Return the largest value of each unit's images, (m,) float32."""
        least = torch.full((len(self),), -torch.inf)
        return least.scatter_reduce(0, self.unit, values.float(), "amax")


def audit_units(train: ImageSet, count: int, *, secret: int) -> AuditUnits:
    """Draw the units of an audit.

    Args:
        train: The training images.
        count: m.
        secret: Of the audit.
    """
    numbers = _unit_numbers(train)
    known = numbers.unique()
    order = torch.from_numpy(draws(secret, "units").permutation(len(known)))
    chosen = known[order[:count]]
    position = torch.full((int(numbers.max()) + 1,), -1, dtype=torch.int64)
    position[chosen] = torch.arange(len(chosen))
    unit = position[numbers]
    rows = (unit >= 0).nonzero().squeeze(1)
    unit = unit[rows]
    first = torch.full((len(chosen),), len(train), dtype=torch.int64)
    first = first.scatter_reduce(0, unit, rows, "amin")
    return AuditUnits(rows, unit, train.labels[first])


def membership_bits(secret: int, number: int, count: int) -> Tensor:
    """Toss a fair coin for each unit of a twin: bool (m,), True where it is in."""
    tossed = draws(secret, "bits", number).integers(0, 2, count)
    return torch.from_numpy(tossed.astype(bool))


def twin_seed(secret: int, number: int | str) -> int:
    """Return the private seed of a twin, which nobody else draws from."""
    return int.from_bytes(_digest(secret, "seed", number)[:16], "big")


def draws(secret: int, *key: str | int) -> np.random.Generator:
    """Make a generator for a key. Torch's own takes only 32 bits of a seed, which can be tried."""
    return np.random.default_rng(int.from_bytes(_digest(secret, *key), "big"))


def _digest(secret: int, *key: str | int) -> bytes:
    text = "/".join(str(part) for part in ("audit", secret, *key))
    return hashlib.sha256(text.encode()).digest()


def _unit_numbers(images: ImageSet) -> Tensor:
    return torch.arange(len(images)) if images.groups is None else images.groups
