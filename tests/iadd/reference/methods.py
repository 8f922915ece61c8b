"""The losses of other matching methods as their papers write them, for unrolled autograd."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.networks.build import call_with

Loss = Callable[[list[Tensor], Tensor, Tensor], Tensor]
"""Of θ_0 to θ_J, θ* and W."""


def unrolled(
    network: nn.Module,
    start: Tensor,
    target: Tensor,
    images: Tensor,
    labels: Tensor,
    indices: Sequence[Tensor],
    syn_lr: Tensor,
    weights: Tensor,
    loss: Loss,
    *,
    constant_before: int = 0,
    each_step_alone: bool = False,
) -> tuple[Tensor, ...]:
    """The loss and its gradients for images, α and W, with one graph over all steps.

    ``constant_before``: steps whose results count as constants. ``each_step_alone``: a step's
    gradient is taken at a constant θ_j (TESLA).
    """
    images, syn_lr, weights = (one.clone().requires_grad_() for one in (images, syn_lr, weights))
    thetas = [start.clone()]
    for step, batch in enumerate(indices):
        at = thetas[-1].detach().requires_grad_() if each_step_alone else thetas[-1]
        at = at if at.requires_grad else at.requires_grad_()
        value = F.cross_entropy(call_with(network, at, images[batch]), labels[batch])
        (gradient,) = torch.autograd.grad(value, at, create_graph=True)
        following = thetas[-1] - syn_lr * gradient
        thetas.append(following.detach() if step < constant_before else following)
    value = loss(thetas, target, weights)
    gradients = torch.autograd.grad(value, (images, syn_lr, weights), materialize_grads=True)
    return (value.detach(), *gradients)


def last_step(thetas: list[Tensor], target: Tensor, weights: Tensor) -> Tensor:
    """IADD, eq. 9."""
    return (weights * (thetas[-1] - target)).square().sum() / (thetas[0] - target).square().sum()


def over_what_counts(thetas: list[Tensor], target: Tensor, weights: Tensor) -> Tensor:
    """Eq. 9 with W on both sides of the fraction."""
    way = (weights * (thetas[0] - target)).square().sum()
    return (weights * (thetas[-1] - target)).square().sum() / way


def nearest(thetas: list[Tensor], target: Tensor, weights: Tensor) -> Tensor:
    """ATT: the step of the smallest L1 distance (Liu et al. 2024, Algorithm 1)."""
    end = min(thetas[1:], key=lambda theta: F.l1_loss(theta, target).item())
    return (weights * (end - target)).square().sum() / (thetas[0] - target).square().sum()


def hop_tm(middle: Tensor, before: Tensor, threshold: float, factor: float) -> Loss:
    """HoP-TM: what entered, and the angles of the path (Dong et al. 2025)."""

    def loss(thetas: list[Tensor], target: Tensor, weights: Tensor) -> Tensor:
        squared = (thetas[-1] - target).square()
        mask = ((squared < threshold) | (before > 0)).to(target.dtype)
        distance = (mask * squared).sum() / (mask * (thetas[0] - target).square()).sum()
        student = angles(thetas[0], thetas[(len(thetas) - 1) // 2], thetas[-1])
        teacher = angles(thetas[0], middle, target)
        differences = [(one - other).abs() for one, other in zip(student, teacher, strict=True)]
        huber = [d.square() / 2 if d < 1 else d - 0.5 for d in differences]
        # Of 27 pairs of sides at a corner, each angle stands twice; the others are 0 or 1 in both.
        return distance + factor * 2 * torch.stack(huber).sum() / 27

    return loss


def angles(start: Tensor, middle: Tensor, end: Tensor) -> list[Tensor]:
    """The cosines at the three corners of a path."""
    return [
        F.cosine_similarity(one - corner, other - corner, dim=0)
        for corner, one, other in (
            (start, middle, end),
            (middle, start, end),
            (end, start, middle),
        )
    ]
