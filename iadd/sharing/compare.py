"""Compares the same networks trained on own images, on received sets, and on both.

All are tested on the same own test images. The rows are comparable for these reasons:

- The classes are the own ones that some received set has; images of others are left out of every
  row and of the test.
- Every network takes the same number of steps, with the momentum, augmentation and falling rate of
  the received sets' recipe, and in every mini-batch each class weighs the same (see
  :mod:`iadd.sharing.mixed_batch`). The steps are the recipe's too, unless there are so many own
  images that each would be seen less than ``full_epochs`` times: then every row takes the steps
  that they need.
- Network number n has the same initialisation in every row, and where own images are few, the same
  own images in both rows that train on them.
- ``received`` takes α, the rate that the set was made for. The other rows have no such rate: both
  choose among the same rates, α included, and ``both`` then chooses the received part of a
  mini-batch, so that a hospital with thousands of images may give the received ones less weight.
  These choices are made on the own validation split, with separate networks. The test split is
  read once, when all choices are made.

The own validation split is not made smaller where few own images are trained on: the rows that
train on own images choose as well as they can, so that ``received`` has no advantage.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from statistics import geometric_mean, mean
from typing import Any

import torch

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.runtime.progress import ProgressCounter, ProgressListener
from iadd.sharing.comparison_table import ROWS, Comparison, Row, Source
from iadd.sharing.mixed_trainer import OWN, RECEIVED, MixedTrainer, TrainingRun
from iadd.sharing.received import Received, SetMismatchError, covered_classes
from iadd.training.saved_network import TrainedNetwork

SHARES = (1 / 2, 1 / 8, 1 / 32)
"""Received parts of a mini-batch to choose from where own images are trained on too: from one half,
for few own images, to very little, for thousands."""


class ComparisonError(ValueError):
    """A comparison lacks images that it needs. The message names them."""


def compare(
    received: Sequence[Received],
    images: ImageSet,
    config: Config | None = None,
    *,
    rows: Sequence[str] | None = None,
    own_per_class: int | None = None,
    on_trained: Callable[[str, int, TrainedNetwork], None] | None = None,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Comparison:
    """Train networks on own images, on received sets and on both, and test them on own images.

    Received images are converted to the size, channels and normalisation of the own ones
    (:mod:`iadd.sharing.received`). The module docstring says how the rows are kept comparable.

    Args:
        received: One or several sets with confirmed class maps.
        images: Own images. The test split is used to test; the train and validation splits may be
            empty, and then only ``received`` can be compared.
        config: Number of networks, their architecture, and how to train them: :func:`settings_for`
            the received sets unless given.
        rows: Some of ``ROWS``; all that there are images for unless given.
        own_per_class: Own images of each class to train on, a new draw for each network; all
            unless given, 0 for none.
        on_trained: Called with the row, the number and the network, before it is tested.
        on_progress: Called after each network's epoch, phase ``evaluating``; may raise to stop.
        device: Device to compute on.

    Raises:
        ClassMapError: When a class map does not fit, or leaves fewer than two classes.
        SetMismatchError: When images cannot be combined.
        ComparisonError: When there are no images for a row, to choose by, or to test with.
        TooFewImagesError: When a class has fewer own training images than ``own_per_class``.
        ConfigError: When the received sets' network does not fit the own images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    trained_on = 0 if rows is not None and set(rows) == {"received"} else own_per_class
    config = config or settings_for(received, images, own_per_class=trained_on)
    _check_size(images, config)
    classes = covered_classes(received, images.classes)
    known = images.of_classes(classes)
    train, validation, test = (known.part(name) for name in ("train", "validation", "test"))
    wanted = _choose_rows(rows, has_own=len(train) > 0 and own_per_class != 0)
    if missing := [name for name, count in test.count_by_class().items() if count == 0]:
        raise ComparisonError(
            f"There are no test images of {', '.join(missing)}: add some, or map no received class "
            "to it."
        )
    if len(validation) == 0 and wanted != ("received",):
        raise ComparisonError(
            "There are no validation images to choose a learning rate by: add some, or request "
            "the row “received” alone, which has its own rate."
        )
    trainer = MixedTrainer(
        received,
        classes,
        config,
        own=train if len(train) > 0 and own_per_class != 0 else None,
        own_per_class=own_per_class or None,
        device=device,
    )
    alphas = tuple(dict.fromkeys(one.distilled.syn_lr for one in received))
    evaluator = _RowEvaluator(trainer, validation, test, config, alphas, on_progress, wanted)
    lines = {}
    for name in wanted:
        lr, share = evaluator.choose(name)
        lines[name] = evaluator.test(name, lr, share, on_trained)
    return Comparison(
        rows=lines,
        classes=classes,
        left_out=tuple(name for name in images.classes if name not in classes),
        test_images=test.count_by_class(),
        steps=trainer.steps,
        own_per_class=own_per_class,
        received=tuple(
            Source(
                one.name,
                one.class_map,
                len(one.distilled),
                one.distilled.images.shape[-1],
                one.distilled.syn_lr,
                one.distilled.config.evaluation.evaluation_epochs,
            )
            for one in received
        ),
        config=config,
    )


def train_received(
    received: Sequence[Received],
    ours: Sequence[str],
    config: Config | None = None,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> TrainedNetwork:
    """Train a network on received sets alone, where there are no own images at all.

    The network takes the size, channels and normalisation of the first set.

    Args:
        received: One or several sets with confirmed class maps.
        ours: Names of the own classes.
        config: Network and training; those of the first set unless given.
        on_progress: Called after each epoch, phase ``training``; may raise to stop.
        device: Device to compute on.

    Raises:
        ClassMapError: When a class map does not fit, or leaves fewer than two classes.
        SetMismatchError: When the sets cannot be combined.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    config = config or received[0].distilled.config
    trainer = MixedTrainer(received, covered_classes(received, ours), config, device=device)
    run = TrainingRun(("comparison", 0), geometric_mean([one.distilled.syn_lr for one in received]))
    counter = ProgressCounter(on_progress, config.evaluation.evaluation_epochs, phase="training")
    (network,) = trainer.train(RECEIVED, [run], counter)
    return network


def settings_for(
    received: Sequence[Received],
    images: ImageSet,
    changes: Mapping[str, Any] | None = None,
    *,
    own_per_class: int | None = None,
) -> Config:
    """Return the settings of the first received set, at the size of the own images.

    Network, augmentation, steps, momentum, batch size, number of networks and seed are those that
    its sender evaluated it with, so that its recipe is followed. Only the steps may increase, where
    there are many own images: each of them is to be seen ``full_epochs`` times, or training on them
    would be too short to be compared.

    Args:
        received: The sets.
        images: Own images.
        changes: Settings to change, by flat name; ``evaluation_epochs`` among them is used
            unchanged.
        own_per_class: As in :func:`compare`.

    Raises:
        ClassMapError: When a class map does not fit.
        ConfigError: When the network does not fit images of that size.
        TooFewImagesError: When a class has fewer own training images than ``own_per_class``.
        ValueError: When nothing was received.
    """
    changes = changes or {}
    classes = covered_classes(received, images.classes)
    size = {"image_size": images.images.shape[-1]}
    config = received[0].distilled.config.override({**size, **changes})
    own = images.of_classes(classes).part("train")
    if "evaluation_epochs" in changes or len(own) == 0 or own_per_class == 0:
        return config
    trainer = MixedTrainer(received, classes, config, own=own, own_per_class=own_per_class)
    wanted = config.evaluation.full_epochs / trainer.passes(OWN)
    if wanted <= 1:
        return config
    epochs = math.ceil(config.evaluation.evaluation_epochs * wanted)
    return config.override({"evaluation_epochs": epochs})


def _choose_rows(rows: Sequence[str] | None, *, has_own: bool) -> tuple[str, ...]:
    if rows is None:
        return ROWS if has_own else ("received",)
    if unknown := [name for name in rows if name not in ROWS]:
        raise ComparisonError(f"There is no row {', '.join(unknown)}: there are {', '.join(ROWS)}.")
    if not rows:
        raise ComparisonError(f"No row was requested: there are {', '.join(ROWS)}.")
    if not has_own and set(rows) != {"received"}:
        raise ComparisonError(
            "There are no own training images: add some, or request the row “received” alone."
        )
    return tuple(name for name in ROWS if name in rows)


def _check_size(images: ImageSet, config: Config) -> None:
    height, width = images.images.shape[-2:]
    if height != width:
        raise SetMismatchError(
            f"The own images are {width}×{height} pixels, and networks read squares: load them "
            "with iadd.load_images, which makes them square."
        )
    if width != config.image_size:
        raise SetMismatchError(
            f"The own images are {width} pixels wide and the settings say {config.image_size}: "
            "read them in that size, or set image_size."
        )


@dataclass
class _RowEvaluator:
    """Chooses the settings of rows on the validation split, and tests them."""

    trainer: MixedTrainer
    validation: ImageSet
    test_images: ImageSet
    config: Config
    alphas: tuple[float, ...]
    listener: InitVar[ProgressListener | None]
    rows: InitVar[Sequence[str]]
    counter: ProgressCounter = field(init=False)

    def __post_init__(self, listener: ProgressListener | None, rows: Sequence[str]) -> None:
        networks = sum(self._trials(name) + self._networks for name in rows)
        self.counter = ProgressCounter(
            listener, networks * self.config.evaluation.evaluation_epochs
        )

    def choose(self, row: str) -> tuple[float, float]:
        """Choose the learning rate and the received share of a row on the validation split."""
        rates = self._rates(row)
        share = {"own": OWN, "received": RECEIVED, "both": SHARES[0]}[row]
        lr, reached = rates[0], -math.inf
        if len(rates) > 1:
            lr, reached = self._best_rate(share, rates)
        if row == "both":
            for other in SHARES[1:]:
                _, found = self._best_rate(other, [lr])
                if found > reached:
                    share, reached = other, found
        return lr, share

    def test(
        self,
        row: str,
        lr: float,
        share: float,
        on_trained: Callable[[str, int, TrainedNetwork], None] | None,
    ) -> Row:
        """Train the networks of a row and test them."""
        runs = [TrainingRun(("comparison", number), lr) for number in range(self._networks)]
        networks = self.trainer.train(share, runs, self.counter)
        if on_trained:
            for number, network in enumerate(networks):
                on_trained(row, number, network)
        own = self.trainer.own_images if share < RECEIVED else 0
        received = self.trainer.received_images if share > OWN else 0
        evaluation = Evaluation(
            [
                Scores.of(network.predict(self.test_images), self.test_images.labels)
                for network in networks
            ],
            self.test_images.classes,
            lr,
            max(1, round(self.trainer.passes(share))),
            own + received,
        )
        return Row(evaluation, own, received, share)

    @property
    def _networks(self) -> int:
        return self.config.evaluation.evaluation_networks

    def _rates(self, row: str) -> tuple[float, ...]:
        if row != "received":
            return tuple(dict.fromkeys((*self.alphas, *self.config.evaluation.baseline_lrs)))
        if len(self.alphas) == 1 or len(self.validation) > 0:
            return self.alphas
        return (geometric_mean(self.alphas),)

    def _trials(self, row: str) -> int:
        rates = len(self._rates(row))
        tried = (rates if rates > 1 else 0) + (len(SHARES) - 1 if row == "both" else 0)
        return tried * self.config.distillation.validation_networks

    def _best_rate(self, share: float, rates: Sequence[float]) -> tuple[float, float]:
        """Find the rate whose networks do best on the validation split, the first of equals."""
        trials = self.config.distillation.validation_networks
        # Each rate gets the same initialisations and images, so that chance does not decide.
        networks = self.trainer.train(
            share,
            [
                TrainingRun(("comparison", "validation", trial), lr)
                for lr in rates
                for trial in range(trials)
            ],
            self.counter,
        )
        predictions = [network.predict(self.validation) for network in networks]
        scores = [Scores.of(p, self.validation.labels).balanced_accuracy for p in predictions]
        reached = [mean(scores[n * trials : (n + 1) * trials]) for n in range(len(rates))]
        best = max(reached)
        return rates[reached.index(best)], best
