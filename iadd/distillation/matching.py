"""The gradient of a matching loss by the distilled images (eq. 2; Algorithm 1, lines 5 to 13).

Unrolling the J student updates with ``create_graph=True`` keeps J graphs in memory. The same
gradient follows from the adjoint recursion: only the vectors θ_j are kept, and each step is
differentiated on its own. :mod:`iadd.distillation.distances` gives L and its ∂L/∂θ_j, and

    λ_j = λ_{j+1} − α ∂φ_j/∂θ + ∂L/∂θ_j          φ_j(θ, b) = ⟨∇_θ ℓ(𝒜_j(b); θ), λ_{j+1}⟩
    ∂L/∂b_j = −α ∂φ_j/∂b                          ∂L/∂α = −Σ_j φ_j

(docs/adr/001). Two shorter ways are other definitions of the gradient: with λ *frozen* a step is
differentiated as if the θ_j before it were constants (TESLA, Cui et al. 2023, eq. 7), and a
*truncated* recursion ends after the last steps. :mod:`iadd.distillation.student` differentiates a
step. Shapes: P parameters, M distilled images, n of them in a mini-batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from iadd.distillation.distances import Distance
from iadd.distillation.student import Steps, StudentSteps


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
    """A matching loss at one point, and its gradients.

    Attributes:
        loss: L, a scalar.
        unweighted_loss: L with W at ones, which is MTT's loss, a scalar.
        images: ∂L/∂D, (M, C, H, W).
        syn_lr: ∂L/∂α, a scalar.
        importance_weights: ∂L/∂W, (P,).
        difference: θ_j − θ*, (P,).
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
    distance: Distance,
    augment: StepAugmentation | None = None,
    *,
    frozen: bool = False,
    differentiated_steps: int = 0,
    kept_steps: int = 0,
    micro_batch_size: int = 0,
    steps: Steps | None = None,
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
        distance: Compares what the student became with the target.
        augment: 𝒜, or None for none.
        frozen: Leave λ as it is from step to step.
        differentiated_steps: Steps before the last compared one that are differentiated; 0 takes
            all.
        kept_steps: Steps, the last ones, that keep their activations for the way back, where
            ``steps`` can; the others compute them anew, to the same bits.
        micro_batch_size: Images in memory at once; 0 takes each mini-batch whole. Since ℓ is a
            mean, parts are weighted m/n, and the result changes by rounding alone.
        steps: Differentiates this network's steps, made once for many calls; eager unless given.

    Returns:
        The loss and its gradients, all without a graph.

    Raises:
        ValueError: When the teacher did not move between start and target.
    """
    start, target, images = start.detach(), target.detach(), images.detach()
    if not (start - target).square().sum() > 0:
        raise ValueError(
            "The teacher did not move between the start and the target epoch: its trajectory "
            "cannot be matched. Raise teacher_lr or expert_epochs, or lower max_start_epoch."
        )
    steps = steps or StudentSteps(network)
    parts = _Parts(images, labels, indices, augment, micro_batch_size)

    thetas = [start]
    activations: dict[tuple[int, int], Any] = {}
    for step in range(len(indices)):
        gradient = torch.zeros_like(start)
        for batch, share, part in parts.of_step(step):
            seen = parts.augmented(batch, step, part)
            found, kept = steps.sweep(thetas[-1], seen, parts.labels_of(step, part))
            gradient.add_(found, alpha=share)
            if step >= len(indices) - kept_steps:
                activations[step, part.start] = kept
        thetas.append(thetas[-1] - syn_lr * gradient)

    measured = distance(thetas, target)
    last = max(measured.by_theta)
    first = max(0, last - differentiated_steps) if differentiated_steps else 0
    del thetas[last:]
    adjoint = torch.zeros_like(start)
    image_gradients = torch.zeros_like(images)
    lr_gradient = torch.zeros((), dtype=images.dtype, device=images.device)
    for step in reversed(range(first, last)):
        if step + 1 in measured.by_theta:
            adjoint = adjoint + measured.by_theta[step + 1]
        theta = thetas.pop()
        pulled_back = torch.zeros_like(adjoint)
        for batch, share, part in parts.of_step(step):
            batch.requires_grad_()
            seen = parts.augmented(batch, step, part)
            phi, by_theta, by_seen = steps.pull_back(
                theta,
                seen.detach(),
                parts.labels_of(step, part),
                adjoint,
                activations.pop((step, part.start), None),
            )
            pulled_back.add_(by_theta, alpha=share)
            lr_gradient.sub_(phi, alpha=share)
            (by_batch,) = torch.autograd.grad(seen, batch, by_seen)
            image_gradients.index_add_(0, indices[step][part], -share * syn_lr * by_batch)
        if not frozen:
            adjoint = adjoint - syn_lr * pulled_back

    return MatchingGradients(
        loss=measured.loss,
        unweighted_loss=measured.unweighted_loss,
        images=image_gradients,
        syn_lr=lr_gradient,
        importance_weights=measured.importance_weights,
        difference=measured.difference,
        weights=measured.weights,
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
