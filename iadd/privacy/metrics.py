"""The metrics of the audit, each one function that returns a `Metric`.

They share one error rate of 5%: `SINGLE`, `MANY`, `CONTRIBUTORS` and `CLOSEST` add up to less, so
that a set that leaks nothing is refused in at most one audit of twenty.

Shapes: M distilled images, R records (training and held-out images together), n references.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iadd.privacy.matched_filter import Sought
from iadd.privacy.nearest_neighbours import Neighbourhood, Ranking
from iadd.privacy.report import Metric, Outcome
from iadd.privacy.statistics import (
    auc_interval,
    binomial_tail,
    clopper_pearson,
    holm,
    permutation_tail,
)

SINGLE = 0.02
"""Error rate of near-copies, one image."""

MANY = 0.005
"""Error rate of near-copies, many images."""

CONTRIBUTORS = 0.01
"""Error rate of contributors, in the start and in the release together (Holm)."""

CLOSEST = 0.01
"""Error rate of the distance to the closest record, over its measures (Holm)."""

SAME_PICTURE = 0.95
"""Similarity after registration from which two pictures are one; 1 is the same picture. The
negative control of each audit shows what different patients reach."""

TAIL = 0.05
"""Share of the references that lie above the threshold of near-copies, many images."""

_NEIGHBOUR_RATIO_LEVEL = 0.05
_FEWEST_REFERENCE = 20
_LINKABILITY_LIMIT = 0.2
_AUC_THAT_MATTERS = 0.52
_SHARE_THAT_MATTERS = 0.02

IN_WORDS = {"pixels": "pixel by pixel", "ssim": "by structure (SSIM)"}


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


# ------------------------------------------------------------------------------------- the release


def grid(on_grey_levels: bool) -> Metric:
    """Whether the audit reads all that would be released: values on the 256 grey levels alone."""
    return Metric(
        name="grid",
        title="Nothing beside the grey levels",
        value=None,
        interval=None,
        rule="Refuses values between, below or above the 256 grey levels of a picture.",
        outcome="passed" if on_grey_levels else "refused",
        explanation=(
            "Every value is a grey level: the pictures are all that is released."
            if on_grey_levels
            else "Values lie between grey levels or outside of black and white: what a picture "
            "shows, and what is audited, is not all that would be released."
        ),
    )


# --------------------------------------------------------------------------------- A, contributors


def contributors(
    start: Sought | None, release: Sought | None, *, random_split: bool = True
) -> list[Metric]:
    """Metric A: can the images that were averaged into a start be found, in it or in the set?

    The matched filter of :mod:`iadd.privacy.matched_filter` scores each image in the pictures of
    its class. Training images that score above held-out ones were averaged in, or learnt from.

    Args:
        start: Scores in the initial images; None where they were not kept.
        release: Scores in the distilled images; None where a class lacks a side.
        random_split: Whether held-out images were drawn at random. Where they were not, the two
            sides may differ by hospital or time, and only single images that stand out count.
    """
    questions = [one for one in (start, release) if one is not None]
    p_values = holm([one.p_value() if random_split else 1.0 for one in questions])
    adjusted = dict(zip(map(id, questions), p_values, strict=True))
    return [
        _contributors_in(name, title, one, adjusted.get(id(one), 1.0), random_split)
        for name, title, one in (
            ("start", "in the initial images", start),
            ("release", "in the distilled images", release),
        )
    ]


def _contributors_in(
    name: str, title: str, sought: Sought | None, p: float, random_split: bool
) -> Metric:
    outcome: Outcome = "no_power"
    value, interval = None, None
    if sought is None:
        explanation = (
            "The initial images were not kept."
            if name == "start"
            else "No class has both training and held-out images."
        )
    else:
        members, others = int(sought.training.sum()), int((~sought.training).sum())
        value = sought.auc()
        interval = auc_interval(value, members, others)
        found, (least, _) = sought.found()
        standing_out = int(sought.standing_out().sum())
        matters = standing_out > 0 or interval[0] > _AUC_THAT_MATTERS or least > _SHARE_THAT_MATTERS
        refused = (p < CONTRIBUTORS and matters) if random_split else standing_out > 2
        outcome = "refused" if refused else "passed" if random_split else "no_power"
        explanation = (
            f"{standing_out} training images stand out above all {others:,} held-out ones; "
            f"{found:.1%} of {members:,} lie above the 99th percentile of these"
        )
        explanation += (
            f" (p = {p:.2g}, Holm-corrected)."
            if random_split
            else ". The archive's own split was kept: its sides may differ by more than training."
        )
        known = sought.of_known()
        if known is not None:
            value, count, others = known
            interval = auc_interval(value, count, others)
            outcome = "refused" if refused or interval[0] > 0.5 else "passed"
            explanation = (
                f"{count:,} images that starts were made of score higher than {others:,} other "
                f"training images of their classes in {value:.1%} of pairs (95% interval "
                f"{interval[0]:.1%} to {interval[1]:.1%}; 50% is chance). {explanation}"
            )
    return Metric(
        name=f"contributors_{name}",
        title=f"Contributors, {title}",
        value=value,
        interval=interval,
        rule=(
            "Value: area under the ROC curve of a matched filter, training against held-out images "
            f"of a class. Refuses when training images score higher (permutation test, p < "
            f"{CONTRIBUTORS}, Holm over both places) by an amount that matters. Where it is known "
            "which images starts were made of, the value is theirs against other training images, "
            "and refuses when its 95% interval is above 0.5."
        ),
        outcome=outcome,
        explanation=explanation,
    )


# ------------------------------------------------------------------------------- B, closest record


def distance_to_closest_record(
    queries: Neighbourhood, sides: Sides, *, random_split: bool = True
) -> list[Metric]:
    """Metric B: tests whether the nearest record is a training image more often than by chance.

    Under the null hypothesis that training left no trace, training and held-out images are
    exchangeable, and the nearest record is a training image with probability N/(N + n): one half
    for sets of equal size. Using the whole training set and adapting the probability, instead of
    cutting it to the size of the held-out set, keeps every possible source in the test. A record
    that is nearest to several distilled images counts once: those are not independent evidence.

    Args:
        queries: Rankings of M images.
        sides: The two sides.
        random_split: Whether the sides were drawn at random; else they are not exchangeable.
    """
    counts = [_closest_counts(ranking, sides) for ranking in queries.values()]
    if not (bool(sides.training.any()) and bool(sides.held_out.any())):
        counts = [(0, 0) for _ in queries]
    adjusted = holm([binomial_tail(successes, n, sides.chance) for successes, n in counts])
    return [
        _closest_by(measure, counts, successes, n, p, sides.chance, random_split)
        for measure, (successes, n), p in zip(queries, counts, adjusted, strict=True)
    ]


def _closest_counts(ranking: Ranking, sides: Sides) -> tuple[int, int]:
    distance, nearest = ranking.nearest(sides.training | sides.held_out)
    records = nearest[distance.isfinite()].unique()
    return int(sides.training[records].sum()), len(records)


def records_needed(chance: float, measures: int) -> float:
    """Number of nearest records from which all of them being training images refuses."""
    if not 0.0 < chance < 1.0:
        return math.inf
    return math.floor(math.log(CLOSEST / measures) / math.log(chance)) + 1


def _closest_by(
    measure: str,
    counts: Sequence[tuple[int, int]],
    successes: int,
    trials: int,
    p: float,
    chance: float,
    random_split: bool,
) -> Metric:
    outcome: Outcome = "refused" if p < CLOSEST else "passed"
    needed = records_needed(chance, len(counts))
    if not random_split:
        outcome = "no_power"
        explanation = (
            "The archive's own split was kept: held-out images may differ from training images by "
            "more than training, so the comparison says nothing."
        )
    elif trials < needed:
        outcome = "no_power"
        wanted = f"{needed:.0f} are needed" if math.isfinite(needed) else "no number is enough"
        explanation = (
            f"The distilled images have {trials} different nearest records. With {chance:.0%} "
            f"expected by chance, {wanted} to distinguish even a complete leak from chance."
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
            f"(binomial test, p < {CLOSEST}, Holm over the measures)."
        ),
        outcome=outcome,
        explanation=explanation,
    )


# ------------------------------------------------------------------------------- C, distance ratio


def neighbour_ratio(ratios: Tensor, reference: Tensor) -> Metric:
    """Metric C: nearest over second-nearest distance to training images, 5th percentile.

    Near 0, an image is near to one training image alone. Source: Lowe, IJCV 60 (2004), the ratio;
    Zhao et al., CTAB-GAN, ACML 2021, as a measure of privacy. The null distribution of the 5th
    percentile comes from as many references, drawn 999 times. It warns, and refuses nothing.

    Args:
        ratios: float32 (M,), of the distilled images.
        reference: float32 (n,), of images of nobody in training.
    """
    title = "Nearest against second-nearest training image"
    rule = (
        "Value: 5th percentile of nearest over second-nearest distance. Warns when it is lower "
        f"than in {1 - _NEIGHBOUR_RATIO_LEVEL:.0%} of draws of as many held-out images."
    )
    if len(reference) < _FEWEST_REFERENCE:
        return Metric(
            name="neighbour_ratio",
            title=title,
            value=None,
            interval=None,
            rule=rule,
            outcome="no_power",
            explanation=f"{len(reference)} references are too few to compare with.",
        )
    value = float(ratios.quantile(0.05))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(len(reference), (999, len(ratios)), generator=generator)
    null = reference[drawn].quantile(0.05, dim=1)
    p = (1 + int((null <= value).sum())) / 1000
    return Metric(
        name="neighbour_ratio",
        title=title,
        value=value,
        interval=None,
        rule=rule,
        outcome="warned" if p < _NEIGHBOUR_RATIO_LEVEL else "passed",
        explanation=(
            f"The 5th percentile is {value:.2f}; held-out images have "
            f"{float(null.median()):.2f} (p = {p:.2g})."
        ),
    )


# --------------------------------------------------------------------------------------- D, copies


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


def registered_copies(similarity: Tensor) -> Metric:
    """Metric D, second part: pictures that are a training image once they are registered onto it.

    Args:
        similarity: float32 (M,), of each image with its most similar training image, after shift,
            scale, turn, mirror and polarity were taken away.
    """
    successes, count = int((similarity >= SAME_PICTURE).sum()), len(similarity)
    return Metric(
        name="registered_copies",
        title="Copies in disguise",
        value=successes / count,
        interval=clopper_pearson(successes, count),
        rule=(
            "Refuses at the first distilled image that is a training image once shift, scale, "
            f"turn, mirror, polarity and contrast are taken away (similarity ≥ {SAME_PICTURE})."
        ),
        outcome="refused" if successes else "passed",
        explanation=f"{successes} of {count} distilled images are a training image in disguise.",
    )


def near_copies(similarity: Tensor, reference: Tensor) -> list[Metric]:
    """Metric D, third part: are distilled images more similar to one training image than others?

    Held-out images, registered onto the training images in the same way, say how similar a picture
    of nobody in training is to its most similar training image. Under the null hypothesis that a
    distilled image is no more similar than these, its rank among them is uniform (conformal
    p-values; Vovk, Gammerman and Shafer 2005): p = (1 + references as similar) / (n + 1). One image
    that stands out refuses (Bonferroni over the images); so do many that stand out a little, by the
    exact distribution of the number above the references' 95th percentile.

    Args:
        similarity: float32 (M,).
        reference: float32 (n,).
    """
    count, n = len(similarity), len(reference)
    ordered = reference.sort().values
    as_similar = n - torch.searchsorted(ordered, similarity, right=False)
    p = (1 + as_similar.double()) / (n + 1)
    smallest = min(1.0, float(p.min()) * count)
    enough = count / (n + 1) < SINGLE
    standing_out = int((p * count < SINGLE).sum())
    above = max(1, math.ceil(TAIL * n)) - 1
    many = n > _FEWEST_REFERENCE
    beyond = int((similarity > ordered[n - 1 - above]).sum()) if many else 0
    tail = permutation_tail(beyond, above, count, n) if many else 1.0
    reachable = many and permutation_tail(count, above, count, n) < MANY
    return [
        Metric(
            name="near_copies_single",
            title="Near-copies, one image",
            value=standing_out / count,
            interval=clopper_pearson(standing_out, count),
            rule=(
                "Refuses at the first distilled image that is more similar to a training image, "
                "after registration, than held-out images are (conformal p times the number of "
                f"images < {SINGLE})."
            ),
            outcome="refused" if standing_out else "passed" if enough else "no_power",
            explanation=(
                f"{standing_out} of {count} distilled images stand out; smallest p times {count} "
                f"is {smallest:.2g}, against {n:,} references."
                if enough
                else f"{n:,} references are too few: {math.floor(count / SINGLE):,} are needed for "
                f"one of {count} images to stand out."
            ),
        ),
        Metric(
            name="near_copies_many",
            title="Near-copies, many images",
            value=beyond / count,
            interval=clopper_pearson(beyond, count),
            rule=(
                "Refuses when more distilled images than chance allows are more similar to a "
                f"training image than 95% of held-out images are (exact test, p < {MANY})."
            ),
            outcome="refused" if tail < MANY else "passed" if reachable else "no_power",
            explanation=(
                f"{beyond} of {count} distilled images lie above that; chance gives "
                f"{TAIL * count:.1f} (p = {tail:.2g})."
                if reachable
                else f"{count} images and {n:,} references are too few for this test to refuse."
            ),
        ),
    ]


def references_needed(count: int) -> int:
    """Number of references from which one image of `count` can stand out, with some to spare."""
    return math.ceil(1.1 * count / SINGLE)


# -------------------------------------------------------------------------- G and H, risks of WP29


def reidentification(linked: Sequence[bool], control: Sequence[bool]) -> Metric:
    """Metric H: does another image of the same patient lead to the set? Known patients only.

    For each distilled image, the most similar training image is taken, if its patient has others.
    The attacker holds one of those others: the link succeeds where it is among the few training
    images most similar to the distilled image. The control asks the same of held-out images in the
    distilled images' place. Residual risk (attack − control) / (1 − control): Giomi et al.,
    Anonymeter, PoPETs 2023, eq. 3; its interval combines both rates' errors (Newcombe, Statistics
    in Medicine 17 (1998)).

    G, attribute inference, is left out: the one attribute of an image is its class, which is
    published with each distilled image, and to infer it from an X-ray is the set's purpose.

    Args:
        linked: For each distilled image that could be asked, whether the link succeeded.
        control: The same of held-out images.
    """
    rule = (
        "Value: residual risk of a link by another image of a patient, over that of a set that "
        f"nobody is in. Refuses when its lower bound is above {_LINKABILITY_LIMIT:.0%}; passes "
        "when its upper bound is below."
    )
    if not linked or not control:
        return Metric(
            name="reidentification",
            title="Link by another image of the patient",
            value=None,
            interval=None,
            rule=rule,
            outcome="no_power",
            explanation="No patient with several training images could be asked about.",
        )
    value, interval = residual_risk(sum(linked), len(linked), sum(control), len(control))
    outcome: Outcome = "warned"
    if interval[0] > _LINKABILITY_LIMIT:
        outcome = "refused"
    elif interval[1] <= _LINKABILITY_LIMIT:
        outcome = "passed"
    return Metric(
        name="reidentification",
        title="Link by another image of the patient",
        value=value,
        interval=interval,
        rule=rule,
        outcome=outcome,
        explanation=(
            f"{sum(linked)} of {len(linked)} distilled images lead to another image of the most "
            f"similar patient; of held-out images in their place, {sum(control)} of {len(control)}."
        ),
    )


def residual_risk(
    attack: int, attacked: int, control: int, controlled: int
) -> tuple[float, tuple[float, float]]:
    """Compute (attack − control)/(1 − control) with its interval; in −1..1."""
    a, c = attack / attacked, control / controlled
    (a_low, a_high), (c_low, c_high) = (
        clopper_pearson(attack, attacked),
        clopper_pearson(control, controlled),
    )
    low = (a - c) - math.hypot(a - a_low, c_high - c)
    high = (a - c) + math.hypot(a_high - a, c - c_low)
    left = max(1.0 - c, 1e-9)
    return max(-1.0, (a - c) / left), (max(-1.0, low / left), min(1.0, high / left))


def refused_by_name(metrics: Sequence[Metric]) -> dict[str, bool]:
    """Return for each metric, by name, whether it refused."""
    return {metric.name: metric.outcome == "refused" for metric in metrics}


def any_refused(rows: Sequence[Mapping[str, bool]]) -> dict[str, bool]:
    """Return for each metric, by name, whether it refused any of some sets."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: any(row.get(name, False) for row in rows) for name in names}
