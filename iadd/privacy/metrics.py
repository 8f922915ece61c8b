"""The metrics of the audit: retention (A), distance to the closest record (B), near-copies (D).

Each reads rankings that were made once, and returns one `Metric` per measure. The metrics do not
depend on whether the images are the distilled ones or a control.

Shapes: M queries, R records (training and held-out images together).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from iadd.privacy.nearest_neighbours import Neighbourhood, Ranking
from iadd.privacy.report import Metric, Outcome
from iadd.privacy.statistics import binomial_tail, clopper_pearson, holm

LEVEL = 0.05
"""Error rate of each family of tests."""

FEWEST = 5
"""Below so many images, comparing with the held-out set has no power (metric B)."""

TAIL = 0.01
"""Share of held-out images that lie nearer to a training image than the near-copy threshold."""

IN_WORDS = {
    "pixels": "pixel by pixel",
    "ssim": "by structure (SSIM)",
    "phash": "by perceptual hash",
    "embedding": "by network features",
}

_RETENTION = ("pixels", "ssim", "embedding")
_CLOSEST = ("pixels", "ssim", "embedding")
_NEAR_COPIES = ("ssim", "phash", "embedding")


@dataclass(frozen=True, eq=False)
class Sides:
    """Membership of the records: training images or held-out ones.

    Attributes:
        training: bool (R,).
        held_out: bool (R,). A record may be neither: then it is left out.
    """

    training: Tensor
    held_out: Tensor

    @property
    def chance(self) -> float:
        """Probability that the nearest record is a training image if training left no trace."""
        training, held_out = int(self.training.sum()), int(self.held_out.sum())
        return training / (training + held_out)


@dataclass(frozen=True)
class Threshold:
    """Limits of a near-copy: near to one training image, and nearer to it than to others.

    Attributes:
        distance: The largest distance to the nearest training image that counts.
        standing_out: The largest ratio of it to the mean distance of the next ones that counts.
        chance: Upper bound of the share of held-out images within both limits.
    """

    distance: float
    standing_out: float
    chance: float

    def count(self, ranking: Ranking, sides: Sides) -> int:
        """Count the ranked images that are near-copies of a training image."""
        distance, _ = ranking.nearest(sides.training)
        ratio = ranking.standing_out(sides.training)
        return int(((distance <= self.distance) & (ratio <= self.standing_out)).sum())


def retention(queries: Neighbourhood, starts: Tensor | None, sides: Sides) -> list[Metric]:
    """Metric A: share of images whose nearest training image is the one they started from.

    Args:
        queries: Rankings of M images.
        starts: int64 (M,), the record that each started from, −1 where it was no record; None
            when the starts are not known.
        sides: The two sides.
    """
    return [_retention_by(measure, queries[measure], starts, sides) for measure in _RETENTION]


def _retention_by(measure: str, ranking: Ranking, starts: Tensor | None, sides: Sides) -> Metric:
    outcome: Outcome
    value, interval = None, None
    if starts is None:
        outcome = "no_power"
        explanation = "The images that the distillation started from were not kept."
    else:
        count, real = len(starts), int((starts >= 0).sum())
        _, nearest = ranking.nearest(sides.training)
        successes = int((nearest == starts).sum())
        outcome = "refused" if successes else "passed"
        value, interval = successes / count, clopper_pearson(successes, count)
        explanation = (
            f"{successes} of {count} distilled images are still nearest to the patient's image "
            "that they started from."
            if real
            else "No distilled image started from a patient's image, so there is none to retain."
        )
    return Metric(
        name=f"start_retention_{measure}",
        title=f"Retention of the start, {IN_WORDS[measure]}",
        value=value,
        interval=interval,
        rule="Refuses at the first distilled image whose nearest training image is its own start.",
        outcome=outcome,
        explanation=explanation,
    )


def distance_to_closest_record(queries: Neighbourhood, sides: Sides) -> list[Metric]:
    """Metric B: tests whether the nearest record is a training image more often than by chance.

    Under the null hypothesis that training left no trace, training and held-out images are
    exchangeable, and the nearest record is a training image with probability N/(N + n): one half
    for sets of equal size. Using the whole training set and adapting the probability, instead of
    cutting it to the size of the held-out set, keeps every possible source in the test. A record
    that is nearest to several distilled images counts once: those are not independent evidence.
    """
    counts = [_closest_counts(queries[measure], sides) for measure in _CLOSEST]
    if not (bool(sides.training.any()) and bool(sides.held_out.any())):
        counts = [(0, 0) for _ in _CLOSEST]
    adjusted = holm([binomial_tail(successes, n, sides.chance) for successes, n in counts])
    return [
        _closest_by(measure, successes, n, p, sides.chance)
        for measure, (successes, n), p in zip(_CLOSEST, counts, adjusted, strict=True)
    ]


def _closest_counts(ranking: Ranking, sides: Sides) -> tuple[int, int]:
    distance, nearest = ranking.nearest(sides.training | sides.held_out)
    records = nearest[distance.isfinite()].unique()
    return int(sides.training[records].sum()), len(records)


def _closest_by(measure: str, successes: int, trials: int, p: float, chance: float) -> Metric:
    outcome: Outcome = "refused" if p < LEVEL else "passed"
    if trials < FEWEST:
        outcome = "no_power"
        explanation = (
            f"The distilled images have {trials} different nearest records; below {FEWEST} the "
            "comparison cannot distinguish a leak from chance, so it never passes."
        )
    else:
        explanation = (
            f"{successes} of {trials} nearest records are training images; {chance:.0%} would be "
            f"expected if training had left no trace (p = {p:.2g}, Holm-corrected)."
        )
    return Metric(
        name=f"closest_record_{measure}",
        title=f"Distance to the closest record, {IN_WORDS[measure]}",
        value=successes / trials if trials else None,
        interval=clopper_pearson(successes, trials) if trials else None,
        rule=(
            "Refuses when the nearest record is a training image more often than chance has it "
            f"(binomial test, p < {LEVEL}, Holm over the measures)."
        ),
        outcome=outcome,
        explanation=explanation,
    )


def exact_copies(copied: Tensor) -> Metric:
    """Metric D, first part: share of exact copies.

    Args:
        copied: int64 (M,), the training image that each equals to one grey level, or −1.
    """
    successes, count = int((copied >= 0).sum()), len(copied)
    return Metric(
        name="exact_copies",
        title="Exact copies",
        value=successes / count,
        interval=clopper_pearson(successes, count),
        rule="Refuses at the first distilled image that equals a training image to one grey level.",
        outcome="refused" if successes else "passed",
        explanation=f"{successes} of {count} distilled images equal a training image.",
    )


def near_copy_thresholds(
    reference: Neighbourhood, rows: Tensor, sides: Sides
) -> dict[str, Threshold]:
    """Compute the first percentile of the distances from held-out images to the training images.

    An average of many images, which ``k_mean`` starts from, is nearer to all images than any real
    image is, and a copy of none. So the distance has to stand out too, against the nearest
    neighbours' mean, as Carlini et al. (arXiv 2301.13188) judge copies in the output of diffusion
    models; the threshold of that ratio is its first percentile over the same held-out images.

    Args:
        reference: Rankings of held-out images, each left out of its own neighbours.
        rows: int64, the reference images to use: those that have no duplicate in training.
        sides: The two sides.
    """
    thresholds = {}
    for measure in _NEAR_COPIES:
        ranking = reference[measure].take(rows)
        distances, _ = ranking.nearest(sides.training)
        distance, chance = _first_percentile(distances)
        standing_out, _ = _first_percentile(ranking.standing_out(sides.training))
        thresholds[measure] = Threshold(distance, standing_out, chance)
    return thresholds


def _first_percentile(values: Tensor) -> tuple[float, float]:
    """Return the value that about 1% of values do not exceed, and the chance of a new one below it.

    Fewer than 99 values have no first percentile: then it is the smallest of them, which a new
    value undercuts with chance 1/(n + 1). Tied values, such as hash distances, count together or
    not at all.
    """
    ordered = values.sort().values
    within = max(1, int(TAIL * (len(ordered) + 1)))
    possible = [float(v) for v in ordered[:within] if int((ordered <= v).sum()) <= within]
    percentile = possible[-1] if possible else float(ordered[0])
    below = int((ordered <= percentile).sum())
    return percentile, max(TAIL, below / (len(ordered) + 1))


def near_copies(
    queries: Neighbourhood, thresholds: Mapping[str, Threshold], sides: Sides
) -> list[Metric]:
    """Metric D: tests for more near-copies of training images than held-out images have."""
    successes = [threshold.count(queries[name], sides) for name, threshold in thresholds.items()]
    count = len(queries["ssim"].index)
    adjusted = holm(
        [
            binomial_tail(found, count, threshold.chance)
            for found, threshold in zip(successes, thresholds.values(), strict=True)
        ]
    )
    return [
        _near_copies_by(measure, found, count, p, threshold)
        for (measure, threshold), found, p in zip(
            thresholds.items(), successes, adjusted, strict=True
        )
    ]


def _near_copies_by(
    measure: str, successes: int, count: int, p: float, threshold: Threshold
) -> Metric:
    return Metric(
        name=f"near_copies_{measure}",
        title=f"Near-copies, {IN_WORDS[measure]}",
        value=successes / count,
        interval=clopper_pearson(successes, count),
        rule=(
            "Refuses when more distilled images are near-copies of a training image than chance "
            f"allows (binomial test, p < {LEVEL}, Holm over the measures). A near-copy is nearer "
            f"to its nearest training image than {1 - threshold.chance:.1%} of the held-out images "
            "are to theirs, both as such and compared with its next neighbours."
        ),
        outcome="refused" if p < LEVEL else "passed",
        explanation=(
            f"{successes} of {count} distilled images are near-copies; chance alone gives up to "
            f"{threshold.chance * count:.1f} (p = {p:.2g}, Holm-corrected)."
        ),
    )


def no_held_out_images(count: int) -> list[Metric]:
    """Metric D without held-out images to compare with."""
    return [
        Metric(
            name=f"near_copies_{measure}",
            title=f"Near-copies, {IN_WORDS[measure]}",
            value=None,
            interval=None,
            rule="The threshold is a percentile of held-out images' distances to training images.",
            outcome="no_power",
            explanation=(
                f"{count} held-out images without a duplicate in training are too few to set a "
                "threshold."
            ),
        )
        for measure in _NEAR_COPIES
    ]


def refused_by_name(metrics: Sequence[Metric]) -> dict[str, bool]:
    """Return for each metric, by name, whether it refused."""
    return {metric.name: metric.outcome == "refused" for metric in metrics}
