"""Runs the audit: all metrics, with a positive and a negative control in every run.

Shapes: M distilled images, R records: the training images and the held-out ones, in that order;
n references.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy import metrics as audit_metrics
from iadd.privacy.controls import DISGUISES, average, disguise, draw_like
from iadd.privacy.matched_filter import Sought, seek_contributors
from iadd.privacy.metrics import SAME_PICTURE, Sides, any_refused, refused_by_name
from iadd.privacy.nearest_neighbours import (
    Embed,
    embedded,
    equal_neighbour,
    find_by_features,
    find_neighbours,
)
from iadd.privacy.registration import CANDIDATES, Register, Registered
from iadd.privacy.report import Attack, Control, Dose, Metric, Power, PrivacyReport, Proof
from iadd.privacy.verdict import state, verdict_of
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.runtime.seed import make_generator

if TYPE_CHECKING:
    from iadd.privacy.membership.decide import Membership

DOSE = 9
"""Copies in each row of the positive control, at most."""

SIXTY = 60
"""Pictures that one copy is hidden among."""

AVERAGED = 16
"""Images averaged in a start, as the positive control makes it and the filter assumes it."""

_FEWEST_REFERENCE = 10
_DRIFT = 0.1


def audit(
    distilled: DistilledDataset,
    images: ImageSet,
    *,
    membership: Sequence["Membership"] = (),
    proof: Proof | None = None,
    attempts: int | None = None,
    random_split: bool = True,
    embed: Embed | None = None,
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
            default they compare registered pictures, whitened as the training images differ: on
            the research X-rays that recognises each of 8 turned copies among 3,000, where a small
            network trained for it in as much time recognised 6 of 100 among 100.
        on_progress: Called after each part, phase ``auditing``.

    Raises:
        ValueError: When there are no training images, or nothing was distilled.
    """
    if len(distilled) == 0 or len(images.part("train")) == 0:
        raise ValueError("an audit needs at least one distilled and one training image")
    progress = _PartCounter(on_progress or ignore_progress)
    bench = Bench.of(images, len(distilled), embed, random_split=random_split, progress=progress)

    pictures = distilled.normalisation.to_intensities(distilled.images)
    starts = distilled.initial_images
    if starts is not None:
        starts = distilled.normalisation.to_intensities(starts)
    found = bench.examine(Shown(pictures, distilled.labels, starts, distilled.is_on_grey_levels))
    progress.count("Compared the distilled images with all records.")
    positive = bench.positive_control(distilled.labels)
    progress.count("Ran the positive control.")
    negative = bench.negative_control(len(distilled))
    progress.count("Ran the negative control.")

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
            if embed
            else "registered pictures, whitened by the covariance of the training images"
        ),
        attacks=attacks,
        power=power,
        proof=proof,
        leak_limit=limit,
        unit=images.unit,
        attempts=attempts,
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
class Shown:
    """Pictures to examine.

    Attributes:
        pictures: float32 (M, C, H, W), intensities.
        labels: int64 (M,).
        starts: As `pictures`, what they started from; None where that is not known.
        on_grey_levels: Whether all values are grey levels.
    """

    pictures: Tensor
    labels: Tensor
    starts: Tensor | None = None
    on_grey_levels: bool = True

    @property
    def as_bytes(self) -> Tensor:
        """As a person sees them, uint8."""
        return (self.pictures * 255.0).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True, eq=False)
class Bench:
    """The part of an audit that does not depend on the images under test: it serves many sets.

    Attributes:
        images: uint8 (R, C, H, W), training images, then held-out ones.
        labels: int64 (R,).
        groups: int64 (R,) or None, units.
        patients: Whether units are patients.
        sides: Membership of each record.
        register: The training images.
        found: The training images that n pictures of nobody in training register onto, each left
            out of its own neighbours, duplicates of training images left out: the references.
        reference_rows: int64 (n,), their record, −1 for one of the validation split.
        duplicates: Held-out images that were left out.
        features: float32 (R, D), by the embedding; None where none was given.
        embed: The embedding.
        random_split: Whether the sides are exchangeable.
    """

    images: Tensor
    labels: Tensor
    groups: Tensor | None
    patients: bool
    sides: Sides
    register: Register
    found: Registered
    reference_rows: Tensor
    duplicates: int
    features: Tensor | None
    embed: Embed | None
    random_split: bool

    @classmethod
    def of(
        cls,
        images: ImageSet,
        count: int,
        embed: Embed | None = None,
        *,
        random_split: bool = True,
        progress: _PartCounter | None = None,
    ) -> "Bench":
        """Describe the records and measure the references.

        Args:
            images: The whole image set.
            count: Distilled images that one is to stand out from, at most.
            embed: As in :func:`audit`.
            random_split: As in :func:`audit`.
            progress: Counts the two parts.
        """
        progress = progress or _PartCounter(ignore_progress)
        train, held_out = images.part("train"), images.part("test")
        register = Register.of(train.images, train.groups)
        records = torch.cat([train.images, held_out.images])
        features = None if embed is None else embedded(records, embed)
        progress.count("Described every image.")
        rows, pictures, own = _references(images, audit_metrics.references_needed(max(count, DOSE)))
        found = register.find(pictures, own=own)
        usable = found.best() < SAME_PICTURE
        progress.count("Measured how similar held-out images are to training images.")
        training = torch.arange(len(records)) < len(train)
        return cls(
            images=records,
            labels=torch.cat([train.labels, held_out.labels]),
            groups=None
            if train.groups is None or held_out.groups is None
            else torch.cat([train.groups, held_out.groups]),
            patients=images.unit == "patient",
            sides=Sides(training, ~training),
            register=register,
            found=found.take(usable),
            reference_rows=rows[usable],
            duplicates=int((~usable).sum()),
            features=features,
            embed=embed,
            random_split=random_split,
        )

    @property
    def reference(self) -> Tensor:
        """Similarity of each reference to its most similar training image, float32 (n,)."""
        return self.found.best()

    def examine(self, given: Shown, *, without: Tensor | None = None) -> list[Metric]:
        """Run all metrics on some pictures.

        Args:
            given: The pictures.
            without: int64, held-out records that these pictures are, and that are left out.
        """
        shown, sides = given.as_bytes, self._sides_without(without)
        found = self.register.find(given.pictures)
        near = find_neighbours(shown, self.images)
        copied = equal_neighbour(shown, self.images, near["pixels"], self.sides.training)
        start = None if given.starts is None else self._seek(given.starts, given.labels, sides)
        return [
            audit_metrics.grid(given.on_grey_levels),
            *audit_metrics.contributors(
                start,
                self._seek(given.pictures, given.labels, sides),
                random_split=self.random_split,
            ),
            *audit_metrics.distance_to_closest_record(near, sides, random_split=self.random_split),
            audit_metrics.neighbour_ratio(*self._ratios(given.pictures, found, without)),
            audit_metrics.exact_copies(copied),
            *self.copies(found.best(), without),
            *self._reidentification(given.pictures, found, without),
        ]

    def copies(self, similarity: Tensor, without: Tensor | None = None) -> list[Metric]:
        """Run metric D on pictures of known similarity to the training images."""
        reference = self.reference
        if without is not None:
            reference = reference[~torch.isin(self.reference_rows, without)]
        return [
            audit_metrics.registered_copies(similarity),
            *audit_metrics.near_copies(similarity, reference),
        ]

    def _sides_without(self, rows: Tensor | None) -> Sides:
        if rows is None:
            return self.sides
        held_out = self.sides.held_out.clone()
        held_out[rows] = False
        return replace(self.sides, held_out=held_out)

    def _seek(self, pictures: Tensor, labels: Tensor, sides: Sides) -> Sought | None:
        taken = sides.training | sides.held_out
        return seek_contributors(
            pictures,
            labels,
            self.images[taken],
            self.labels[taken],
            sides.training[taken],
            groups=None if self.groups is None else self.groups[taken],
            averaged=AVERAGED,
        )

    def _held_out_references(self, without: Tensor | None) -> Tensor:
        """Return the references that are held-out records, int64."""
        rows = self.reference_rows
        kept = (rows >= 0) & self.sides.held_out[rows.clamp(min=0)]
        if without is not None:
            kept &= ~torch.isin(rows, without)
        return kept.nonzero()[:, 0]

    def _ratios(
        self, pictures: Tensor, found: Registered, without: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Divide nearest by second-nearest distance, of pictures and of held-out images."""
        held_out = self._held_out_references(without)
        if self.embed is None or self.features is None:
            return found.ratio(), self.found.take(held_out).ratio()
        training = self.features[self.sides.training]
        ratios = []
        for queries in (
            embedded(pictures, self.embed),
            self.features[self.reference_rows[held_out]],
        ):
            near = find_by_features(queries, training).distance
            second = near[:, min(1, near.shape[1] - 1)]
            ratios.append(near[:, 0] / second.clamp(min=1e-6))
        return ratios[0], ratios[1]

    def _reidentification(
        self, pictures: Tensor, found: Registered, without: Tensor | None
    ) -> list[Metric]:
        if not self.patients or self.groups is None:
            return []
        held_out = self._held_out_references(without)
        if self.embed is None or self.features is None:
            near, far = found.ranked(), self.found.take(held_out).ranked()
        else:
            training = self.features[self.sides.training]
            kept = 1 + CANDIDATES
            near = find_by_features(embedded(pictures, self.embed), training).index[:, :kept]
            held_out_features = self.features[self.reference_rows[held_out]]
            far = find_by_features(held_out_features, training).index[:, :kept]
        return [audit_metrics.reidentification(self._links(near), self._links(far))]

    def _links(self, candidates: Tensor) -> list[bool]:
        """Say for each picture whose nearest patient has other images if one of them leads to it.

        Args:
            candidates: int64 (M, K), training images, the nearest first.
        """
        assert self.groups is not None, "asked only where patients are known"
        groups = self.groups[self.sides.training]
        _, units, counts = groups.unique(return_inverse=True, return_counts=True)
        return [
            bool(((units[own] == units[own[0]]) & (own != own[0])).any())
            for own in candidates
            if int(counts[units[own[0]]]) > 1
        ]

    # ---------------------------------------------------------------------------------- controls

    def positive_control(self, labels: Tensor) -> Control:
        """Examine copies and averages of training images, one row of the table per disguise."""
        generator = make_generator(0, "audit positive control")
        doses = [self._plain(labels, generator), self._averaged(labels, generator)]
        rows = self._draw(DOSE, generator)
        originals = self.images[rows].float() / 255.0
        others = self.images[self._draw(len(rows), generator)].float() / 255.0
        others = others[torch.arange(len(rows)) % len(others)]
        for name, one in DISGUISES.items():
            copies = disguise(name, originals, others, generator)
            if one.lone:
                doses.append(self._lone(name, one.title, copies[:1]))
                continue
            found = [
                audit_metrics.grid(one.rounded),
                *self.copies(self.register.find(copies).best()),
            ]
            doses.append(
                Dose(
                    disguise=name,
                    title=one.title,
                    images=len(copies),
                    refused=refused_by_name(found),
                )
            )
        return Control(
            name="positive",
            title="Positive control",
            description=(
                "Training images in the disguises of the table, and averages of them as a k_mean "
                "start is one. Every metric must refuse at least one row."
            ),
            images=sum(dose.images for dose in doses),
            refused=any_refused([dose.refused for dose in doses]),
            doses=tuple(doses),
        )

    def _draw(self, count: int, generator: torch.Generator) -> Tensor:
        rows = self.sides.training.nonzero()[:, 0]
        return rows[torch.randperm(len(rows), generator=generator)[:count]]

    def _plain(self, labels: Tensor, generator: torch.Generator) -> Dose:
        """As many training images as were distilled, as they are, for every metric."""
        rows = draw_like(labels, self.labels[self.sides.training], generator)
        pictures = self.images[rows].float() / 255.0
        found = self.examine(Shown(pictures, self.labels[rows]))
        return Dose(
            disguise="none",
            title="Training images as they are",
            images=len(rows),
            refused=_without(refused_by_name(found), "contributors_start", "grid"),
        )

    def _averaged(self, labels: Tensor, generator: torch.Generator) -> Dose:
        """Averages of training images, for the metrics that look for contributors."""
        starts, own = [], []
        for label in labels.unique():
            mine = (self.labels == label) & self.sides.training
            if bool(mine.any()):
                count = int((labels == label).sum())
                starts.append(average(self.images[mine], count, AVERAGED, generator))
                own.append(torch.full((count,), int(label)))
        averages, shown = torch.cat(starts), torch.cat(own)
        drifted = averages + _DRIFT * averages.std() * torch.randn(
            averages.shape, generator=generator
        )
        found = audit_metrics.contributors(
            self._seek(averages, shown, self.sides),
            self._seek(drifted, shown, self.sides),
            random_split=self.random_split,
        )
        return Dose(
            disguise="averaged",
            title=f"Averages of {AVERAGED} training images, and with a tenth of their spread added",
            images=len(averages),
            refused=refused_by_name(found),
        )

    def _lone(self, name: str, title: str, copy: Tensor) -> Dose:
        """One copy among pictures of nobody, whose similarity is known already."""
        company = self.reference_rows.unique()
        company = company[company >= 0][: min(SIXTY - 1, len(self.reference) // 2)]
        clean = self.reference[torch.isin(self.reference_rows, company)]
        similarity = torch.cat([self.register.find(copy).best(), clean])
        found = self.copies(similarity, without=company)
        # Without the copy: what refuses then does not do so because of it.
        before = refused_by_name(self.copies(clean, without=company)) if len(clean) else {}
        return Dose(
            disguise=name,
            title=title,
            images=len(similarity),
            refused={
                metric: refused and not before.get(metric, False)
                for metric, refused in refused_by_name(found).items()
            },
        )

    def negative_control(self, count: int) -> Control | None:
        """Examine held-out images that have no duplicate among the training images."""
        held_out = self.reference_rows[self._held_out_references(None)]
        count = min(count, len(held_out) // 2)
        if count == 0 or len(held_out) - count < _FEWEST_REFERENCE:
            return None
        generator = make_generator(0, "audit negative control")
        rows = held_out[torch.randperm(len(held_out), generator=generator)[:count]]
        pictures = self.images[rows].float() / 255.0
        found = self.examine(Shown(pictures, self.labels[rows]), without=rows)
        return Control(
            name="negative",
            title="Negative control",
            description=(
                "Held-out images that nothing was learnt from, and that have no duplicate among "
                "the training images. No metric may refuse them; one in twenty audits does so by "
                "chance."
            ),
            images=count,
            refused=_without(refused_by_name(found), "contributors_start"),
        )


def _references(images: ImageSet, needed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose pictures of nobody in training: rows of the records, pictures, and units.

    All images of the test and validation splits serve, as far as they are needed. Where they are
    too few for one image to stand out, training images are added, each compared with the others:
    if anything they have nearer neighbours, since a split keeps a patient on one side.
    """
    train, held_out, validation = (images.part(name) for name in ("train", "test", "validation"))
    generator = make_generator(0, "audit reference")
    rows, pictures, units = [], [], []
    room = needed
    for part, first in ((held_out, len(train)), (validation, -1), (train, 0)):
        order = torch.randperm(len(part), generator=generator)[: max(room, 0)]
        room -= len(order)
        rows.append(order + first if first >= 0 else torch.full((len(order),), -1))
        pictures.append(part.images[order])
        if part.groups is not None:
            units.append(part.groups[order])
        else:
            units.append(order if part is train else torch.full((len(order),), -1))
    return torch.cat(rows), torch.cat(pictures), torch.cat(units)


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


def _without(refused: dict[str, bool], *names: str) -> dict[str, bool]:
    return {name: value for name, value in refused.items() if name not in names}


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
