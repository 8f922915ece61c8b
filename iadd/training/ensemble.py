"""Several networks of one architecture trained as one: each operation runs for all of them at once.

Shapes: K networks, N images each, C channels, H × W pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from iadd.networks.build import load_parameters


class Step(NamedTuple):
    """Gradients and predictions of k networks on one mini-batch each.

    Attributes:
        gradients: One tensor (k, …) per parameter.
        correct: (k, N) bool: which images each network classified correctly, before the step.
    """

    gradients: list[Tensor]
    correct: Tensor


class StackedNetworks:
    """Networks of one architecture with stacked parameters, (K, …) each.

    Args:
        networks: K networks of the same architecture, without buffers. They are read once, and
            written by :meth:`unstack`.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._networks = list(networks)
        stacked, _ = stack_module_state(self._networks)
        self.parameters: dict[str, Tensor] = {
            name: tensor.detach().requires_grad_() for name, tensor in stacked.items()
        }

    def __len__(self) -> int:
        return len(self._networks)

    def forward_backward(
        self, images: Tensor, labels: Tensor, networks: slice = slice(None)
    ) -> Step:
        """Compute the gradient of each network's mean cross-entropy on its own images.

        Args:
            images: (k, N, C, H, W), normalised, for the k networks of the slice.
            labels: (k, N) int64.
            networks: Slice of the K networks; all of them unless given.

        Returns:
            The gradients in the order of ``parameters``.
        """
        names = list(self.parameters)
        # Separate leaves, so that the gradient is no larger than the slice.
        chosen = [p.detach()[networks].requires_grad_() for p in self.parameters.values()]
        network = self._networks[0]

        def loss(
            parameters: Sequence[Tensor], batch: Tensor, targets: Tensor
        ) -> tuple[Tensor, Tensor]:
            logits = functional_call(network, dict(zip(names, parameters, strict=True)), (batch,))
            return F.cross_entropy(logits, targets), logits.detach().argmax(dim=1) == targets

        if len(images) == 1:
            # Without vmap, a single network gives the same bits as ordinary PyTorch.
            total, correct = loss([parameter[0] for parameter in chosen], images[0], labels[0])
            correct = correct[None]
        else:
            losses, correct = vmap(loss)(chosen, images, labels)
            # The networks share no term: the gradient of the sum holds each network's own gradient.
            total = losses.sum()
        return Step(list(torch.autograd.grad(total, chosen)), correct)

    def theta(self) -> Tensor:
        """Return the parameters of every network as a vector, (K, P), in the networks' order."""
        parts = [tensor.detach().flatten(start_dim=1) for tensor in self.parameters.values()]
        return torch.cat(parts, dim=1)

    def unstack(self) -> list[nn.Module]:
        """Write the parameters back into the networks that were stacked, and return these."""
        for network, theta in zip(self._networks, self.theta(), strict=True):
            load_parameters(network, theta)
        return list(self._networks)
