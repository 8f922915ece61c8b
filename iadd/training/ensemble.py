"""Several networks of one form as one: each operation is carried out for all of them at once.

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
    """What a step of k networks finds out.

    Attributes:
        gradients: One tensor (k, …) per parameter.
        right: (k, N) bool: which images each network named right, before the step.
    """

    gradients: list[Tensor]
    right: Tensor


class StackedNetworks:
    """Networks of one form with parameters of their own, (K, …) each.

    Args:
        networks: K networks of the same form, without buffers. They are read once, and written by
            :meth:`unstack`.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self._networks = list(networks)
        stacked, _ = stack_module_state(self._networks)
        self.parameters: dict[str, Tensor] = {
            name: tensor.detach().requires_grad_() for name, tensor in stacked.items()
        }

    def __len__(self) -> int:
        return len(self._networks)

    def look(self, images: Tensor, labels: Tensor, networks: slice = slice(None)) -> Step:
        """Gradient of each network's mean cross-entropy on its own images.

        Args:
            images: (k, N, C, H, W), normalised, for the k networks of the slice.
            labels: (k, N) int64.
            networks: Which of the K; all of them unless given.

        Returns:
            The gradients in the order of ``parameters``.
        """
        names = list(self.parameters)
        # Leaves of their own, so that the gradient is no larger than the slice.
        chosen = [p.detach()[networks].requires_grad_() for p in self.parameters.values()]
        form = self._networks[0]

        def loss(
            parameters: Sequence[Tensor], seen: Tensor, named: Tensor
        ) -> tuple[Tensor, Tensor]:
            logits = functional_call(form, dict(zip(names, parameters, strict=True)), (seen,))
            return F.cross_entropy(logits, named), logits.detach().argmax(dim=1) == named

        if len(images) == 1:
            # Without vmap, a network alone is computed as networks always are, to the bit.
            total, right = loss([parameter[0] for parameter in chosen], images[0], labels[0])
            right = right[None]
        else:
            losses, right = vmap(loss)(chosen, images, labels)
            # The networks share no term: the gradient of the sum is each one's own.
            total = losses.sum()
        return Step(list(torch.autograd.grad(total, chosen)), right)

    def theta(self) -> Tensor:
        """Parameters of every network as a vector, (K, P), in the order of the networks' own."""
        parts = [tensor.detach().flatten(start_dim=1) for tensor in self.parameters.values()]
        return torch.cat(parts, dim=1)

    def unstack(self) -> list[nn.Module]:
        """Write the parameters back into the networks that were stacked, and return these."""
        for network, theta in zip(self._networks, self.theta(), strict=True):
            load_parameters(network, theta)
        return list(self._networks)
