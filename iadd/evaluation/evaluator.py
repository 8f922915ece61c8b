"""Evaluates a distilled set beside its two baselines (paper, section 4.1).

Networks are trained from scratch on the distilled images, on as many random real images, and on
the whole training set, with the same augmentation and the same network, and tested on images that
took no part in any choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation, fit_normalisation
from iadd.data.selection import random_images
from iadd.evaluation.learning_rate import RateSearch, search_rates
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import ProgressCounter, ProgressListener
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
    evaluation = config.evaluation
    counter = ProgressCounter(
        on_progress, evaluation.evaluation_networks * evaluation.evaluation_epochs
    )
    rate = distilled.syn_lr if lr is None else lr
    return _evaluate_at(rate, distilled, test, config, counter, device)


def choose_lr(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> float:
    """Choose the learning rate at which a network learns best from a distilled set.

    The rate that :func:`search_lr` finds, with the same arguments and errors.
    """
    found = search_lr(distilled, images, config, on_progress=on_progress, device=device)
    return found.best


def search_lr(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> RateSearch:
    """Search the learning rate at which a network learns best from a distilled set.

    Use it for networks other than the one that α was learned for, and for sets of selected real
    images, which have no α of their own. α and each of ``baseline_lrs`` are tried with
    ``validation_networks`` networks, and further rates while the best one is the last tried
    (:func:`iadd.evaluation.learning_rate.search_rates`); the test split is not read.

    Args:
        distilled: The set.
        images: Images; those of the ``validation`` split are used.
        config: Architecture, and how to train it.
        on_progress: Called after each network's pass over the set. Its total grows with each
            further rate.
        device: Device to compute on.

    Returns:
        The rate of the highest mean balanced accuracy and what was tried; the first of equal ones,
        α before the others, unless it lies at an end and another does not.

    Raises:
        ValueError: When there are no validation images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    trials = len(_rates(distilled, config)) * config.distillation.validation_networks
    counter = ProgressCounter(on_progress, trials * config.evaluation.evaluation_epochs)
    return _search_for(distilled, images, config, counter, device)


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
    evaluation, search = config.evaluation, None
    networks = evaluation.evaluation_networks
    can_choose = len(images.part("validation")) > 0
    if can_choose:
        networks += len(_rates(distilled, config)) * config.distillation.validation_networks
    counter = ProgressCounter(on_progress, networks * evaluation.evaluation_epochs)
    if can_choose:
        search = _search_for(distilled, images, config, counter, device)
    rate = distilled.syn_lr if search is None else search.best
    found = _evaluate_at(rate, distilled, images, config, counter, device)
    return replace(found, search=search)


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
    normalisation = fit_normalisation(train.images, config)
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

    search = _search(
        evaluation.baseline_lrs,
        lambda trial: spec("random", "validation", trial),
        validation,
        normalisation,
        config,
        small_set_recipe,
        counter,
    )
    tested = _score(
        [spec("random", number) for number in range(evaluation.evaluation_networks)],
        test,
        normalisation,
        config,
        small_set_recipe(config, search.best),
        on_epoch=counter,
    )
    size = config.distillation.images_per_class * len(images.classes)
    epochs = evaluation.evaluation_epochs
    return Evaluation(tested, images.classes, search.best, epochs, size, search)


def evaluate_full(
    images: ImageSet,
    config: Config,
    *,
    lrs: Sequence[float] = (),
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
        lrs: Learning rates to choose from on the validation split, and to go beyond while the best
            one is the last tried; each costs ``validation_networks`` trainings on all images. The
            teachers' rate unless given, or where there are no validation images.
        on_progress: Called after each network's pass over the images. Its total grows with each
            further rate.
        device: Device to compute on.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    total, epochs = config.evaluation.evaluation_networks, config.evaluation.full_epochs
    train, validation, test = (images.part(name) for name in ("train", "validation", "test"))
    normalisation = fit_normalisation(train.images, config)
    data, labels = train.images.to(device), train.labels.to(device)
    at_once = config.compute.networks_at_once or 1
    lrs = lrs if len(validation) else ()
    trials = len(lrs) * config.distillation.validation_networks
    counter = ProgressCounter(on_progress, (trials + total) * epochs)

    def spec(*rng_key: str | int) -> NetworkSpec:
        return NetworkSpec(
            lambda batch: normalisation.apply(data[batch]), labels, rng_key, seed=config.data_seed
        )

    search = None
    if lrs:
        search = _search(
            lrs,
            lambda trial: spec("full", "validation", trial),
            validation,
            normalisation,
            config,
            full_set_recipe,
            counter,
            at_once=at_once,
        )
    recipe = full_set_recipe(config, None if search is None else search.best)
    scores = _score(
        [spec("full", number) for number in range(total)],
        test,
        normalisation,
        config,
        recipe,
        at_once=at_once,
        on_epoch=counter,
    )
    return Evaluation(scores, images.classes, recipe.lr, recipe.epochs, len(labels), search)


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


def _spec(images: Tensor, labels: Tensor, rng_key: RngKey) -> NetworkSpec:
    """Specify a network to train on a small set of normalised images."""
    return NetworkSpec(lambda batch: images[batch], labels, rng_key)


def _evaluate_at(
    lr: float,
    distilled: DistilledDataset,
    test: ImageSet,
    config: Config,
    counter: ProgressCounter,
    device: torch.device | str,
) -> Evaluation:
    recipe = small_set_recipe(config, lr)
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    scores = _score(
        [
            _spec(images, labels, ("evaluation", number))
            for number in range(config.evaluation.evaluation_networks)
        ],
        test.part("test"),
        distilled.normalisation,
        config,
        recipe,
        on_epoch=counter,
    )
    return Evaluation(scores, test.classes, recipe.lr, recipe.epochs, len(labels))


def _search_for(
    distilled: DistilledDataset,
    images: ImageSet,
    config: Config,
    counter: ProgressCounter,
    device: torch.device | str,
) -> RateSearch:
    validation = images.part("validation")
    if len(validation) == 0:
        raise ValueError("A learning rate is chosen on the validation split, and it is empty.")
    small, labels = distilled.images.to(device), distilled.labels.to(device)
    return _search(
        _rates(distilled, config),
        lambda trial: _spec(small, labels, ("rate", trial)),
        validation,
        distilled.normalisation,
        config,
        small_set_recipe,
        counter,
    )


def _search(
    grid: Sequence[float],
    spec: Callable[[int], NetworkSpec],
    validation: ImageSet,
    normalisation: Normalisation,
    config: Config,
    recipe_of: Callable[[Config, float], Recipe],
    counter: ProgressCounter,
    *,
    at_once: int | None = None,
) -> RateSearch:
    """Search a rate by ``validation_networks`` networks, with the same specs for each rate."""
    trials = config.distillation.validation_networks
    epochs = recipe_of(config, max(grid)).epochs

    def reach(rates: Sequence[float]) -> list[float]:
        scores = _score(
            # Each rate gets the same initialisations, so that chance does not decide between rates.
            [replace(spec(trial), lr=lr) for lr in rates for trial in range(trials)],
            validation,
            normalisation,
            config,
            recipe_of(config, max(rates)),
            at_once=at_once,
            on_epoch=counter,
        )
        figures = [score.balanced_accuracy for score in scores]
        return [mean(figures[n * trials : (n + 1) * trials]) for n in range(len(rates))]

    return search_rates(grid, reach, on_extension=lambda: counter.expect(trials * epochs))


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
