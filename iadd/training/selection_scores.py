"""Scores for selecting real images, from networks trained on them: features, forgetting events.

Shapes: N training images, D features.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import fit_normalisation
from iadd.networks.base import Classifier
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import ProgressCounter, ProgressListener
from iadd.training.recipe import full_set_recipe
from iadd.training.trainer import NetworkSpec, train_networks

_CHUNK = 256


def trained_features(
    train: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Compute the features that a network trained on all images has of each, for herding.

    The network is trained as those of :func:`iadd.evaluate_full` are.

    Args:
        train: Images of the training split.
        config: Settings of the run.
        on_progress: Called after each epoch; may raise to stop.
        device: Device to compute on.

    Returns:
        (N, D) float32, on the CPU: the classifier's inputs for the images without augmentation.
    """
    network = _train(train, config, "herding", on_progress, device, None)
    assert isinstance(network, Classifier)
    normalisation = fit_normalisation(train.images, config)
    with torch.no_grad(), computing_at(config.compute.precision):
        parts = [
            network.features(normalisation.apply(chunk.to(device))).cpu()
            for chunk in train.images.split(_CHUNK)
        ]
    return torch.cat(parts)


def forgetting_events(
    train: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Count how often a network in training forgets each image (Toneva et al., ICLR 2019).

    The prediction for an image is taken when its mini-batch is trained on, with the same
    augmentation, before the step. An image is forgotten when it was classified correctly in one
    epoch and wrongly in the next. The network is trained as those of :func:`iadd.evaluate_full`
    are.

    Args:
        train: Images of the training split.
        config: Settings of the run.
        on_progress: Called after each epoch; may raise to stop.
        device: Device to compute on.

    Returns:
        (N,) int64, on the CPU. An image that was never classified correctly counts as forgotten in
        every epoch, more often than any other can be.
    """
    known = torch.zeros(len(train), dtype=torch.bool, device=device)
    ever = torch.zeros_like(known)
    events = torch.zeros(len(train), dtype=torch.int64, device=device)

    def count(_: int, indices: Tensor, correct: Tensor) -> None:
        events[indices] += known[indices] & ~correct
        known[indices] = correct
        ever[indices] |= correct

    _train(train, config, "forgetting", on_progress, device, count)
    return events.where(ever, config.evaluation.full_epochs).cpu()


def _train(
    train: ImageSet,
    config: Config,
    rng_key: str,
    on_progress: ProgressListener | None,
    device: torch.device | str,
    on_predictions: Callable[[int, Tensor, Tensor], None] | None,
) -> nn.Module:
    recipe = full_set_recipe(config)
    normalisation = fit_normalisation(train.images, config)
    data, labels = train.images.to(device), train.labels.to(device)
    (network,) = train_networks(
        [NetworkSpec(lambda batch: normalisation.apply(data[batch]), labels, (rng_key,))],
        classes=len(train.classes),
        channels=train.images.shape[1],
        config=config,
        recipe=recipe,
        on_epoch=ProgressCounter(on_progress, recipe.epochs, phase="selecting"),
        on_predictions=on_predictions,
    )
    return network
