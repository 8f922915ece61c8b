"""Runs the audit: all metrics, with a positive and a negative control in every run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy.bench import Bench, PartCounter, Shown
from iadd.privacy.controls import negative_control, positive_control
from iadd.privacy.nearest_neighbours import Embed
from iadd.privacy.report import Attack, Control, Metric, Power, PrivacyReport, Proof
from iadd.privacy.verdict import state, verdict_of
from iadd.runtime.progress import ProgressListener, ignore_progress

if TYPE_CHECKING:
    from iadd.privacy.membership.decide import Membership


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the audits of sets of as many images per class have in common.

    Attributes:
        labels: int64 (M,), classes of the distilled images.
        bench: The records.
        positive: Positive control.
        negative: Negative control; None where too little was held out.
    """

    labels: Tensor
    bench: Bench
    positive: Control
    negative: Control | None

    @classmethod
    def of(
        cls,
        images: ImageSet,
        labels: Tensor,
        *,
        random_split: bool = True,
        embed: Embed | None = None,
        progress: PartCounter | None = None,
    ) -> "Prepared":
        """Describe the records and run the controls, all parts of an audit but the last.

        Args:
            images: As in :func:`audit`.
            labels: int64 (M,), classes of the distilled images.
            random_split: As in :func:`audit`.
            embed: As in :func:`audit`.
            progress: Counts the parts.

        Raises:
            ValueError: When there are no training images, or nothing was distilled.
        """
        if len(labels) == 0 or len(images.part("train")) == 0:
            raise ValueError("an audit needs at least one distilled and one training image")
        progress = progress or PartCounter(ignore_progress)
        bench = Bench.of(images, len(labels), embed, random_split=random_split, progress=progress)
        positive = positive_control(bench, labels)
        progress.count("Ran the positive control.")
        negative = negative_control(bench, len(labels))
        progress.count("Ran the negative control.")
        return cls(labels, bench, positive, negative)


def audit(
    distilled: DistilledDataset,
    images: ImageSet,
    *,
    membership: Sequence["Membership"] = (),
    proof: Proof | None = None,
    attempts: int | None = None,
    random_split: bool = True,
    embed: Embed | None = None,
    contributors: Tensor | None = None,
    prepared: Prepared | None = None,
    on_progress: ProgressListener | None = None,
) -> PrivacyReport:
    """Compare a distilled set with the images it was made from, and draw the verdict.

    Metrics can refuse a release; they can never clear one (Yao et al., The DCR Delusion, arXiv
    2505.01524). That takes membership attacks with power, or a proof.

    Args:
        distilled: The set, with its initial images where they were kept.
        images: The whole image set: its ``train`` split was distilled, its ``test`` split is held
            out. The ``validation`` split, which chose the best iteration, is only a reference.
        membership: Attacks that were run (:mod:`iadd.privacy.membership`).
        proof: Differential privacy of the set.
        attempts: Audits of this dataset so far, this one included.
        random_split: Whether the split was drawn at random. Where an archive's own was kept,
            training and held-out images may differ by more than training.
        embed: Maps intensities, float32 (N, C, H, W) in 0..1, to features (N, D): for example
            :func:`iadd.privacy.penultimate_features` of a teacher. Metrics C and H use it. By
            default they compare registered pictures, whitened as the training images differ: a
            copy that was turned or zoomed is found without training anything.
        contributors: int64, rows of the training split that the starts were made of, where that is
            known (:func:`iadd.distillation.initialisation.contributors`): looking for these finds
            traces that are lost among thousands of other images.
        prepared: What an earlier audit of the same images, and of a set with the same labels,
            prepared: it takes most of the time.
        on_progress: Called after each part, phase ``auditing``.

    Raises:
        ValueError: When there are no training images, nothing was distilled, or `prepared` is for
            sets with other labels.
    """
    progress = PartCounter(
        on_progress or ignore_progress, 0 if prepared is None else PartCounter.total - 1
    )
    prepared = prepared or Prepared.of(
        images, distilled.labels, random_split=random_split, embed=embed, progress=progress
    )
    if not torch.equal(prepared.labels, distilled.labels):
        raise ValueError("the audit was prepared for a set with other labels")
    bench, positive, negative = prepared.bench, prepared.positive, prepared.negative
    pictures = distilled.normalisation.to_intensities(distilled.images)
    starts = distilled.initial_images
    if starts is not None:
        starts = distilled.normalisation.to_intensities(starts)
    found = bench.examine(
        Shown(pictures, distilled.labels, starts, distilled.is_on_grey_levels, contributors)
    )
    progress.count("Compared the distilled images with all records.")

    metrics = tuple(_judge(metric, positive, negative) for metric in found)
    attacks, power = _attacks(membership)
    limit = distilled.config.audit.audit_leak_limit
    verdict = verdict_of(metrics, attacks, power, proof, leak_limit=limit)
    return PrivacyReport(
        verdict=verdict,
        statement=state(
            verdict,
            metrics,
            attacks,
            power,
            proof,
            leak_limit=limit,
            unit=images.unit,
            explanations=[one.explanation for one in membership],
        ),
        metrics=metrics,
        controls=tuple(control for control in (positive, negative) if control is not None),
        counts={
            "distilled": len(distilled),
            "training": int(bench.sides.training.sum()),
            "held_out": int(bench.sides.held_out.sum()),
            "reference": len(bench.reference),
            "duplicates": bench.duplicates,
        },
        embedding=(
            "given by the caller"
            if bench.embed
            else "registered pictures, whitened by the covariance of the training images"
        ),
        attacks=attacks,
        power=power,
        proof=proof,
        leak_limit=limit,
        unit=images.unit,
        attempts=attempts,
    )


def _attacks(membership: Sequence["Membership"]) -> tuple[tuple[Attack, ...], Power | None]:
    """Choose the attacks that count: those with the most power, and all that refute."""
    powerful = [one for one in membership if one.power is not None and not one.power.reduced]
    powerful = powerful or [one for one in membership if one.power is not None]
    best = min(powerful, key=lambda one: one.power.tpr if one.power else 1.0, default=None)
    attacks = [
        attack
        for one in membership
        for attack in one.attacks
        if one is best or attack.outcome == "refuted" or best is None
    ]
    return tuple(attacks), None if best is None else best.power


def _judge(metric: Metric, positive: Control, negative: Control | None) -> Metric:
    """Judge a metric by the controls.

    A metric that passes has no power if the positive control passes it in every row. A refusal that
    the negative control shares stays a refusal, and its explanation says so.
    """
    if metric.outcome == "passed" and positive.refused.get(metric.name) is False:
        if metric.name == "neighbour_ratio":
            return metric
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
