"""Training one network from scratch, and asking it what it sees."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.augment import augment, draw_augmentation
from iadd.config import Config
from iadd.imageset import ImageSet
from iadd.networks import build_network
from iadd.normalisation import Normalisation
from iadd.seeding import derive_seed, make_generator

_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: SGD with momentum, the rate a tenth from half time on.

    Attributes:
        lr: Learning rate of the first half.
        epochs: Passes over the images.
        batch_size: Images per step at most.
        momentum: Of SGD.
    """

    lr: float
    epochs: int
    batch_size: int
    momentum: float


def train_network(
    fetch: Callable[[Tensor], Tensor],
    labels: Tensor,
    *,
    classes: int,
    channels: int,
    config: Config,
    recipe: Recipe,
    purpose: tuple[str | int, ...],
    on_epoch: Callable[[], None] | None = None,
) -> nn.Module:
    """Train a network from a fresh initialisation, with the augmentation of the run.

    Args:
        fetch: Maps indices (n,) to normalised images (n, C, H, W) on the device of the labels.
        labels: (M,) int64; their device is where to compute.
        classes: Number of logits.
        channels: C of the images.
        config: Network, augmentation and seed.
        recipe: How to train.
        purpose: Names the draw of initialisation and batches.
        on_epoch: Called after each pass; may raise to stop.
    """
    device = labels.device
    network = build_network(
        config.network,
        channels=channels,
        classes=classes,
        image_size=config.image_size,
        seed=derive_seed(config.seed, *purpose, "initialisation"),
    ).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=recipe.lr, momentum=recipe.momentum)
    generator = make_generator(config.seed, *purpose, "batches")
    for epoch in range(recipe.epochs):
        if epoch == (recipe.epochs + 1) // 2:
            optimizer.param_groups[0]["lr"] = recipe.lr / 10
        order = torch.randperm(len(labels), generator=generator).to(device)
        for batch in order.split(recipe.batch_size):
            draw = draw_augmentation(config.augmentation, len(batch), generator)
            images = augment(fetch(batch), draw, config.augmentation)
            loss = F.cross_entropy(network(images), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if on_epoch:
            on_epoch()
    return network


@torch.no_grad()
def predict(network: nn.Module, images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Class probabilities of real images, (N, classes), on the CPU. No augmentation."""
    device = next(network.parameters()).device
    logits = [
        network(normalisation.apply(chunk.to(device))).cpu()
        for chunk in images.images.split(_CHUNK)
    ]
    return torch.cat(logits).softmax(dim=1)
