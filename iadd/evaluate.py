"""What a distilled set is worth, beside its two yardsticks (paper, section 4.1).

Networks are trained from scratch on the distilled images, on as many random real images, and on
the whole training set, with the same augmentation and the same network, and asked about test
images that no choice was made by.
"""

from collections.abc import Callable
from statistics import mean

import torch
from torch import Tensor

from iadd.config import Config
from iadd.distilled import DistilledDataset
from iadd.imageset import ImageSet
from iadd.normalisation import Normalisation
from iadd.progress import Progress, ProgressListener, ignore_progress
from iadd.scores import Evaluation, Scores
from iadd.selection import random_images
from iadd.training import Recipe, predict, train_network


def evaluate(
    distilled: DistilledDataset,
    test: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Train networks on a distilled set at its learned rate α, and test them.

    Args:
        distilled: The set.
        test: Images; those of the ``test`` split are asked about.
        config: How many networks, and how to train them.
        on_progress: Called after each network.
        device: Where to compute.
    """
    listener, total = on_progress or ignore_progress, config.evaluation.evaluation_networks
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    recipe = small_set_recipe(config, distilled.syn_lr)
    asked = test.part("test")
    scores = [
        _score(
            images,
            labels,
            asked,
            distilled.normalisation,
            config,
            recipe,
            ("evaluation", number),
            _Beat(listener, number, total, recipe.epochs),
        )
        for number in range(total)
    ]
    return Evaluation(scores, test.classes, recipe.lr, recipe.epochs, len(labels))


def evaluate_random(
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """The honest small yardstick: as many random real images, another subset for each network.

    The subsets are trained on for as many steps, with the same augmentation, at a learning rate
    of their own: the best of ``baseline_lrs`` on the validation split.

    Args:
        images: Images of all three splits.
        config: Settings of the run.
        on_progress: Called after each network.
        device: Where to compute.

    Raises:
        TooFewImagesError: When a class holds fewer training images than the distilled set.
    """
    listener = on_progress or ignore_progress
    train, validation, test = (images.part(name) for name in ("train", "validation", "test"))
    normalisation = Normalisation.of(train.images)
    evaluation = config.evaluation
    trials = [
        (lr, trial)
        for lr in evaluation.baseline_lrs
        for trial in range(config.distillation.validation_networks)
    ]
    total = len(trials) + evaluation.evaluation_networks

    def score(lr: float, purpose: tuple[str | int, ...], asked: ImageSet, done: int) -> Scores:
        chosen = random_images(
            train,
            config.distillation.images_per_class,
            seed=config.seed,
            purpose="/".join(str(p) for p in purpose),
        )
        recipe = small_set_recipe(config, lr)
        return _score(
            normalisation.apply(train.images[chosen].to(device)),
            train.labels[chosen].to(device),
            asked,
            normalisation,
            config,
            recipe,
            purpose,
            _Beat(listener, done, total, recipe.epochs),
        )

    on_validation: dict[float, list[float]] = {lr: [] for lr in evaluation.baseline_lrs}
    for done, (lr, trial) in enumerate(trials):
        scores = score(lr, ("random", "validation", trial), validation, done)
        on_validation[lr].append(scores.balanced_accuracy)
    best = max(on_validation, key=lambda lr: mean(on_validation[lr]))
    tested = [
        score(best, ("random", number), test, len(trials) + number)
        for number in range(evaluation.evaluation_networks)
    ]
    size = config.distillation.images_per_class * len(images.classes)
    return Evaluation(tested, images.classes, best, evaluation.evaluation_epochs, size)


def evaluate_full(
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """The large yardstick: networks trained on the whole training split.

    They are trained as the teachers are (learning rate, momentum, batch size) for
    ``full_epochs``, the rate falling at half time.

    Args:
        images: Images of all splits.
        config: Settings of the run.
        on_progress: Called after each network.
        device: Where to compute.
    """
    listener, total = on_progress or ignore_progress, config.evaluation.evaluation_networks
    train, test = images.part("train"), images.part("test")
    normalisation = Normalisation.of(train.images)
    data, labels = train.images.to(device), train.labels.to(device)
    recipe = Recipe(
        lr=config.teacher.teacher_lr,
        epochs=config.evaluation.full_epochs,
        batch_size=config.teacher.teacher_batch_size,
        momentum=config.teacher.teacher_momentum,
    )
    scores = []
    for number in range(total):
        beat = _Beat(listener, number, total, recipe.epochs)
        network = train_network(
            lambda batch: normalisation.apply(data[batch]),
            labels,
            classes=len(train.classes),
            channels=data.shape[1],
            config=config,
            recipe=recipe,
            purpose=("full", number),
            on_epoch=beat,
        )
        scores.append(Scores.of(predict(network, test, normalisation), test.labels))
    return Evaluation(scores, images.classes, recipe.lr, recipe.epochs, len(labels))


def validate(
    images_syn: Tensor,
    labels: Tensor,
    syn_lr: float,
    validation: ImageSet,
    normalisation: Normalisation,
    config: Config,
    *,
    on_epoch: Callable[[], None] | None = None,
) -> float:
    """Mean balanced accuracy on the validation split: what the best iteration is chosen by.

    Args:
        images_syn: (M, C, H, W), normalised.
        labels: (M,) int64.
        syn_lr: α.
        validation: Images of the validation split.
        normalisation: Of the training images.
        config: Settings of the run.
        on_epoch: Called after each pass; may raise to stop.
    """
    recipe = small_set_recipe(config, syn_lr)
    return mean(
        _score(
            images_syn,
            labels,
            validation,
            normalisation,
            config,
            recipe,
            # The same initialisations each time: iterations are compared, not luck.
            ("validation", number),
            on_epoch,
        ).balanced_accuracy
        for number in range(config.distillation.validation_networks)
    )


def small_set_recipe(config: Config, lr: float) -> Recipe:
    """How every small set is trained on, distilled or real: only the learning rate differs."""
    evaluation = config.evaluation
    return Recipe(
        lr=lr,
        epochs=evaluation.evaluation_epochs,
        batch_size=evaluation.evaluation_batch_size,
        momentum=evaluation.evaluation_momentum,
    )


class _Beat:
    """Turns the epochs of one network into progress of all."""

    def __init__(self, listener: ProgressListener, number: int, total: int, epochs: int) -> None:
        self._listener = listener
        self._done, self._total = number * epochs, total * epochs

    def __call__(self) -> None:
        self._done += 1
        self._listener(
            Progress(phase="evaluating", done=self._done, total=self._total, unit="epochs")
        )


def _score(
    images: Tensor,
    labels: Tensor,
    asked: ImageSet,
    normalisation: Normalisation,
    config: Config,
    recipe: Recipe,
    purpose: tuple[str | int, ...],
    on_epoch: Callable[[], None] | None,
) -> Scores:
    """Train one network on a small set of normalised images and ask it about real ones."""
    network = train_network(
        lambda batch: images[batch],
        labels,
        classes=len(asked.classes),
        channels=images.shape[1],
        config=config,
        recipe=recipe,
        purpose=purpose,
        on_epoch=on_epoch,
    )
    return Scores.of(predict(network, asked, normalisation), asked.labels)
