"""The matching loss as published code computes it: J graphs unrolled, then one backward pass.

Written from the paper (eqs. 2 and 9) and kept plain: it is what the fast recursion is held to.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from iadd.distillation.matching import StepAugmentation


def unrolled_gradients(
    network: nn.Module,
    start: Tensor,
    target: Tensor,
    images: Tensor,
    labels: Tensor,
    indices: Sequence[Tensor],
    syn_lr: Tensor,
    importance_weights: Tensor,
    augment: StepAugmentation | None = None,
    *,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The loss and its gradients for images, α and W.

    ``memory_format`` is how the images and the weights of convolutions lie in memory; what the
    layers make of them follows.
    """
    images = images.clone().requires_grad_()
    syn_lr = syn_lr.clone().requires_grad_()
    weights = importance_weights.clone().requires_grad_()
    theta = start.clone().requires_grad_()
    for step, batch in enumerate(indices):
        seen = images[batch]
        if augment is not None:
            seen = augment(seen, step, slice(0, len(batch)))
        loss = F.cross_entropy(_logits(network, theta, seen, memory_format), labels[batch])
        (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
        theta = theta - syn_lr * gradient
    matching = (weights * theta - weights * target).square().sum() / (start - target).square().sum()
    return (matching.detach(), *torch.autograd.grad(matching, (images, syn_lr, weights)))


def _logits(
    network: nn.Module, theta: Tensor, images: Tensor, memory_format: torch.memory_format
) -> Tensor:
    forms = dict(network.named_parameters())
    # One split and not a slice for each: a slice's derivative is as long as θ.
    parts = theta.split([form.numel() for form in forms.values()])
    parameters = {
        name: _laid_out(part.reshape(form.shape), memory_format)
        for (name, form), part in zip(forms.items(), parts, strict=True)
    }
    return functional_call(network, parameters, (_laid_out(images, memory_format),))


def _laid_out(tensor: Tensor, memory_format: torch.memory_format) -> Tensor:
    if tensor.ndim != 4 or memory_format == torch.contiguous_format:
        return tensor
    # With one channel both layouts have the same order of numbers: only a copy takes the strides
    # that tell a convolution which one is meant.
    return tensor.clone(memory_format=memory_format)
