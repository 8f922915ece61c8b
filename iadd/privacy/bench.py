"""The bench of an audit: records made ready once, on which many sets of pictures are examined.

Shapes: M distilled images, R records: the training images and the held-out ones, in that order;
n references.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.privacy import metrics as audit_metrics
from iadd.privacy.matched_filter import Sought, seek_contributors
from iadd.privacy.metrics import SAME_PICTURE, Sides
from iadd.privacy.nearest_neighbours import (
    Embed,
    embedded,
    equal_neighbour,
    find_by_features,
    find_neighbours,
)
from iadd.privacy.registration import CANDIDATES, Register, Registered
from iadd.privacy.report import Metric
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.runtime.seed import make_generator

DOSE = 9
"""Copies in each row of the positive control, at most."""

AVERAGED = 16
"""Images averaged in a start, as the positive control makes it and the filter assumes it."""


class PartCounter:
    """Counts the finished parts of an audit, and reports them."""

    total = 5

    def __init__(self, listener: ProgressListener, done: int = 0) -> None:
        self._listener, self._done = listener, done

    def count(self, message: str) -> None:
        """Report that another part is finished."""
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
        contributors: int64, training images that the starts were made of; None where nobody knows.
    """

    pictures: Tensor
    labels: Tensor
    starts: Tensor | None = None
    on_grey_levels: bool = True
    contributors: Tensor | None = None

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
        progress: PartCounter | None = None,
    ) -> "Bench":
        """Describe the records and measure the references.

        Args:
            images: The whole image set.
            count: Distilled images that one is to stand out from, at most.
            embed: As in :func:`audit`.
            random_split: As in :func:`audit`.
            progress: Counts the two parts.
        """
        progress = progress or PartCounter(ignore_progress)
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
        known = given.contributors
        start = None
        if given.starts is not None:
            start = self.seek(given.starts, given.labels, sides, known)
        return [
            audit_metrics.grid(given.on_grey_levels),
            *audit_metrics.contributors(
                start,
                self.seek(given.pictures, given.labels, sides, known),
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

    def seek(
        self,
        pictures: Tensor,
        labels: Tensor,
        sides: Sides,
        contributors: Tensor | None = None,
    ) -> Sought | None:
        """Ask of each record whether it is in the pictures of its class."""
        taken = sides.training | sides.held_out
        known = None
        if contributors is not None:
            known = torch.zeros(len(self.images), dtype=torch.bool)
            known[contributors] = True  # training images are the first records
        return seek_contributors(
            pictures,
            labels,
            self.images[taken],
            self.labels[taken],
            sides.training[taken],
            groups=None if self.groups is None else self.groups[taken],
            known=None if known is None else known[taken],
            averaged=AVERAGED,
        )

    def held_out_references(self, without: Tensor | None) -> Tensor:
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
        held_out = self.held_out_references(without)
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
        held_out = self.held_out_references(without)
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
