"""The IADD loss and its exact gradient (paper, eqs. 2 and 9; Algorithm 1, lines 5 to 13).

Unrolling the J student updates with ``create_graph=True`` keeps J graphs in memory. The same
gradient follows from the adjoint recursion: only the vectors θ_j are kept, and each step is
differentiated on its own. With d = W⊙(θ_J − θ*) and den = ‖θ_0 − θ*‖²:

    λ_J = 2 W⊙d / den                                     ∂L/∂W = 2 d⊙(θ_J − θ*) / den
    φ_j(θ, b) = ⟨∇_θ ℓ(𝒜_j(b); θ), λ_{j+1}⟩
    λ_j = λ_{j+1} − α ∂φ_j/∂θ        ∂L/∂b_j = −α ∂φ_j/∂b        ∂L/∂α = −Σ_j φ_j

(docs/adr/001). :mod:`iadd.distillation.student` differentiates a step. Shapes: P parameters, M
distilled images, n of them in a mini-batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from iadd.distillation.student import StudentSteps

ImportanceRule = Callable[[Tensor, Tensor], Tensor]
"""W as a function of the student's end θ_J and the target θ*, each (P,). The rule itself is not
differentiated."""


class StepAugmentation(Protocol):
    """𝒜_j, replayable: called once in the forward sweep and once in the backward sweep."""

    def __call__(self, images: Tensor, step: int, part: slice) -> Tensor:
        """Augment a part of a mini-batch, differentiable in the images.

        Args:
            images: (m, C, H, W), the images ``part`` of the mini-batch of this step.
            step: j, 0 to J − 1.
            part: Their rows in the mini-batch.
        """


@dataclass(frozen=True)
class MatchingGradients:
    """The IADD loss at one point, and its gradients.

    Attributes:
        loss: L of eq. 9, a scalar.
        unweighted_loss: L with W at ones, which is MTT's loss, a scalar.
        images: ∂L/∂D, (M, C, H, W).
        syn_lr: ∂L/∂α, a scalar.
        importance_weights: ∂L/∂W, (P,), never negative where W is not.
        difference: θ_J − θ*, (P,).
        weights: W, (P,), as given, or as computed by its rule.
    """

    loss: Tensor
    unweighted_loss: Tensor
    images: Tensor
    syn_lr: Tensor
    importance_weights: Tensor
    difference: Tensor
    weights: Tensor


def matching_gradients(
    network: nn.Module,
    start: Tensor,
    target: Tensor,
    images: Tensor,
    labels: Tensor,
    indices: Sequence[Tensor],
    syn_lr: Tensor | float,
    importance_weights: Tensor | ImportanceRule,
    augment: StepAugmentation | None = None,
    *,
    micro_batch_size: int = 0,
    steps: StudentSteps | None = None,
) -> MatchingGradients:
    """Train a student for J steps and differentiate its distance to the teacher.

    Args:
        network: Gives the architecture of the student; its own parameters are not read.
        start: θ_0, (P,): the teacher at the start epoch.
        target: θ*, (P,): the teacher K epochs later.
        images: The distilled images, (M, C, H, W), normalised.
        labels: (M,) int64.
        indices: J mini-batches, each (n,) int64 into the distilled images.
        syn_lr: α.
        importance_weights: W, (P,), or the rule that computes it once θ_J is known.
        augment: 𝒜, or None for none.
        micro_batch_size: Images in memory at once; 0 takes each mini-batch whole. Since ℓ is a
            mean, parts are weighted m/n, and the result changes by rounding alone.
        steps: Differentiates this network's steps, made once for many calls; eager unless given.

    Returns:
        The loss and its gradients, all without a graph.

    Raises:
        ValueError: When the teacher did not move between start and target.
    """
    start, target, images = start.detach(), target.detach(), images.detach()
    denominator = (start - target).square().sum()
    if not denominator > 0:
        raise ValueError(
            "The teacher did not move between the start and the target epoch: its trajectory "
            "cannot be matched. Raise teacher_lr or expert_epochs, or lower max_start_epoch."
        )
    steps = steps or StudentSteps(network)
    parts = _Parts(images, labels, indices, augment, micro_batch_size)

    thetas = [start]
    for step in range(len(indices)):
        gradient = torch.zeros_like(start)
        for batch, share, part in parts.of_step(step):
            seen = parts.augmented(batch, step, part)
            gradient.add_(
                steps.gradient(thetas[-1], seen, parts.labels_of(step, part)), alpha=share
            )
        thetas.append(thetas[-1] - syn_lr * gradient)

    end = thetas.pop()
    weights = (
        importance_weights(end, target) if callable(importance_weights) else importance_weights
    )
    difference = end - target
    weighted = weights * difference
    adjoint = 2 * weights * weighted / denominator
    image_gradients = torch.zeros_like(images)
    lr_gradient = torch.zeros((), dtype=images.dtype, device=images.device)
    for step in reversed(range(len(indices))):
        theta = thetas.pop()
        pulled_back = torch.zeros_like(adjoint)
        for batch, share, part in parts.of_step(step):
            batch.requires_grad_()
            seen = parts.augmented(batch, step, part)
            phi, by_theta, by_seen = steps.pull_back(
                theta, seen.detach(), parts.labels_of(step, part), adjoint
            )
            pulled_back.add_(by_theta, alpha=share)
            lr_gradient.sub_(phi, alpha=share)
            (by_batch,) = torch.autograd.grad(seen, batch, by_seen)
            image_gradients.index_add_(0, indices[step][part], -share * syn_lr * by_batch)
        adjoint = adjoint - syn_lr * pulled_back

    return MatchingGradients(
        loss=weighted.square().sum() / denominator,
        unweighted_loss=difference.square().sum() / denominator,
        images=image_gradients,
        syn_lr=lr_gradient,
        importance_weights=2 * weighted * difference / denominator,
        difference=difference,
        weights=weights,
    )


@dataclass(frozen=True)
class _Parts:
    """The mini-batches, cut into parts that fit in memory."""

    images: Tensor
    labels: Tensor
    indices: Sequence[Tensor]
    augment: StepAugmentation | None
    micro_batch_size: int

    def of_step(self, step: int) -> Iterator[tuple[Tensor, float, slice]]:
        """Yield images (m, C, H, W) without a graph, their share m/n of the mean, their rows."""
        rows = len(self.indices[step])
        size = self.micro_batch_size or rows
        for first in range(0, rows, size):
            part = slice(first, min(first + size, rows))
            yield self.images[self.indices[step][part]], (part.stop - first) / rows, part

    def labels_of(self, step: int, part: slice) -> Tensor:
        """Return the labels of the part, (m,)."""
        return self.labels[self.indices[step][part]]

    def augmented(self, batch: Tensor, step: int, part: slice) -> Tensor:
        """Compute 𝒜_j(b), (m, C, H, W), with a graph where ``batch`` requires gradients."""
        if self.augment is None:
            return batch.view_as(batch)
        return self.augment(batch, step, part)
