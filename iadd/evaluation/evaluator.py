"""Evaluates a distilled set beside its two baselines (paper, section 4.1).

Networks are trained from scratch on the distilled images, on as many random real images, and on
the whole training set, with the same augmentation and the same network, and tested on images that
took no part in any choice.
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
from iadd.runtime.progress import Progress, ProgressCounter, ProgressListener, ignore_progress
from iadd.training.recipe import Recipe, full_set_recipe, small_set_recipe
from iadd.training.trainer import NetworkSpec, RngKey, predict_each, train_networks


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

    α is learned for the network that the set was distilled with. For other architectures (section
    4.4), with ``config.override({"network": "resnet18"})``, another rate may suit better: see
    :func:`choose_lr`.

    Args:
        distilled: The set.
        test: Images; those of the ``test`` split are used.
        config: Architecture, number of networks, and how to train them.
        lr: Learning rate; α unless given.
        on_progress: Called after each network's pass over the set.
        device: Device to compute on.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    total = config.evaluation.evaluation_networks
    recipe = small_set_recipe(config, distilled.syn_lr if lr is None else lr)
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    scores = _score(
        [_spec(images, labels, ("evaluation", number)) for number in range(total)],
        test.part("test"),
        distilled.normalisation,
        config,
        recipe,
        on_epoch=ProgressCounter(on_progress, total * recipe.epochs),
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
    """Choose the learning rate at which a network learns best from a distilled set.

    Use it for networks other than the one that α was learned for, and for sets of selected real
    images, which have no α of their own. α and each of ``baseline_lrs`` are tried with
    ``validation_networks`` networks; the test split is not read.

    Args:
        distilled: The set.
        images: Images; those of the ``validation`` split are used.
        config: Architecture, and how to train it.
        on_progress: Called after each network's pass over the set.
        device: Device to compute on.

    Returns:
        The rate of the highest mean balanced accuracy; the first of equal ones, α before the
        others.

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
    counter = ProgressCounter(
        on_progress, len(rates) * trials * config.evaluation.evaluation_epochs
    )
    return _best_rate(
        rates,
        # Each rate gets the same initialisations, so that chance does not decide between rates.
        lambda trial: _spec(small, labels, ("rate", trial)),
        validation,
        distilled.normalisation,
        config,
        on_epoch=counter,
    )


def evaluate_across(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Evaluate a set on another network than it was made for (section 4.4).

    The learning rate is the best on the validation split, or α where there are no validation
    images. :func:`evaluate_random` with the same settings chooses its rate in the same way: compare
    with that.

    Args:
        distilled: The set.
        images: Images; those of the ``validation`` and ``test`` splits are used.
        config: Settings with that network: :meth:`Config.across`.
        on_progress: Called after each network's pass over the set.
        device: Device to compute on.

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
        part = partial(_notify_part, listener, 0, total)
        lr = choose_lr(distilled, images, config, on_progress=part, device=device)
    part = partial(_notify_part, listener, tried, total)
    return evaluate(distilled, images, config, lr=lr, on_progress=part, device=device)


def evaluate_start(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Evaluate the images that a distillation started from, to tell what distilling brought.

    As many steps, with the same augmentation, at the best of ``baseline_lrs`` on the validation
    split, or at its first where there are no validation images; in grey levels where the set is.

    Args:
        distilled: The set, with its initial images.
        images: Images; those of the ``validation`` and ``test`` splits are used.
        config: Settings of the run.
        on_progress: Called after each network's pass over the start.
        device: Device to compute on.

    Raises:
        ValueError: When the set has no initial images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    if distilled.initial_images is None:
        raise ValueError("This set was not distilled from a start.")
    start = distilled.initial_images
    if config.distillation.image_format != "float":
        start = distilled.normalisation.round_to_grey_levels(distilled.normalisation.clip(start))
    # Without α, which students learned on other images.
    undistilled = replace(distilled, images=start, syn_lr=config.evaluation.baseline_lrs[0])
    return evaluate_across(undistilled, images, config, on_progress=on_progress, device=device)


def evaluate_random(
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Evaluate the random-subset baseline: as many random real images, a new subset per network.

    The networks take as many steps, with the same augmentation, at the best of ``baseline_lrs`` on
    the validation split.

    Args:
        images: Images of all three splits.
        config: Settings of the run.
        on_progress: Called after each network's pass over its subset.
        device: Device to compute on.

    Raises:
        TooFewImagesError: When a class holds fewer training images than the distilled set.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    train, validation, test = (images.part(name) for name in ("train", "validation", "test"))
    normalisation = Normalisation.of(train.images)
    evaluation = config.evaluation
    trials = len(evaluation.baseline_lrs) * config.distillation.validation_networks
    total = trials + evaluation.evaluation_networks
    counter = ProgressCounter(on_progress, total * evaluation.evaluation_epochs)

    def spec(*rng_key: str | int) -> NetworkSpec:
        chosen = random_images(
            train,
            config.distillation.images_per_class,
            seed=config.data_seed,
            rng_key="/".join(str(p) for p in rng_key),
        )
        small = normalisation.apply(train.images[chosen].to(device))
        return _spec(small, train.labels[chosen].to(device), rng_key)

    best = _best_rate(
        evaluation.baseline_lrs,
        lambda trial: spec("random", "validation", trial),
        validation,
        normalisation,
        config,
        on_epoch=counter,
    )
    tested = _score(
        [spec("random", number) for number in range(evaluation.evaluation_networks)],
        test,
        normalisation,
        config,
        small_set_recipe(config, best),
        on_epoch=counter,
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
    """Evaluate the full-set baseline: networks trained on the whole training split.

    They are trained as the teachers are (learning rate, momentum, batch size) for
    ``full_epochs``, with a rate that falls at half time; one at a time, since their batches are
    large, unless ``networks_at_once`` says otherwise.

    Args:
        images: Images of all splits.
        config: Settings of the run.
        on_progress: Called after each network's pass over the images.
        device: Device to compute on.

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
            NetworkSpec(
                lambda batch: normalisation.apply(data[batch]),
                labels,
                ("full", number),
                seed=config.data_seed,
            )
            for number in range(total)
        ],
        test,
        normalisation,
        config,
        recipe,
        at_once=config.compute.networks_at_once or 1,
        on_epoch=ProgressCounter(on_progress, total * recipe.epochs),
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
    """Return the mean balanced accuracy on the validation split, which selects the best iteration.

    Args:
        images_syn: (M, C, H, W), normalised.
        labels: (M,) int64.
        syn_lr: α.
        validation: Images of the validation split.
        normalisation: Normalisation of the training images.
        config: Settings of the run.
        on_epoch: Called after each network's pass; may raise to stop.
    """
    scores = _score(
        [
            # The same initialisations each time, so that chance does not decide.
            _spec(images_syn, labels, ("validation", number))
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
    """Return the learning rates to try with a distilled set: α and ``baseline_lrs``."""
    return tuple(dict.fromkeys((distilled.syn_lr, *config.evaluation.baseline_lrs)))


def _notify_part(listener: ProgressListener, before: int, total: int, progress: Progress) -> None:
    """Report the progress of a part as a part of the whole."""
    listener(replace(progress, done=before + progress.done, total=total))


def _spec(images: Tensor, labels: Tensor, rng_key: RngKey) -> NetworkSpec:
    """Specify a network to train on a small set of normalised images."""
    return NetworkSpec(lambda batch: images[batch], labels, rng_key)


def _best_rate(
    rates: Sequence[float],
    spec: Callable[[int], NetworkSpec],
    validation: ImageSet,
    normalisation: Normalisation,
    config: Config,
    *,
    on_epoch: Callable[[], None],
) -> float:
    """Try each rate with the same ``validation_networks`` specs; return the first of the best."""
    trials = config.distillation.validation_networks
    scores = _score(
        [replace(spec(trial), lr=lr) for lr in rates for trial in range(trials)],
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
    specs: Sequence[NetworkSpec],
    images: ImageSet,
    normalisation: Normalisation,
    config: Config,
    recipe: Recipe,
    *,
    at_once: int | None = None,
    on_epoch: Callable[[], None] | None = None,
) -> list[Scores]:
    """Train networks and score each on real images."""
    networks = train_networks(
        specs,
        classes=len(images.classes),
        channels=images.images.shape[1],
        config=config,
        recipe=recipe,
        at_once=at_once,
        on_epoch=on_epoch,
        on_message=on_epoch.log if isinstance(on_epoch, ProgressCounter) else None,
    )
    with computing_at(config.compute.precision):
        predictions = predict_each(networks, images, normalisation)
    return [Scores.of(probabilities, images.labels) for probabilities in predictions]
