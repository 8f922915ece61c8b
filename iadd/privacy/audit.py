"""The first battery: metrics A, B and D, with a positive and a negative control in every run.

Shapes: M distilled images, R records: the training images and the held-out ones, in that order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy import metrics as rules
from iadd.privacy.controls import draw_like, perturb
from iadd.privacy.embedding import untrained_features
from iadd.privacy.metrics import Sides
from iadd.privacy.nearest_neighbours import (
    Described,
    Embed,
    Neighbourhood,
    describe,
    equal_neighbour,
    find_by_pixels,
    find_neighbours,
)
from iadd.privacy.report import Control, Metric, PrivacyReport
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.runtime.seed import make_generator

REFERENCE = 1000
"""Held-out images that the near-copy thresholds come from, at most."""

_DUPLICATE = 0.1
"""Below this SSIM distance from a training image, a held-out image is its duplicate. In the public
radiography set duplicates lie below 0.03, and the nearest other pairs above 0.1."""

_FEWEST_REFERENCE = 10


def audit(
    distilled: DistilledDataset,
    images: ImageSet,
    *,
    embed: Embed | None = None,
    on_progress: ProgressListener | None = None,
) -> PrivacyReport:
    """Compare a distilled set with the images it was made from and with held-out ones.

    Distances can refuse a release; they can never clear one (Yao et al., The DCR Delusion,
    arXiv 2505.01524). What is compared are the images as they can be seen, at 256 grey levels.

    Args:
        distilled: The set, with its initial images where they were kept.
        images: The whole image set: its ``train`` split is what was distilled, its ``test`` split
            is what is held out. The ``validation`` split, which chose the best iteration, is
            neither.
        embed: Maps intensities, float32 (N, C, H, W) in 0..1, to features (N, D): for example
            :func:`iadd.privacy.penultimate_features` of a teacher. By default a ConvNet as
            initialised from a fixed seed.
        on_progress: Called after each part, phase ``auditing``.

    Raises:
        ValueError: When there are no training images, or nothing was distilled.
    """
    if len(distilled) == 0 or len(images.part("train")) == 0:
        raise ValueError("an audit needs at least one distilled and one training image")
    steps = _Steps(on_progress or ignore_progress)
    chosen = embed or untrained_features(images.images.shape[1], images.images.shape[-1])
    bench = _Bench.of(images, chosen, distilled.config.seed, steps)

    pictures = describe(distilled.normalisation.invert(distilled.images), chosen)
    starts = _starts(distilled, bench, chosen)
    metrics = bench.examine(pictures, starts)
    steps.done("Compared the distilled images with all records.")
    positive = _positive_control(distilled, bench, chosen)
    steps.done("Ran the positive control.")
    negative = _negative_control(distilled, bench)
    steps.done("Ran the negative control.")

    judged = tuple(_judge(metric, positive, negative) for metric in metrics)
    return PrivacyReport(
        verdict="refuted" if any(m.outcome == "refused" for m in judged) else "not_refuted",
        statement=_statement(judged),
        metrics=judged,
        controls=tuple(control for control in (positive, negative) if control is not None),
        counts={
            "distilled": len(distilled),
            "training": int(bench.sides.training.sum()),
            "held_out": int(bench.sides.held_out.sum()),
            "reference": len(bench.usable),
            "duplicates": len(bench.reference_rows) - len(bench.usable),
        },
        embedding="given by the caller" if embed else "a ConvNet as initialised from a fixed seed",
    )


class _Steps:
    """Counts the parts of an audit."""

    total = 5

    def __init__(self, listener: ProgressListener) -> None:
        self._listener, self._done = listener, 0

    def done(self, message: str) -> None:
        self._done += 1
        self._listener(
            Progress(
                phase="auditing", done=self._done, total=self.total, unit="parts", message=message
            )
        )


@dataclass(frozen=True, eq=False)
class _Bench:
    """Everything that does not depend on the images under examination.

    Attributes:
        records: Training images, then held-out ones.
        labels: int64 (R,).
        sides: Which record is which.
        reference: Rankings of held-out images, each left out of its own neighbours.
        reference_rows: int64, the records that `reference` ranks the neighbours of.
        usable: int64, rows of `reference` without a duplicate in training.
        seed: Of the controls' draws.
    """

    records: Described
    labels: Tensor
    sides: Sides
    reference: Neighbourhood
    reference_rows: Tensor
    usable: Tensor
    seed: int

    @classmethod
    def of(cls, images: ImageSet, embed: Embed, seed: int, steps: _Steps) -> "_Bench":
        train, held_out = images.part("train"), images.part("test")
        records = describe(torch.cat([train.images, held_out.images]), embed)
        training = torch.arange(len(records)) < len(train)
        sides = Sides(training, ~training)
        steps.done("Described every image.")
        order = torch.randperm(len(held_out), generator=make_generator(seed, "audit reference"))
        rows = len(train) + order[:REFERENCE]
        reference = find_neighbours(records.take(rows), records, left_out=rows)
        to_training, _ = reference["ssim"].nearest(training)
        steps.done("Measured how near held-out images lie to training images.")
        return cls(
            records=records,
            labels=torch.cat([train.labels, held_out.labels]),
            sides=sides,
            reference=reference,
            reference_rows=rows,
            usable=(to_training >= _DUPLICATE).nonzero()[:, 0],
            seed=seed,
        )

    def examine(self, pictures: Described, starts: Tensor | None) -> list[Metric]:
        """Run the whole battery on some images."""
        included = None if starts is None else starts.clamp(min=0)
        found = find_neighbours(pictures, self.records, included=included)
        copied = equal_neighbour(pictures, self.records, found["pixels"], self.sides.training)
        return [
            *rules.retention(found, starts, self.sides),
            *rules.distance_to_closest_record(found, self.sides),
            rules.exact_copies(copied),
            *self.near_copies(found, self.usable, self.sides),
        ]

    def near_copies(self, queries: Neighbourhood, usable: Tensor, sides: Sides) -> list[Metric]:
        """Metric D with thresholds from the given rows of the reference."""
        if len(usable) < _FEWEST_REFERENCE:
            return rules.no_held_out_images(len(usable))
        thresholds = rules.near_copy_thresholds(self.reference, usable, sides)
        return rules.near_copies(queries, thresholds, sides)

    def find_equal(self, pictures: Described) -> Tensor:
        """The training image that each picture equals, int64 (M,), or −1."""
        ranking = find_by_pixels(pictures, self.records)
        return equal_neighbour(pictures, self.records, ranking, self.sides.training)


def _starts(distilled: DistilledDataset, bench: _Bench, embed: Embed) -> Tensor | None:
    if distilled.initial_images is None:
        return None
    pictures = distilled.normalisation.invert(distilled.initial_images)
    return bench.find_equal(describe(pictures, embed))


def _positive_control(distilled: DistilledDataset, bench: _Bench, embed: Embed) -> Control:
    generator = make_generator(bench.seed, "audit positive control")
    rows = draw_like(distilled.labels, bench.labels[bench.sides.training], generator)
    originals = bench.records.take(rows)
    perturbed = describe(perturb(originals.images, generator), embed)
    copies = rules.exact_copies(bench.find_equal(originals))
    return Control(
        name="positive",
        title="Positive control",
        description=(
            "Training images with a little noise and another exposure, as many as were distilled; "
            "for exact copies, the training images as they are. Every metric must refuse them."
        ),
        images=len(rows),
        refused=rules.refusals([*bench.examine(perturbed, rows), copies]),
    )


def _negative_control(distilled: DistilledDataset, bench: _Bench) -> Control | None:
    usable = bench.usable
    count = min(len(distilled), len(usable) // 2)
    if len(usable) - count < _FEWEST_REFERENCE:
        return None
    generator = make_generator(bench.seed, "audit negative control")
    order = torch.randperm(len(usable), generator=generator)
    chosen, rest = usable[order[:count]], usable[order[count:]]
    held_out = bench.sides.held_out.clone()
    held_out[bench.reference_rows[chosen]] = False
    sides = replace(bench.sides, held_out=held_out)
    found = {measure: ranking.take(chosen) for measure, ranking in bench.reference.items()}
    metrics = [
        *rules.distance_to_closest_record(found, sides),
        *bench.near_copies(found, rest, sides),
    ]
    return Control(
        name="negative",
        title="Negative control",
        description=(
            "Held-out images that nothing was learnt from, and that have no duplicate among the "
            "training images. No metric may refuse them; one in twenty families of tests does so "
            "by chance."
        ),
        images=count,
        refused=rules.refusals(metrics),
    )


def _judge(metric: Metric, positive: Control, negative: Control | None) -> Metric:
    """No power, no pass; and a refusal that the negative control shares says so."""
    if metric.outcome == "passed" and not positive.refused[metric.name]:
        return replace(
            metric,
            outcome="no_power",
            explanation=(
                f"{metric.explanation} The positive control was not refused either, so this says "
                "nothing."
            ),
        )
    if metric.outcome == "refused" and negative is not None and negative.refused.get(metric.name):
        return replace(
            metric,
            explanation=(
                f"{metric.explanation} The negative control was refused too: this may be a false "
                "alarm, and until a larger held-out set tells, it counts as a refusal."
            ),
        )
    return metric


def _statement(metrics: Sequence[Metric]) -> str:
    refused = [metric.title.lower() for metric in metrics if metric.outcome == "refused"]
    if refused:
        return (
            "Refuted: these images give away training images, or look as if they did "
            f"({'; '.join(refused)}). They must not leave the organisation."
        )
    powerless = sum(metric.outcome == "no_power" for metric in metrics)
    return (
        f"Not refuted: {len(metrics) - powerless} of {len(metrics)} distance metrics found no copy "
        f"and no trace of a training image{_without_power(powerless)}. Distances alone can never "
        "clear a release, and no membership attack has been run yet, so the power of this audit "
        "is unknown."
    )


def _without_power(count: int) -> str:
    return f", and {count} had no power to find one" if count else ""
