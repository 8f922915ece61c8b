"""Trains ResNet50 on few real images: "From Scratch" and "Transfer" of the paper's Table 4."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import mean

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.augmentation import augment, draw_augmentation
from iadd.data.image_set import ImageSet
from iadd.data.selection import random_images
from iadd.evaluation.learning_rate import search_rates
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.networks.resnet50 import IMAGENET, build_resnet50
from iadd.runtime.oom import OutOfMemoryError, is_out_of_memory
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import ProgressCounter, ProgressListener
from iadd.runtime.seed import derive_seed, make_generator
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import predict

_COLOUR = 3
_FEWEST = 2
"""Images per step: batch norm needs two."""


def evaluate_resnet50(
    images: ImageSet,
    config: Config,
    *,
    weights: Mapping[str, Tensor] | None = None,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Train ResNet50 on ``images_per_class`` random real images, another subset per network.

    The recipe, the augmentation, and the choice of the rate on the validation split are those of
    :func:`iadd.evaluate_random`; all parameters are trained. Grey images are repeated in three
    channels and normalised as ImageNet's. Under ``bfloat16`` it computes in float32.

    Args:
        images: Images of all three splits, grey or in colour.
        config: Settings of the run; its network is not read.
        weights: Result of :func:`iadd.networks.resnet50.load_weights`; "From Scratch" unless given.
        on_progress: Called after each network's pass over its subset.
        device: Device to compute on.

    Raises:
        TooFewImagesError: When a class holds fewer training images.
        WeightsError: When the weights are not a ResNet50's.
        OutOfMemoryError: When a step does not fit into memory.
    """
    train, validation, test = (
        _in_colour(images.part(name)) for name in ("train", "validation", "test")
    )
    evaluation, per_class = config.evaluation, config.distillation.images_per_class
    trials = config.distillation.validation_networks
    runs = len(evaluation.baseline_lrs) * trials + evaluation.evaluation_networks
    counter = ProgressCounter(on_progress, runs * evaluation.evaluation_epochs)

    def score(tested: ImageSet, lr: float, *rng_key: str | int) -> Scores:
        key = ("resnet50", *rng_key)
        chosen = random_images(
            train, per_class, seed=config.data_seed, rng_key="/".join(str(part) for part in key)
        )
        network = build_resnet50(
            classes=len(images.classes),
            seed=derive_seed(config.seed, *key, "initialisation"),
            weights=weights,
        ).to(device)
        small = IMAGENET.apply(train.images[chosen].to(device))
        labels = train.labels[chosen].to(device)
        _train(network, small, labels, config, lr, make_generator(config.seed, *key), counter)
        return Scores.of(predict(network, tested, IMAGENET), tested.labels)

    def reach(rates: Sequence[float]) -> list[float]:
        # Each rate gets the same networks and subsets, so that chance does not decide.
        return [
            mean(
                score(validation, lr, "validation", trial).balanced_accuracy
                for trial in range(trials)
            )
            for lr in rates
        ]

    try:
        with computing_at(config.compute.precision):
            search = search_rates(
                evaluation.baseline_lrs,
                reach,
                on_extension=lambda: counter.expect(trials * evaluation.evaluation_epochs),
            )
            scores = [score(test, search.best, n) for n in range(evaluation.evaluation_networks)]
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(
            "There is too little memory to train ResNet50: lower evaluation_batch_size."
        ) from error
    size = per_class * len(images.classes)
    epochs = evaluation.evaluation_epochs
    return Evaluation(scores, images.classes, search.best, epochs, size, search)


def _train(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: Config,
    lr: float,
    generator: torch.Generator,
    on_epoch: Callable[[], None],
) -> None:
    """Train a network on a small set of normalised images (M, 3, H, W), and leave it in eval."""
    recipe = small_set_recipe(config, lr)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=recipe.momentum)
    network.train()
    for epoch in range(recipe.epochs):
        if epoch == (recipe.epochs + 1) // 2:
            optimizer.param_groups[0]["lr"] = lr / 10
        order = torch.randperm(len(labels), generator=generator)
        for batch in order.split(recipe.batch_size):
            if len(batch) < _FEWEST:
                continue
            draw = draw_augmentation(config.augmentation, len(batch), generator)
            chosen = batch.to(labels.device)
            logits = network(augment(images[chosen], draw, config.augmentation))
            optimizer.zero_grad()
            F.cross_entropy(logits, labels[chosen]).backward()
            optimizer.step()
        on_epoch()
    network.eval()


def _in_colour(part: ImageSet) -> ImageSet:
    """Repeat grey images in three channels, without a copy."""
    if part.images.shape[1] == _COLOUR:
        return part
    return replace(part, images=part.images.expand(-1, _COLOUR, -1, -1))
