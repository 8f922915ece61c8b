"""Distances between what student and teacher became, each with its gradients.

All are the paper's eq. 9 with one change each; P parameters, J steps:

    L = ‖W⊙(θ_j − θ*)‖² / ‖θ_0 − θ*‖²                     IADD, MTT (W at ones), DDPP (a rule for W)
    L = ‖W⊙(θ_j − θ*)‖² / ‖W⊙(θ_0 − θ*)‖²                 ``relative_to="weighted"``

j is J, or the step that comes nearest to θ* (ATT, Liu et al. 2024, arXiv 2407.14245). Without W in
the denominator L falls whenever W does; with it, only when what counts comes nearer. HoP-TM (Dong
et al. 2025, arXiv 2509.24177) is the second with a mask for W, and a term for the angles between
start, middle and end (eqs. 3 to 7).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.config import MatchedStep, RelativeTo

ImportanceRule = Callable[[Tensor, Tensor], Tensor]
"""W as a function of the student's end θ_j and the target θ*, each (P,). The rule itself is not
differentiated."""


@dataclass(frozen=True)
class Measured:
    """A distance, and its gradients.

    Attributes:
        loss: L, a scalar.
        unweighted_loss: L with W at ones and without other terms: MTT's loss, a scalar.
        by_theta: ∂L/∂θ_j, (P,), by j from 1 to J, for each θ_j that L depends on.
        importance_weights: ∂L/∂W, (P,).
        difference: θ_j − θ*, (P,).
        weights: W, (P,), as given, or as computed by its rule.
    """

    loss: Tensor
    unweighted_loss: Tensor
    by_theta: Mapping[int, Tensor]
    importance_weights: Tensor
    difference: Tensor
    weights: Tensor


class Distance(Protocol):
    """Compares a student's parameters with the target."""

    def __call__(self, thetas: Sequence[Tensor], target: Tensor) -> Measured:
        """Measure the distance.

        Args:
            thetas: θ_0 to θ_J, (P,) each.
            target: θ*, (P,).
        """


@dataclass(frozen=True, kw_only=True)
class WeightedDistance:
    """The weighted distance at one step, over the teacher's way.

    Attributes:
        weights: W, (P,), or the rule that computes it once θ_j is known.
        relative_to: Whether the teacher's way counts by W too (``weighted``).
        step: Step that is compared: the ``last``, or the ``nearest`` to the target in L1.
    """

    weights: Tensor | ImportanceRule
    relative_to: RelativeTo = "all"
    step: MatchedStep = "last"

    def __call__(self, thetas: Sequence[Tensor], target: Tensor) -> Measured:
        """Measure the distance; 0 where no parameter counts."""
        step = len(thetas) - 1 if self.step == "last" else nearest_step(thetas, target)
        end, way = thetas[step], thetas[0] - target
        weights = self.weights(end, target) if callable(self.weights) else self.weights
        difference = end - target
        whole = way.square().sum()
        denominator = (weights * way).square().sum() if self.relative_to == "weighted" else whole
        # Where nothing counts the distance is 0, and so is its gradient.
        denominator = torch.where(denominator > 0, denominator, torch.inf)
        weighted = weights * difference
        loss = weighted.square().sum() / denominator
        by_weights = 2 * weighted * difference / denominator
        if self.relative_to == "weighted":
            by_weights = by_weights - 2 * loss * weights * way.square() / denominator
        return Measured(
            loss=loss,
            unweighted_loss=difference.square().sum() / whole,
            by_theta={step: 2 * weights * weighted / denominator},
            importance_weights=by_weights,
            difference=difference,
            weights=weights,
        )


def nearest_step(thetas: Sequence[Tensor], target: Tensor) -> int:
    """Return the step from 1 to J after which a student is nearest to θ* in L1; the last of equals.

    θ_0 is left out: it has no gradient.
    """
    distances = [float((theta - target).abs().sum()) for theta in thetas[1:]]
    least = min(distances)
    return len(distances) - distances[::-1].index(least)


@dataclass(frozen=True, kw_only=True)
class Entered:
    """HoP-TM's rule: a parameter counts once its squared difference was below a threshold.

    Attributes:
        before: Parameters that count already: 1, others 0, (P,).
        threshold: Of (θ_j − θ*)²; it grows from iteration to iteration.
    """

    before: Tensor
    threshold: float

    def __call__(self, end: Tensor, target: Tensor) -> Tensor:
        """Compute W of zeros and ones, (P,), from θ_j and θ*."""
        enters = (end - target).square() < self.threshold
        return torch.maximum(self.before, enters.to(end.dtype))


@dataclass(frozen=True, kw_only=True)
class WithAngles:
    """Adds how differently student and teacher turn on their way (HoP-TM, eq. 6).

    The term is the Huber loss between the cosines at the corners of two triangles: start, middle
    and end of the student, and of the teacher. A side of no length has the cosine 0.

    Attributes:
        distance: Distance that the term is added to.
        middle: The teacher in the middle of its way, (P,).
        factor: λ of the term.
    """

    distance: Distance
    middle: Tensor
    factor: float

    def __call__(self, thetas: Sequence[Tensor], target: Tensor) -> Measured:
        """Measure the distance with the term."""
        measured = self.distance(thetas, target)
        last = len(thetas) - 1
        half = last // 2
        by_theta = dict(measured.by_theta)
        with torch.enable_grad():
            middle, end = (thetas[step].detach().requires_grad_() for step in (half, last))
            term = self.factor * F.smooth_l1_loss(
                corner_cosines(torch.stack([thetas[0], middle, end])),
                corner_cosines(torch.stack([thetas[0], self.middle, target])),
            )
            gradients = torch.autograd.grad(term, (middle, end))
        for step, gradient in zip((half, last), gradients, strict=True):
            # A student of one step has its start for its middle, which nothing changes.
            if step > 0:
                by_theta[step] = by_theta[step] + gradient if step in by_theta else gradient
        return replace(measured, loss=measured.loss + term.detach(), by_theta=by_theta)


def corner_cosines(corners: Tensor) -> Tensor:
    """Compute the cosines between the sides that meet at each corner.

    Args:
        corners: (3, P).

    Returns:
        (3, 3, 3): at corner i, between the sides towards corners j and k (Park et al. 2019, eq. 8).
    """
    sides = F.normalize(corners.unsqueeze(0) - corners.unsqueeze(1), dim=2)
    return torch.bmm(sides, sides.transpose(1, 2))
