"""What a distilled set is for: a network trained on it."""

import torch
from torch import nn

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.evaluation.evaluator import small_set_recipe
from iadd.training.trainer import train_network


def train(
    distilled: DistilledDataset,
    config: Config | None = None,
    *,
    lr: float | None = None,
    number: int = 0,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Train a network on a distilled set as :func:`iadd.evaluate` trains those that it asks.

    Args:
        distilled: The set, fresh or from a bundle.
        config: Network, augmentation, epochs and seed; the set's own unless given.
        lr: Learning rate; α, which was learned with the images, unless given.
        number: Another number is another initialisation.
        device: Where to compute.

    Returns:
        The network. It reads images as ``distilled.normalisation`` makes them:
        :func:`iadd.predict` does both.
    """
    config = config or distilled.config
    images = distilled.images.to(device)
    return train_network(
        lambda batch: images[batch],
        distilled.labels.to(device),
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=small_set_recipe(config, distilled.syn_lr if lr is None else lr),
        purpose=("evaluation", number),
    )
