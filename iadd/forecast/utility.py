"""Forecasts the range that the utility of a distilled set can lie in, before hours are paid.

No image is distilled. Networks of the job are trained on random sets of several sizes, and on all
training images: a distilled set that is no better than as many random images was not worth its
price, and one that reaches all of them has nothing left to gain. The test split is not read: half
of the validation images choose learning rates, the other half tests.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

import torch

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.evaluator import evaluate_full, evaluate_random
from iadd.evaluation.learning_rate import MOST_EXTENSIONS
from iadd.evaluation.metrics import Evaluation
from iadd.intake.splits import SPLITS
from iadd.privacy.statistics import normal_quantile, t_quantile
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Images per class of the random sets, beside the job's own number."""

CONFIDENCE = 0.95

_SHARE_OF_FULL = 0.4
"""Share of the time that training on all images may take."""


@dataclass(frozen=True, kw_only=True)
class UtilityPoint:
    """What networks reach that were trained on one kind of set.

    Attributes:
        per_class: Images of each class; None for all training images.
        images: Images of the set.
        balanced_accuracy: Mean over the networks, 0 to 1.
        interval: 95% interval of what such sets reach: :func:`utility_interval`.
        networks: Number of networks.
        epochs: Passes of each over its set.
        lr: Learning rate.
    """

    per_class: int | None
    images: int
    balanced_accuracy: float
    interval: tuple[float, float]
    networks: int
    epochs: int
    lr: float


@dataclass(frozen=True, kw_only=True)
class UtilityForecast:
    """The range that a distilled set can lie in.

    Attributes:
        random: Random sets by size, those that there was time for; the job's own size among them.
        full: All training images, or None where there was no time.
        full_epochs: Passes over all images that the job's own figure takes. Where `full` has fewer,
            it is a lower bound.
        left_out: Sizes, in images per class, that there was no time for.
        tested_on: Validation images that every network was tested on.
    """

    random: tuple[UtilityPoint, ...]
    full: UtilityPoint | None
    full_epochs: int
    left_out: tuple[int, ...]
    tested_on: int


class NoTimeError(ValueError):
    """The time did not suffice for the job's own size. The message says what to change."""


def forecast_utility(
    images: ImageSet,
    config: Config,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> UtilityForecast:
    """Train networks on random sets and on all images, for a bounded time.

    The job's own size comes first, all images second, with as many passes as fit, and the other
    sizes last, from the smallest on.

    Args:
        images: Images; those of the ``train`` and ``validation`` splits are used.
        config: Settings of the job.
        seconds: Time that it may take. What would take longer is left out.
        clock: Returns seconds.
        on_progress: Called after each network's pass over its set.
        device: Device to compute on.

    Raises:
        NoTimeError: When not even the job's own size fits.
        TooFewImagesError: When a class holds fewer training images than the distilled set.
        ValueError: When a class has fewer than two validation images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    halved = _halve_validation(images)
    trainer = _Trainer(halved, config, clock() + seconds, clock, on_progress, device)
    train = halved.part("train")
    smallest = min(train.count_by_class().values())
    own = config.distillation.images_per_class
    start = clock()
    found = trainer.random(own)
    if found is None:
        raise NoTimeError(
            f"{seconds:.0f} s do not suffice for random sets of {own} images per class: allow more "
            "time, or choose fewer images_per_class or a narrower network."
        )
    points = {own: found}
    # Larger sets take no longer by the image: the estimate errs on the safe side.
    each = (clock() - start) / (trainer.epochs * own * len(images.classes))
    full = trainer.full(each, min(_SHARE_OF_FULL * seconds, trainer.left))
    left_out: list[int] = []
    for size in SIZES:
        if size in points or size > smallest:
            continue
        point = None
        if not left_out and each * trainer.most_passes(size) <= trainer.left:
            point = trainer.random(size)
        if point is None:
            left_out.append(size)
        else:
            points[size] = point
    return UtilityForecast(
        random=tuple(points[size] for size in sorted(points)),
        full=full,
        full_epochs=config.evaluation.full_epochs,
        left_out=tuple(left_out),
        tested_on=len(halved.part("test")),
    )


class _OutOfTimeError(Exception):
    """The time is over: raised from a listener, it ends a training."""


@dataclass
class _Trainer:
    """Trains the networks of one point after the other until the time is over."""

    images: ImageSet
    config: Config
    deadline: float
    clock: Callable[[], float]
    on_progress: ProgressListener | None
    device: torch.device | str
    epochs: int = 0
    """Passes of networks over their sets, so far."""

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.deadline - self.clock()

    def most_passes(self, per_class: int) -> int:
        """Return the most passes of single images through a network for one size."""
        evaluation, trials = self._settings.evaluation, len(self.config.evaluation.baseline_lrs)
        if trials > 1:
            trials += MOST_EXTENSIONS
        images = per_class * len(self.images.classes)
        return images * evaluation.evaluation_epochs * (trials + evaluation.evaluation_networks)

    def random(self, per_class: int) -> UtilityPoint | None:
        """Evaluate random sets of a size; None where the time was over before the end."""
        config = self._settings.override({"images_per_class": per_class})
        try:
            found = evaluate_random(
                self.images, config, on_progress=self._listen, device=self.device
            )
        except _OutOfTimeError:
            return None
        return _point(found, per_class)

    def full(self, each: float, seconds: float) -> UtilityPoint | None:
        """Evaluate all images with as many passes as fit; None where not even one does.

        Args:
            each: Seconds that one image takes in one pass, at most.
            seconds: What all networks together may take.
        """
        evaluation = self._settings.evaluation
        epoch = each * len(self.images.part("train")) * evaluation.evaluation_networks
        epochs = min(evaluation.full_epochs, max(1, int(seconds / max(epoch, 1e-9))))
        config = self._settings.override({"full_epochs": epochs})
        try:
            found = evaluate_full(self.images, config, on_progress=self._listen, device=self.device)
        except _OutOfTimeError:
            return None
        return _point(found, None)

    @property
    def _settings(self) -> Config:
        """The job's settings with one network for each rate, and two networks at least."""
        networks = max(2, self.config.evaluation.evaluation_networks)
        return self.config.override({"validation_networks": 1, "evaluation_networks": networks})

    def _listen(self, progress: Progress) -> None:
        self.epochs += 1
        if self.left <= 0 and progress.done < progress.total:
            raise _OutOfTimeError
        (self.on_progress or ignore_progress)(progress)


def _halve_validation(images: ImageSet) -> ImageSet:
    """Return training and validation images; every second validation image of a class tests."""
    train, validation = images.part("train"), images.part("validation")
    tests = torch.zeros(len(validation), dtype=torch.bool)
    for label, name in enumerate(images.classes):
        members = (validation.labels == label).nonzero().squeeze(1)
        if len(members) < 2:
            raise ValueError(
                f"Class {name} has {len(members)} validation images, and a forecast of utility "
                "needs two of each class: one to choose learning rates by, one to test on."
            )
        tests[members[1::2]] = True
    split = torch.where(tests, SPLITS.index("test"), SPLITS.index("validation")).to(torch.int8)
    return ImageSet(
        torch.cat([train.images, validation.images]),
        torch.cat([train.labels, validation.labels]),
        images.classes,
        torch.cat([train.split, split]),
    )


def utility_interval(found: Evaluation) -> tuple[float, float]:
    """Compute a 95% interval of the balanced accuracy that networks on such sets reach.

    It combines two spreads as independent ones: that over networks, each with a set of its own
    (Student's t), and that over test images. Balanced accuracy is (1/K) Σ_k r_k, and the recall r_k
    of a class with n_k test images has the variance r_k (1 − r_k)/n_k, with r_k estimated as
    (hits + 1)/(n_k + 2), so that no class has a variance of 0 (Laplace).

    Args:
        found: Two networks at least, all tested on the same images.

    Returns:
        Within 0 and 1.
    """
    figures = [score.balanced_accuracy for score in found.scores]
    recalls = torch.stack([score.sensitivity for score in found.scores]).double().mean(dim=0)
    support = found.scores[0].confusion.sum(dim=1).double()
    smooth = (recalls * support + 1) / (support + 2)
    over_images = float((smooth * (1 - smooth) / support).sum()) / len(support) ** 2
    over_networks = stdev(figures) ** 2 / len(figures)
    tail = 0.5 + CONFIDENCE / 2
    reach = math.hypot(
        t_quantile(tail, len(figures) - 1) * math.sqrt(over_networks),
        normal_quantile(tail) * math.sqrt(over_images),
    )
    centre = mean(figures)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _point(found: Evaluation, per_class: int | None) -> UtilityPoint:
    return UtilityPoint(
        per_class=per_class,
        images=found.training_images,
        balanced_accuracy=mean(score.balanced_accuracy for score in found.scores),
        interval=utility_interval(found),
        networks=len(found.scores),
        epochs=found.epochs,
        lr=found.lr,
    )
