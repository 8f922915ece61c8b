"""What a distilled set is worth, beside its two yardsticks (paper, section 4.1).

Networks are trained from scratch on the distilled images, on as many random real images, and on
the whole training set, with the same augmentation and the same network, and asked about test
images that no choice was made by.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import random_images
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import Beat, Progress, ProgressListener, ignore_progress
from iadd.training.recipe import Recipe, full_set_recipe, small_set_recipe
from iadd.training.trainer import Pupil, Purpose, predict_each, train_networks


def evaluate(
    distilled: DistilledDataset,
    test: ImageSet,
    config: Config,
    *,
    lr: float | None = None,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Train networks on a distilled set, at its learned rate α, and test them.

    α is learned for the network that the set was distilled with. Across architectures (section
    4.4), with ``config.override({"network": "resnet18"})``, another rate may suit better: see
    :func:`choose_lr`.

    Args:
        distilled: The set.
        test: Images; those of the ``test`` split are asked about.
        config: Which network, how many of them, and how to train them.
        lr: Learning rate; α unless given.
        on_progress: Called after each network's pass over the set.
        device: Where to compute.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    total = config.evaluation.evaluation_networks
    recipe = small_set_recipe(config, distilled.syn_lr if lr is None else lr)
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    scores = _score(
        [_pupil(images, labels, ("evaluation", number)) for number in range(total)],
        test.part("test"),
        distilled.normalisation,
        config,
        recipe,
        on_epoch=Beat(on_progress, total * recipe.epochs),
    )
    return Evaluation(scores, test.classes, recipe.lr, recipe.epochs, len(labels))


def choose_lr(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> float:
    """The learning rate at which a network learns best from a distilled set.

    For networks other than the one that α was learned for, and for sets of selected real images,
    which have no α of their own. α and each of ``baseline_lrs`` are tried with
    ``validation_networks`` networks; the test split is not looked at.

    Args:
        distilled: The set.
        images: Images; those of the ``validation`` split are asked about.
        config: Which network, and how to train it.
        on_progress: Called after each network's pass over the set.
        device: Where to compute.

    Returns:
        The rate of the highest mean balanced accuracy; of equals, the first, α before the others.

    Raises:
        ValueError: When there are no validation images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    validation = images.part("validation")
    if len(validation) == 0:
        raise ValueError("A learning rate is chosen on the validation split, and it is empty.")
    rates = _rates(distilled, config)
    trials = config.distillation.validation_networks
    small, labels = distilled.images.to(device), distilled.labels.to(device)
    beat = Beat(on_progress, len(rates) * trials * config.evaluation.evaluation_epochs)
    return _best_rate(
        rates,
        # The same initialisations for each rate: rates are compared, not luck.
        lambda trial: _pupil(small, labels, ("rate", trial)),
        validation,
        distilled.normalisation,
        config,
        on_epoch=beat,
    )


def evaluate_across(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Train another network than the set was made for on it, and test it (section 4.4).

    The learning rate is the best on the validation split, as that of :func:`evaluate_random` with
    the same settings, which is what to compare it with; α where there are no validation images.

    Args:
        distilled: The set.
        images: Images; those of the ``validation`` and ``test`` splits are asked about.
        config: Settings on that network: :meth:`Config.across`.
        on_progress: Called after each network's pass over the set.
        device: Where to compute.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    evaluation, lr = config.evaluation, distilled.syn_lr
    trials = len(_rates(distilled, config)) * config.distillation.validation_networks
    if len(images.part("validation")) == 0:
        trials = 0
    tried = trials * evaluation.evaluation_epochs
    total = tried + evaluation.evaluation_networks * evaluation.evaluation_epochs
    listener = on_progress or ignore_progress
    if trials:
        part = partial(_of_more, listener, 0, total)
        lr = choose_lr(distilled, images, config, on_progress=part, device=device)
    part = partial(_of_more, listener, tried, total)
    return evaluate(distilled, images, config, lr=lr, on_progress=part, device=device)


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
        on_progress: Called after each network's pass over its subset.
        device: Where to compute.

    Raises:
        TooFewImagesError: When a class holds fewer training images than the distilled set.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    train, validation, test = (images.part(name) for name in ("train", "validation", "test"))
    normalisation = Normalisation.of(train.images)
    evaluation = config.evaluation
    trials = len(evaluation.baseline_lrs) * config.distillation.validation_networks
    total = trials + evaluation.evaluation_networks
    beat = Beat(on_progress, total * evaluation.evaluation_epochs)

    def pupil(*purpose: str | int) -> Pupil:
        chosen = random_images(
            train,
            config.distillation.images_per_class,
            seed=config.seed,
            purpose="/".join(str(p) for p in purpose),
        )
        small = normalisation.apply(train.images[chosen].to(device))
        return _pupil(small, train.labels[chosen].to(device), purpose)

    best = _best_rate(
        evaluation.baseline_lrs,
        lambda trial: pupil("random", "validation", trial),
        validation,
        normalisation,
        config,
        on_epoch=beat,
    )
    tested = _score(
        [pupil("random", number) for number in range(evaluation.evaluation_networks)],
        test,
        normalisation,
        config,
        small_set_recipe(config, best),
        on_epoch=beat,
    )
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
    ``full_epochs``, the rate falling at half time; one at a time, as their batches are large,
    unless ``networks_at_once`` says otherwise.

    Args:
        images: Images of all splits.
        config: Settings of the run.
        on_progress: Called after each network's pass over the images.
        device: Where to compute.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    total = config.evaluation.evaluation_networks
    train, test = images.part("train"), images.part("test")
    normalisation = Normalisation.of(train.images)
    data, labels = train.images.to(device), train.labels.to(device)
    recipe = full_set_recipe(config)
    scores = _score(
        [
            Pupil(lambda batch: normalisation.apply(data[batch]), labels, ("full", number))
            for number in range(total)
        ],
        test,
        normalisation,
        config,
        recipe,
        at_once=config.compute.networks_at_once or 1,
        on_epoch=Beat(on_progress, total * recipe.epochs),
    )
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
        on_epoch: Called after each network's pass; may raise to stop.
    """
    scores = _score(
        [
            # The same initialisations each time: iterations are compared, not luck.
            _pupil(images_syn, labels, ("validation", number))
            for number in range(config.distillation.validation_networks)
        ],
        validation,
        normalisation,
        config,
        small_set_recipe(config, syn_lr),
        on_epoch=on_epoch,
    )
    return mean(score.balanced_accuracy for score in scores)


def _rates(distilled: DistilledDataset, config: Config) -> tuple[float, ...]:
    """Learning rates to try with a distilled set: α, and those that others choose from."""
    return tuple(dict.fromkeys((distilled.syn_lr, *config.evaluation.baseline_lrs)))


def _of_more(listener: ProgressListener, before: int, total: int, progress: Progress) -> None:
    """Tell a part as a part of the whole."""
    listener(replace(progress, done=before + progress.done, total=total))


def _pupil(images: Tensor, labels: Tensor, purpose: Purpose) -> Pupil:
    """A network that is trained on a small set of normalised images."""
    return Pupil(lambda batch: images[batch], labels, purpose)


def _best_rate(
    rates: Sequence[float],
    pupil: Callable[[int], Pupil],
    validation: ImageSet,
    normalisation: Normalisation,
    config: Config,
    *,
    on_epoch: Callable[[], None],
) -> float:
    """Try each rate with the same ``validation_networks`` pupils; the first of the best."""
    trials = config.distillation.validation_networks
    scores = _score(
        [replace(pupil(trial), lr=lr) for lr in rates for trial in range(trials)],
        validation,
        normalisation,
        config,
        small_set_recipe(config, max(rates)),
        on_epoch=on_epoch,
    )
    reached = [
        mean(score.balanced_accuracy for score in scores[number * trials : (number + 1) * trials])
        for number in range(len(rates))
    ]
    return rates[reached.index(max(reached))]


def _score(
    pupils: Sequence[Pupil],
    asked: ImageSet,
    normalisation: Normalisation,
    config: Config,
    recipe: Recipe,
    *,
    at_once: int | None = None,
    on_epoch: Callable[[], None] | None = None,
) -> list[Scores]:
    """Train networks and ask each about real images."""
    networks = train_networks(
        pupils,
        classes=len(asked.classes),
        channels=asked.images.shape[1],
        config=config,
        recipe=recipe,
        at_once=at_once,
        on_epoch=on_epoch,
        on_message=on_epoch.say if isinstance(on_epoch, Beat) else None,
    )
    with computing_at(config.compute.precision):
        answers = predict_each(networks, asked, normalisation)
    return [Scores.of(answer, asked.labels) for answer in answers]
