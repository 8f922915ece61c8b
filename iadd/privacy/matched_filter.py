"""Finds the images that a picture was averaged from: the attack on ``k_mean`` starts.

The mean of k images holds each of them at 1/k, below what is seen, and pixel distances miss it. A
matched filter does not: it correlates a candidate's residual from the class mean with the
picture's, each spatial frequency weighted by the inverse of the power that everything else has
there (North 1943; Turin, IRE Trans. Inf. Theory 6 (1960)). Everything else is the k − 1 other
images, of the class's mean power spectrum over k, and what distilling added.

Mean and spectrum come from both compared sides together, each image with the same weight. So under
the null hypothesis, that a picture does not depend on which side an image is on, sides may be
exchanged at random, and the permutation test is exact. A mean over training images alone would
correlate with each of them, and give any picture an AUC away from one half.

Legend: N candidates, M pictures, C channels, H and W pixels, F = W // 2 + 1 frequencies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.privacy.statistics import auc_interval, clopper_pearson
from iadd.runtime.seed import make_generator

PERMUTATIONS = 1999
"""Random exchanges of sides; the smallest p is one over 2,000."""

_CHUNK = 512
_TAILS = (0.95, 0.99, 0.998)
_OUTSTANDING = 6.0
_NORMAL = 1.4826
_SEED = 0


def mean_and_spectrum(images: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate a class's mean image and the mean power spectrum of the residuals from it.

    Args:
        images: (N, C, H, W), uint8, or intensities in 0..1; at least one.

    Returns:
        Mean (C, H, W) in 0..1, and power (C, H, F), positive.
    """
    total = sum(_intensities(chunk).sum(dim=0) for chunk in images.split(_CHUNK))
    mean = torch.as_tensor(total) / len(images)
    power = sum(
        torch.fft.rfft2(_intensities(chunk) - mean).abs().square().sum(dim=0)
        for chunk in images.split(_CHUNK)
    )
    spectrum = torch.as_tensor(power) / len(images)
    return mean, spectrum.clamp(min=1e-6 * float(spectrum.mean()) + 1e-12)


def filter_matrix(
    images: Tensor,
    pictures: Tensor,
    mean: Tensor,
    spectrum: Tensor,
    *,
    averaged: int = 16,
    drift_spectrum: Tensor | None = None,
) -> Tensor:
    """Score each candidate in each picture, ``Re⟨X, W·D⟩ / ‖X‖_W`` (N, M).

    X and D are the transforms of a candidate's and of a picture's residual from the class mean,
    and ``W = 1 / (spectrum/k + spectrum of the drift)``.

    Args:
        images: Candidates of one class, (N, C, H, W), uint8, or intensities in 0..1.
        pictures: Pictures of that class, (M, C, H, W), likewise; any range.
        mean: (C, H, W), the class's mean.
        spectrum: (C, H, F), power of the class's residuals.
        averaged: k, images that are averaged in a picture.
        drift_spectrum: (C, H, F), power of what was added to the mean, or a shape that broadcasts
            to it. By default what the pictures have beyond ``spectrum/k``, smoothed over
            frequencies.
    """
    own = torch.fft.rfft2(_intensities(pictures) - mean)
    expected = spectrum / averaged
    drift = drift_spectrum
    if drift is None:
        drift = torch.stack([_smooth((one.abs().square() - expected).clamp(min=0)) for one in own])
    weight = (1.0 / (expected + drift)).expand(own.shape)
    # A real picture's transform holds each frequency twice, but for the first and the last column.
    twice = torch.full((spectrum.shape[-1],), 2.0)
    twice[0] = 1.0
    if mean.shape[-1] % 2 == 0:
        twice[-1] = 1.0
    weight = weight * twice
    weighted = (own * weight).flatten(1).conj().T
    scores = []
    for chunk in images.split(_CHUNK):
        candidate = torch.fft.rfft2(_intensities(chunk) - mean).flatten(1)
        norm = (candidate.abs().square() @ weight.flatten(1).T).sqrt()
        scores.append((candidate @ weighted).real / norm.clamp(min=1e-12))
    return torch.cat(scores)


def matched_filter_scores(
    images: Tensor,
    pictures: Tensor,
    mean: Tensor,
    spectrum: Tensor,
    *,
    averaged: int = 16,
    drift_spectrum: Tensor | None = None,
) -> Tensor:
    """Score candidates by the picture that each stands out in most, (N,).

    Arguments as in :func:`filter_matrix`; candidates and pictures are of one class. Source:
    ``max_d Re⟨X, W·D̂⟩ / ‖X‖_W``, D̂ the picture's residual of norm 1 under W.
    """
    return filter_matrix(
        images, pictures, mean, spectrum, averaged=averaged, drift_spectrum=drift_spectrum
    ).amax(dim=1)


@dataclass(frozen=True, eq=False)
class Sought:
    """How candidates of all classes stand out in some pictures.

    Attributes:
        scores: float32 (N,), standardised by picture: robust deviations from the median candidate.
        training: bool (N,), the candidates that were trained on.
        strata: int64 (N,), classes: sides are exchanged within one.
        known: bool (N,), those that starts were made of; None where nobody knows.
    """

    scores: Tensor
    training: Tensor
    strata: Tensor
    known: Tensor | None = None

    def auc(self) -> float:
        """Return the chance that a training image scores above a held-out one of its class."""
        return self._auc(self.training, ~self.training)

    def of_known(self) -> tuple[float, int, int] | None:
        """Compare known contributors with the other training images of their classes.

        Chance chose them, so without a trace of them both score alike, whatever the split was.

        Returns:
            Area under the ROC curve, contributors, others; None where none is known.
        """
        if self.known is None:
            return None
        known, others = self.known, self.training & ~self.known
        # In a small class every training image may have gone into a start.
        asked = torch.zeros_like(known)
        for stratum in self.strata.unique():
            mine = self.strata == stratum
            if bool((mine & known).any()) and bool((mine & others).any()):
                asked |= mine
        if not bool(asked.any()):
            return None
        known, others = known & asked, others & asked
        return self._auc(known, others), int(known.sum()), int(others.sum())

    def _auc(self, positives: Tensor, negatives: Tensor) -> float:
        total, pairs = 0.0, 0
        for stratum in self.strata.unique():
            mine = self.strata == stratum
            positive = self.scores[mine & positives]
            negative = self.scores[mine & negatives]
            if len(positive) and len(negative):
                total += area_under_curve(positive, negative) * len(positive) * len(negative)
                pairs += len(positive) * len(negative)
        return total / pairs if pairs else 0.5

    def found(self) -> tuple[float, tuple[float, float]]:
        """Share of training images above the 99th percentile of held-out ones, with interval."""
        held_out = self.scores[~self.training].sort().values
        if not len(held_out):
            return 0.0, (0.0, 1.0)
        above = self.scores[self.training] > held_out[math.ceil(0.99 * len(held_out)) - 1]
        hits, count = int(above.sum()), len(above)
        return hits / max(count, 1), clopper_pearson(hits, count)

    def standing_out(self) -> Tensor:
        """Training images above every held-out one and beyond six deviations, bool (N,)."""
        held_out = self.scores[~self.training]
        limit = max(_OUTSTANDING, float(held_out.max()) if len(held_out) else _OUTSTANDING)
        return self.training & (self.scores > limit)

    def p_value(self, permutations: int = PERMUTATIONS) -> float:
        """Test whether training images score higher, exactly, by exchanging sides within classes.

        The statistic is the largest of four, each in deviations of its own null distribution: the
        mean rank (an AUC), and the training images among the highest 5%, 1% and 0.2% (a few
        contributors among many others). Its own distribution under exchange gives one p-value for
        all (Westfall and Young 1993).
        """
        ranks = torch.empty(len(self.scores))
        shares = torch.empty(len(self.scores))
        for stratum in self.strata.unique():
            mine = (self.strata == stratum).nonzero()[:, 0]
            ranks[mine] = _mid_ranks(self.scores[mine]) / (len(mine) + 1)
            shares[mine] = float(self.training[mine].float().mean())
        rows = torch.stack(
            [ranks, *((_pooled_ranks(self.scores) > tail).float() for tail in _TAILS)]
        )
        generator = make_generator(_SEED, "exchange of sides")
        observed = rows @ (self.training.float() - shares)
        exchanged = [observed[:, None]]
        for start in range(0, permutations, 200):
            count = min(200, permutations - start)
            exchanged.append(rows @ (self._exchange(count, generator) - shares[:, None]))
        values = torch.cat(exchanged, dim=1)  # (4, 1 + permutations), the observed one first
        null = values[:, 1:]
        deviation = null.std(dim=1, keepdim=True).clamp(min=1e-6)
        largest = ((values - null.mean(dim=1, keepdim=True)) / deviation).amax(dim=0)
        return float((largest >= largest[0] - 1e-4).float().mean())

    def _exchange(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw sides anew within each class, float32 (N, count)."""
        drawn = torch.zeros(len(self.scores), count)
        for stratum in self.strata.unique():
            mine = (self.strata == stratum).nonzero()[:, 0]
            members = int(self.training[mine].sum())
            keys = torch.rand(len(mine), count, generator=generator)
            chosen = keys.argsort(dim=0)[:members]
            within = torch.zeros(len(mine), count).scatter_(0, chosen, 1.0)
            drawn[mine] = within
        return drawn


def seek_contributors(
    pictures: Tensor,
    picture_labels: Tensor,
    images: Tensor,
    labels: Tensor,
    training: Tensor,
    *,
    groups: Tensor | None = None,
    known: Tensor | None = None,
    averaged: int = 16,
) -> Sought | None:
    """Look in pictures for the images that they hold, class by class.

    Args:
        pictures: (M, C, H, W), intensities in 0..1.
        picture_labels: int64 (M,).
        images: Both compared sides, uint8 (N, C, H, W).
        labels: int64 (N,).
        training: bool (N,).
        groups: int64 (N,), units: images of one count as one candidate.
        known: bool (N,), images that starts were made of, where that is known.
        averaged: k of the filter.

    Returns:
        The scores of all candidates of the pictures' classes; None where no class has pictures and
        both sides.
    """
    parts = []
    for label in picture_labels.unique():
        mine = (labels == label).nonzero()[:, 0]
        sides = training[mine]
        if bool(sides.all()) or not bool(sides.any()):
            continue
        own = images[mine]
        mean, spectrum = mean_and_spectrum(own)
        shown = pictures[picture_labels == label]
        matrix = filter_matrix(own, shown, mean, spectrum, averaged=averaged)
        score = _standardise(matrix).amax(dim=1)
        used = torch.zeros_like(sides) if known is None else known[mine]
        if groups is not None:
            score, sides, used = _by_unit(score, sides, used, groups[mine])
        parts.append((score, sides, torch.full((len(score),), int(label)), used))
    if not parts:
        return None
    scores, member, strata, using = (torch.cat(column) for column in zip(*parts, strict=True))
    return Sought(scores, member, strata, None if known is None else using)


def area_under_curve(positive: Tensor, negative: Tensor) -> float:
    """Return the chance that a positive's score is above a negative's; ties count half."""
    ordered = negative.sort().values
    below = torch.searchsorted(ordered, positive.contiguous(), right=False)
    not_above = torch.searchsorted(ordered, positive.contiguous(), right=True)
    return float((below + not_above).double().mean()) / (2.0 * len(negative))


def _intensities(images: Tensor) -> Tensor:
    return images.float() / 255.0 if images.dtype == torch.uint8 else images.float()


def _smooth(power: Tensor) -> Tensor:
    """Average a power spectrum (C, H, F) over rings of equal spatial frequency."""
    height, columns = power.shape[-2:]
    rows = torch.fft.fftfreq(height, d=1.0 / height).abs()
    ring = (rows[:, None].square() + torch.arange(columns).square()).sqrt().round().long().flatten()
    total = torch.zeros(len(power), int(ring.max()) + 1)
    total.scatter_add_(1, ring.expand(len(power), -1), power.flatten(1))
    return (total / torch.bincount(ring).clamp(min=1))[:, ring].view_as(power)


def _standardise(scores: Tensor) -> Tensor:
    centre = scores.median(dim=0).values
    spread = (scores - centre).abs().median(dim=0).values * _NORMAL
    return (scores - centre) / spread.clamp(min=1e-12)


def _by_unit(
    scores: Tensor, sides: Tensor, known: Tensor, groups: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Keep each unit's highest score."""
    units, which = groups.unique(return_inverse=True)
    highest = torch.full((len(units),), -torch.inf).scatter_reduce_(0, which, scores, "amax")
    member, used = torch.zeros(2, len(units), dtype=torch.bool)
    member[which[sides]] = True
    used[which[known]] = True
    return highest, member, used


def _mid_ranks(values: Tensor) -> Tensor:
    ordered = values.sort().values
    low = torch.searchsorted(ordered, values, right=False)
    high = torch.searchsorted(ordered, values, right=True)
    return (low + high + 1).float() / 2.0


def _pooled_ranks(values: Tensor) -> Tensor:
    return _mid_ranks(values) / (len(values) + 1)


def known_contributors_auc(
    scores: Tensor, contributors: Sequence[int] | Tensor, held_out: Tensor
) -> tuple[float, tuple[float, float]]:
    """Compare known contributors with held-out images: AUC and its 95% interval.

    Args:
        scores: (N,).
        contributors: Rows of the images that were averaged.
        held_out: bool (N,).
    """
    positive = scores[torch.as_tensor(contributors)]
    auc = area_under_curve(positive, scores[held_out])
    return auc, auc_interval(auc, len(positive), int(held_out.sum()))
