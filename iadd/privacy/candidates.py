"""A recipient's own attack: which of my pictures does a received distilled set resemble?

Two statistics compare each candidate with the distilled pictures of its class: how similar it is to
one of them once both are registered, and how well the matched filter finds it in one. Similarity
is ranked against that of the recipient's candidates to one another, the filter's score against the
scores of the other candidates (conformal p-values).

Shapes: n candidates and m distilled pictures of a class, C channels, H = W pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy.matched_filter import matched_filter_scores, mean_and_spectrum
from iadd.privacy.registration import Register
from iadd.privacy.statistics import clopper_pearson
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.runtime.seed import make_generator

FEWEST = 40
"""Candidates of a class below which none can be said to stand out from the others."""

FALSE_ALARMS = 0.05
"""Probability that any candidate stands out by chance, over all candidates and both statistics."""

AVERAGED = 16
"""Images of a planted mean, and of a `k_mean` start."""

_COPIES = 3
"""Planted copies of each class."""

_NOISE = 0.05
"""Deviation of the noise on what is planted, as a share of the range of intensities."""

_REFERENCE = 40
"""Candidates that are registered onto others, to know how alike unrelated pictures are."""

_TAIL = (0.75, 0.95)
"""Quantiles between which the tail's rate is measured: up to 5% of candidates may stand out."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the attack says of one candidate. It stays with whoever owns the candidate.

    Attributes:
        row: Of the candidate in its image set.
        class_name: Its class, by the recipient's name.
        near_copy_p: Conformal p-value of its registered distance.
        matched_filter_p: Conformal p-value of its matched-filter score.
        nearest_image: Number of the distilled picture that is nearest to it, from 0.
        stands_out: Whether it lies beyond the tail of the other candidates of its class.
    """

    row: int
    class_name: str
    near_copy_p: float
    matched_filter_p: float
    nearest_image: int
    stands_out: bool


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What the attack found where the answer was known: the recipient's own pictures, planted.

    Attributes:
        name: ``copies`` or ``means``.
        title: What was planted, in words.
        planted: Pictures that were planted.
        found: Of these, those that stood out.
        interval: 95% interval of the share found.
    """

    name: str
    title: str
    planted: int
    found: int
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CandidateReport:
    """The result of a recipient's attack.

    Attributes:
        findings: One per candidate that could be compared, smallest p-values first.
        planted: The attack's power on this recipient's own pictures.
        compared: Candidates compared, by class.
        too_few: Classes with fewer than ``FEWEST`` candidates, where none can stand out.
    """

    findings: tuple[Finding, ...]
    planted: tuple[Planted, ...]
    compared: dict[str, int]
    too_few: tuple[str, ...]

    @property
    def standing_out(self) -> tuple[Finding, ...]:
        """The candidates that stand out."""
        return tuple(finding for finding in self.findings if finding.stands_out)


def attack_with_candidates(
    distilled: DistilledDataset,
    candidates: ImageSet,
    *,
    on_progress: ProgressListener | None = None,
) -> CandidateReport:
    """Compare a distilled set with candidates, and plant some of them to measure the power.

    Args:
        distilled: The set, fresh or from a bundle.
        candidates: Images with the classes of the set, in its order. All splits are used.
        on_progress: Called after each class and each planted picture; phase ``auditing``.

    Raises:
        ValueError: When classes or sizes differ, or no class of the set has two candidates.
    """
    if candidates.classes != distilled.classes:
        raise ValueError("The candidates have other classes than the distilled set.")
    if candidates.images.shape[1:] != distilled.images.shape[1:]:
        raise ValueError("The candidates have another size than the distilled pictures.")
    pictures = distilled.normalisation.invert(distilled.images)
    counts = candidates.count_by_class()
    classes = [
        _Class.of(candidates, pictures, distilled.labels, label)
        for label, name in enumerate(distilled.classes)
        if counts[name] > 1 and bool((distilled.labels == label).any())
    ]
    if not classes:
        raise ValueError("There are no candidates of a class that the release has.")
    bounds = _Bounds.share(classes)
    listener, total = on_progress or ignore_progress, len(classes) * (2 + _COPIES)
    findings: list[Finding] = []
    found = {"copies": [0, 0], "means": [0, 0]}
    done = 0
    for one in classes:
        scores = one.scores(one.pictures)
        findings += one.findings(scores, bounds)
        for _ in chain([None], one.plant(found, bounds, scores)):
            done += 1
            listener(Progress(phase="auditing", done=done, total=total, unit="comparisons"))
    findings.sort(key=lambda f: (not f.stands_out, min(f.near_copy_p, f.matched_filter_p)))
    titles = {
        "copies": "a copy of one of your pictures, shifted by up to 7%, with noise of 0.05",
        "means": f"the mean of {AVERAGED} of your pictures, with noise of 0.05",
    }
    return CandidateReport(
        findings=tuple(findings),
        planted=tuple(
            Planted(
                name=name,
                title=titles[name],
                planted=planted,
                found=hits,
                interval=clopper_pearson(hits, planted),
            )
            for name, (hits, planted) in found.items()
        ),
        compared={one.name: len(one.rows) for one in classes},
        too_few=tuple(one.name for one in classes if len(one.rows) < FEWEST),
    )


@dataclass(frozen=True, eq=False)
class _Scores:
    """Statistics of each candidate of a class, (n,); large ones are like the set."""

    near: Tensor
    filtered: Tensor
    nearest: Tensor

    def joined(self, other: "_Scores") -> "_Scores":
        """Take the larger of each, as if the pictures of both were in one set."""
        return _Scores(
            torch.maximum(self.near, other.near),
            torch.maximum(self.filtered, other.filtered),
            torch.where(other.near > self.near, other.nearest, self.nearest),
        )


@dataclass(frozen=True, eq=False)
class _Class:
    """The candidates and the pictures of one class.

    Attributes:
        name: Of the class.
        rows: int64 (n,), of the candidates in their set.
        images: uint8 (n, C, H, W).
        pictures: uint8 (m, C, H, W), of the distilled set.
        numbers: int64 (m,), of the pictures in their set.
        mean: (C, H, W) of the candidates, intensities.
        spectrum: (C, H, F), power of their residuals from it.
        register: The candidates, ready to be compared in any pose.
        reference: float64, the similarity of some candidates to the most similar one of half of the
            others. Among all it is twice as likely to be as high.
    """

    name: str
    rows: Tensor
    images: Tensor
    pictures: Tensor
    numbers: Tensor
    mean: Tensor
    spectrum: Tensor
    register: Register
    reference: Tensor

    @classmethod
    def of(cls, candidates: ImageSet, pictures: Tensor, labels: Tensor, label: int) -> "_Class":
        rows = (candidates.labels == label).nonzero().squeeze(1)
        numbers = (labels == label).nonzero().squeeze(1)
        images = candidates.images[rows]
        # Measured on all candidates alike, so that ranks among them stay exchangeable.
        mean, spectrum = mean_and_spectrum(images)
        order = torch.randperm(len(rows), generator=make_generator(0, "reference"))
        half, drawn = order[: len(rows) // 2], order[len(rows) // 2 :][:_REFERENCE]
        # What register learns from its records must not have been learnt from the reference, as it
        # was not from the pictures.
        unrelated = Register.of(images[half]).find(images[drawn]).best()
        return cls(
            candidates.classes[label],
            rows,
            images,
            pictures[numbers],
            numbers,
            mean,
            spectrum,
            Register.of(images),
            _fisher(unrelated.double()),
        )

    def scores(self, pictures: Tensor) -> _Scores:
        """Compare all candidates with some pictures, uint8 (m, C, H, W)."""
        found = self.register.find(pictures)
        near = torch.zeros(len(self.rows))
        nearest = torch.zeros(len(self.rows), dtype=torch.int64)
        for number, (index, similarity) in enumerate(
            zip(found.index, found.similarity, strict=True)
        ):
            nearer = similarity > near[index]
            nearest[index[nearer]] = number
            near[index[nearer]] = similarity[nearer]
        filtered = matched_filter_scores(
            self.images, pictures, self.mean, self.spectrum, averaged=AVERAGED
        )
        return _Scores(_fisher(near), filtered, nearest)

    def findings(self, scores: _Scores, bounds: "_Bounds") -> list[Finding]:
        out = self.standing_out(scores, bounds)
        near = (2 * conformal_p(scores.near, self.reference)).clamp(max=1.0)
        filtered = conformal_p(scores.filtered)
        return [
            Finding(
                row=int(self.rows[n]),
                class_name=self.name,
                near_copy_p=float(near[n]),
                matched_filter_p=float(filtered[n]),
                nearest_image=int(self.numbers[scores.nearest[n]]),
                stands_out=bool(out[n]),
            )
            for n in range(len(self.rows))
        ]

    def plant(
        self, found: dict[str, list[int]], bounds: "_Bounds", scores: _Scores
    ) -> Iterator[None]:
        """Hide own pictures among the set's, and count those that stand out."""
        generator = make_generator(0, "planted", self.name)
        order = torch.randperm(len(self.rows), generator=generator)
        mean = self.images[order[:AVERAGED]].float().mean(dim=0)
        planted = [("means", mean, order[:AVERAGED])]
        for row in order[-_COPIES:]:
            reach = max(1, self.images.shape[-1] // 14)
            shift = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
            copy = self.images[row].float().roll(shift, dims=(1, 2))
            planted.append(("copies", copy, row[None]))
        for name, picture, rows in planted:
            noise = _NOISE * 255 * torch.randn(picture.shape, generator=generator)
            grey = (picture + noise).round().clamp(0, 255).to(torch.uint8)
            out = self.standing_out(scores.joined(self.scores(grey[None])), bounds)
            found[name][0] += int(out[rows].sum())
            found[name][1] += len(rows)
            yield

    def standing_out(self, scores: _Scores, bounds: "_Bounds") -> Tensor:
        """Return which candidates stand out, bool (n,)."""
        if len(self.rows) < FEWEST:
            return torch.zeros(len(self.rows), dtype=torch.bool)
        copied = 2 * tail_p(scores.near, self.reference) < bounds.of_picture
        return copied | (tail_p(scores.filtered) < bounds.of_candidate)


@dataclass(frozen=True)
class _Bounds:
    """P-values below which something stands out, so that all of them share one error rate."""

    of_picture: float
    of_candidate: float

    @classmethod
    def share(cls, classes: Sequence[_Class]) -> "_Bounds":
        half = FALSE_ALARMS / 2
        return cls(
            half / sum(len(one.pictures) for one in classes),
            half / sum(len(one.rows) for one in classes),
        )


def _fisher(similarity: Tensor) -> Tensor:
    """Transform correlations so that their errors are nearly normal (Fisher 1915)."""
    return torch.atanh(similarity.clamp(max=1 - 1e-6))


def conformal_p(scores: Tensor, reference: Tensor | None = None) -> Tensor:
    """Rank each score among others, (1 + #{others ≥ it}) / (others + 1): float64 (n,).

    If a score and the others are exchangeable, P(p ≤ a) ≤ a (Vovk, Gammerman and Shafer 2005,
    section 2.2).

    Args:
        scores: (n,).
        reference: (r,), the others; each score's own companions unless given.
    """
    values = scores.double()
    ordered = (values if reference is None else reference.double()).sort().values
    above = len(ordered) - torch.searchsorted(ordered, values, right=False)
    if reference is None:
        return above.double() / len(ordered)  # it counts itself
    return (1 + above).double() / (len(ordered) + 1)


def tail_p(scores: Tensor, reference: Tensor | None = None) -> Tensor:
    """Compute how far each score lies beyond the tail of others, as a p-value: float64 (n,).

    The tail above the 75th percentile is taken to fall exponentially, at the rate that lies between
    the 75th and the 95th percentile, and slower by two standard errors of that rate. The tail of a
    normal distribution falls faster, so that its p-values are too large. Ranks alone can say of n
    scores no more than 1/n.

    Args:
        scores: (n,).
        reference: (r,), the others; the scores themselves unless given, of which up to 5% may lie
            beyond the tail without changing it.
    """
    others = (scores if reference is None else reference).double()
    low, high = (others.quantile(q) for q in _TAIL)
    error = 1 / math.sqrt((1 - _TAIL[0]) * len(others))
    spread = (high - low).clamp(min=1e-12) * (1 + 2 * error)
    rate = math.log((1 - _TAIL[0]) / (1 - _TAIL[1])) / spread
    return ((1 - _TAIL[0]) * torch.exp(-rate * (scores.double() - low))).clamp(max=1.0)
