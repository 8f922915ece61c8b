"""Runs the audit: metrics A, B and D, with a positive and a negative control in every run.

Shapes: M distilled images, R records: the training images and the held-out ones, in that order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy import metrics as audit_metrics
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
"""Largest number of held-out images to derive the near-copy thresholds from."""

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
    arXiv 2505.01524). The images are compared as they are displayed, at 256 grey levels.

    Args:
        distilled: The set, with its initial images where they were kept.
        images: The whole image set: its ``train`` split was distilled, its ``test`` split is held
            out. The ``validation`` split, which chose the best iteration, is neither.
        embed: Maps intensities, float32 (N, C, H, W) in 0..1, to features (N, D): for example
            :func:`iadd.privacy.penultimate_features` of a teacher. By default a ConvNet
            initialised from a fixed seed.
        on_progress: Called after each part, phase ``auditing``.

    Raises:
        ValueError: When there are no training images, or nothing was distilled.
    """
    if len(distilled) == 0 or len(images.part("train")) == 0:
        raise ValueError("an audit needs at least one distilled and one training image")
    progress = _PartCounter(on_progress or ignore_progress)
    chosen = embed or untrained_features(images.images.shape[1], images.images.shape[-1])
    context = _AuditContext.of(images, chosen, distilled.config.seed, progress)

    pictures = describe(distilled.normalisation.invert(distilled.images), chosen)
    starts = _starts(distilled, context, chosen)
    metrics = context.examine(pictures, starts)
    progress.count("Compared the distilled images with all records.")
    positive = _positive_control(distilled, context, chosen)
    progress.count("Ran the positive control.")
    negative = _negative_control(distilled, context)
    progress.count("Ran the negative control.")

    judged = tuple(_judge(metric, positive, negative) for metric in metrics)
    return PrivacyReport(
        verdict="refuted" if any(m.outcome == "refused" for m in judged) else "not_refuted",
        statement=_statement(judged),
        metrics=judged,
        controls=tuple(control for control in (positive, negative) if control is not None),
        counts={
            "distilled": len(distilled),
            "training": int(context.sides.training.sum()),
            "held_out": int(context.sides.held_out.sum()),
            "reference": len(context.usable),
            "duplicates": len(context.reference_rows) - len(context.usable),
        },
        embedding="given by the caller" if embed else "a ConvNet as initialised from a fixed seed",
    )


class _PartCounter:
    """Counts the finished parts of an audit, and reports them."""

    total = 5

    def __init__(self, listener: ProgressListener) -> None:
        self._listener, self._done = listener, 0

    def count(self, message: str) -> None:
        self._done += 1
        self._listener(
            Progress(
                phase="auditing", done=self._done, total=self.total, unit="parts", message=message
            )
        )


@dataclass(frozen=True, eq=False)
class _AuditContext:
    """The part of an audit that does not depend on the images under test.

    Attributes:
        records: Training images, then held-out ones.
        labels: int64 (R,).
        sides: Membership of each record: training or held out.
        reference: Rankings of held-out images, each left out of its own neighbours.
        reference_rows: int64, the records that `reference` ranks the neighbours of.
        usable: int64, rows of `reference` without a duplicate in training.
        seed: Seed of the controls' draws.
    """

    records: Described
    labels: Tensor
    sides: Sides
    reference: Neighbourhood
    reference_rows: Tensor
    usable: Tensor
    seed: int

    @classmethod
    def of(
        cls, images: ImageSet, embed: Embed, seed: int, progress: _PartCounter
    ) -> "_AuditContext":
        train, held_out = images.part("train"), images.part("test")
        records = describe(torch.cat([train.images, held_out.images]), embed)
        training = torch.arange(len(records)) < len(train)
        sides = Sides(training, ~training)
        progress.count("Described every image.")
        order = torch.randperm(len(held_out), generator=make_generator(seed, "audit reference"))
        rows = len(train) + order[:REFERENCE]
        reference = find_neighbours(records.take(rows), records, left_out=rows)
        to_training, _ = reference["ssim"].nearest(training)
        progress.count("Measured how near held-out images lie to training images.")
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
        """Run all metrics on some images."""
        included = None if starts is None else starts.clamp(min=0)
        found = find_neighbours(pictures, self.records, included=included)
        copied = equal_neighbour(pictures, self.records, found["pixels"], self.sides.training)
        return [
            *audit_metrics.retention(found, starts, self.sides),
            *audit_metrics.distance_to_closest_record(found, self.sides),
            audit_metrics.exact_copies(copied),
            *self.near_copies(found, self.usable, self.sides),
        ]

    def near_copies(self, queries: Neighbourhood, usable: Tensor, sides: Sides) -> list[Metric]:
        """Run metric D with thresholds from the given rows of the reference."""
        if len(usable) < _FEWEST_REFERENCE:
            return audit_metrics.no_held_out_images(len(usable))
        thresholds = audit_metrics.near_copy_thresholds(self.reference, usable, sides)
        return audit_metrics.near_copies(queries, thresholds, sides)

    def find_equal(self, pictures: Described) -> Tensor:
        """Find the training image that each picture equals, int64 (M,), or −1."""
        ranking = find_by_pixels(pictures, self.records)
        return equal_neighbour(pictures, self.records, ranking, self.sides.training)


def _starts(distilled: DistilledDataset, context: _AuditContext, embed: Embed) -> Tensor | None:
    if distilled.initial_images is None:
        return None
    pictures = distilled.normalisation.invert(distilled.initial_images)
    return context.find_equal(describe(pictures, embed))


def _positive_control(distilled: DistilledDataset, context: _AuditContext, embed: Embed) -> Control:
    generator = make_generator(context.seed, "audit positive control")
    rows = draw_like(distilled.labels, context.labels[context.sides.training], generator)
    originals = context.records.take(rows)
    perturbed = describe(perturb(originals.images, generator), embed)
    copies = audit_metrics.exact_copies(context.find_equal(originals))
    return Control(
        name="positive",
        title="Positive control",
        description=(
            "Training images with a little noise and another exposure, as many as were distilled; "
            "for exact copies, the training images as they are. Every metric must refuse them."
        ),
        images=len(rows),
        refused=audit_metrics.refused_by_name([*context.examine(perturbed, rows), copies]),
    )


def _negative_control(distilled: DistilledDataset, context: _AuditContext) -> Control | None:
    usable = context.usable
    count = min(len(distilled), len(usable) // 2)
    if len(usable) - count < _FEWEST_REFERENCE:
        return None
    generator = make_generator(context.seed, "audit negative control")
    order = torch.randperm(len(usable), generator=generator)
    chosen, rest = usable[order[:count]], usable[order[count:]]
    held_out = context.sides.held_out.clone()
    held_out[context.reference_rows[chosen]] = False
    sides = replace(context.sides, held_out=held_out)
    found = {measure: ranking.take(chosen) for measure, ranking in context.reference.items()}
    metrics = [
        *audit_metrics.distance_to_closest_record(found, sides),
        *context.near_copies(found, rest, sides),
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
        refused=audit_metrics.refused_by_name(metrics),
    )


def _judge(metric: Metric, positive: Control, negative: Control | None) -> Metric:
    """Judge a metric by the controls.

    A metric that passes has no power if the positive control passes it too. A refusal that the
    negative control shares stays a refusal, and its explanation says so.
    """
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
                "alarm, and it counts as a refusal until a larger held-out set decides."
            ),
        )
    return metric


def _statement(metrics: Sequence[Metric]) -> str:
    refused = [metric.title.lower() for metric in metrics if metric.outcome == "refused"]
    if refused:
        return (
            "Refuted: these images reveal training images, or look as if they did "
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
