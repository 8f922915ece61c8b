"""Condensation: images that networks see as they see the real ones, without teachers.

DM (Zhao and Bilen 2023, WACV, arXiv 2110.04181, eq. 6) compares what random networks ψ make of real
images T and distilled images S of each class c:

    L = Σ_c ‖ mean ψ(𝒜(T_c)) − mean ψ(𝒜(S_c)) ‖²

DC (Zhao et al. 2021, ICLR, arXiv 2006.05929, eqs. 9 and 10) compares the gradients that they give a
network that is trained on S in between; DSA (Zhao and Bilen 2021, ICML, arXiv 2102.08259, eq. 5)
augments both alike:

    L = Σ_c Σ_layers Σ_outputs 1 − cos(∇_θ ℓ(𝒜(T_c)), ∇_θ ℓ(𝒜(S_c)))

One draw of 𝒜 serves all real and distilled images of a class. Shapes: M distilled images.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.config import Config, Method
from iadd.data.augmentation import AugmentationDraw, augment, draw_augmentation
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.networks.build import build_network, flatten_parameters, load_parameters
from iadd.runtime.seed import derive_seed, make_generator

_NETWORK_LR, _NETWORK_MOMENTUM = 0.01, 0.5
"""How DC and DSA train their network on the distilled images, as published."""

Pair = tuple[Tensor, Tensor, int]
"""Real images of a class, distilled ones, both augmented (n, C, H, W), and the class."""


class Condensation:
    """Compares distilled with real images, one network after the other.

    Args:
        method: ``dm``, ``dc`` or ``dsa``.
        train: Real images of the training split.
        labels: Of the distilled images, (M,).
        normalisation: Of the real images.
        config: Settings of the run.
        device: Device to compute on.

    Attributes:
        network: The network that both are shown to.
    """

    def __init__(
        self,
        method: Method,
        train: ImageSet,
        labels: Tensor,
        normalisation: Normalisation,
        config: Config,
        device: torch.device | str,
    ) -> None:
        self._method, self._train, self._config = method, train, config
        self._normalisation, self._device = normalisation, device
        self._classes = range(len(train.classes))
        self._rows = [(train.labels == label).nonzero().flatten() for label in self._classes]
        self._distilled_rows = [(labels == label).nonzero().flatten() for label in self._classes]
        self._labels = labels.to(device)
        self.network = self._new_network(0)

    def gradient(self, images: Tensor, iteration: int) -> tuple[Tensor, Tensor]:
        """Compute L, a scalar, and ∂L/∂D, (M, C, H, W).

        Args:
            images: The distilled images, (M, C, H, W), normalised.
            iteration: Of the run, from 0: the draws follow from it.
        """
        if self._starts_anew(iteration):
            self.network = self._new_network(iteration)
        images = images.detach().requires_grad_()
        compare = features_apart if self._method == "dm" else gradients_apart
        loss = torch.zeros((), device=images.device)
        gradient = torch.zeros_like(images)
        for pair in self._pairs(images, iteration):
            # Class by class, so that memory holds the graph of one.
            part = compare(self.network, *pair)
            gradient += torch.autograd.grad(part, images)[0]
            loss += part.detach()
        return loss, gradient

    def train_network(self, images: Tensor, iteration: int) -> None:
        """Train the network on the distilled images before the next comparison (DC, DSA).

        Args:
            images: The distilled images, (M, C, H, W), normalised.
            iteration: Of the comparison just made.
        """
        if self._method == "dm" or self._starts_anew(iteration + 1):
            return
        generator = make_generator(self._config.data_seed, "condensation", iteration, "network")
        parameters = [*self.network.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=_NETWORK_LR, momentum=_NETWORK_MOMENTUM)
        size = min(self._config.evaluation.evaluation_batch_size, len(images))
        for _ in range(self._config.distillation.network_epochs):
            for batch in torch.randperm(len(images), generator=generator).split(size):
                draw = self._draw(len(batch), generator)
                seen = augment(images[batch].detach(), draw, self._config.augmentation)
                loss = F.cross_entropy(self.network(seen), self._labels[batch.to(self._device)])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def parameters(self) -> Tensor:
        """Copy the network's parameters into one vector, (P,), for a checkpoint."""
        return flatten_parameters(self.network)

    def restore(self, theta: Tensor) -> None:
        """Restore the network of a checkpoint from a vector (P,)."""
        load_parameters(self.network, theta)

    def _starts_anew(self, iteration: int) -> bool:
        life = 1 if self._method == "dm" else self._config.distillation.network_life
        return iteration % life == 0

    def _new_network(self, iteration: int) -> Classifier:
        return build_network(
            self._config.network,
            channels=self._train.images.shape[1],
            classes=len(self._classes),
            image_size=self._config.image_size,
            seed=derive_seed(self._config.data_seed, "condensation", iteration),
            precision=self._config.compute.precision,
        ).to(self._device)

    def _pairs(self, images: Tensor, iteration: int) -> Iterator[Pair]:
        generator = make_generator(self._config.data_seed, "condensation", iteration, "images")
        for label in self._classes:
            rows, size = self._rows[label], self._config.distillation.real_batch_size
            chosen = rows[torch.randperm(len(rows), generator=generator)[:size]]
            draw = self._draw(1, generator)
            real = self._normalisation.apply(self._train.images[chosen].to(self._device))
            small = images[self._distilled_rows[label].to(self._device)]
            yield self._alike(real, draw), self._alike(small, draw), label

    def _draw(self, count: int, generator: torch.Generator) -> AugmentationDraw:
        # DC knows no augmentation.
        if self._method == "dc":
            return AugmentationDraw(None, torch.zeros(count, 0))
        return draw_augmentation(self._config.augmentation, count, generator)

    def _alike(self, images: Tensor, draw: AugmentationDraw) -> Tensor:
        shared = AugmentationDraw(draw.operation, draw.uniforms.expand(len(images), -1))
        return augment(images, shared, self._config.augmentation)


def features_apart(network: Classifier, real: Tensor, distilled: Tensor, label: int) -> Tensor:
    """Compute DM's loss of one class, a scalar, differentiable in the distilled images.

    Args:
        network: ψ, its last layer left out.
        real: Real images of the class, augmented, (N, C, H, W).
        distilled: Distilled ones, (n, C, H, W).
        label: Of both; not read.
    """
    with torch.no_grad():
        target = network.features(real).mean(dim=0)
    return (network.features(distilled).mean(dim=0) - target).square().sum()


def gradients_apart(network: Classifier, real: Tensor, distilled: Tensor, label: int) -> Tensor:
    """Compute DC's loss of one class, a scalar, differentiable in the distilled images.

    Args:
        network: Gives the gradients.
        real: Real images of the class, augmented, (N, C, H, W).
        distilled: Distilled ones, (n, C, H, W).
        label: Of both.
    """
    target = [one.detach() for one in _gradients(network, real, label, differentiable=False)]
    found = _gradients(network, distilled, label, differentiable=True)
    return sum_of_cosine_distances(found, target)


def _gradients(
    network: Classifier, images: Tensor, label: int, *, differentiable: bool
) -> Sequence[Tensor]:
    labels = torch.full((len(images),), label, device=images.device)
    loss = F.cross_entropy(network(images), labels)
    return torch.autograd.grad(loss, [*network.parameters()], create_graph=differentiable)


def sum_of_cosine_distances(found: Sequence[Tensor], target: Sequence[Tensor]) -> Tensor:
    """Sum 1 − cos over the outputs of each layer's weight; biases and norms do not count.

    Args:
        found: A gradient for each parameter, (outputs, …).
        target: The same of the real images.
    """
    cosines = [
        F.cosine_similarity(one.flatten(1), other.flatten(1), dim=1, eps=1e-6)
        for one, other in zip(found, target, strict=True)
        if one.ndim > 1
    ]
    return (1 - torch.cat(cosines)).sum()
