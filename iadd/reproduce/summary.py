"""Summarises the runs of a study: means, three spreads, differences.

There are three spreads. Over networks: the mean of the runs' standard deviations, each over the
networks trained from scratch on one small set. Over seeds: the standard deviation of the runs'
means, each from a separate distillation. Against the reference row: the mean of the differences,
seed by seed, which removes the effect of the seed, with its interval.

Of a robust study come DD-Ranking's scores, seed by seed too, against the rows of kind ``random``
and ``full``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from iadd.evaluation.robustness import augmentation_robust_score, label_robust_score
from iadd.privacy.statistics import mean_over_runs
from iadd.reproduce.run_record import RunRecord
from iadd.reproduce.study import Row, Study

FIGURES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc")


@dataclass(frozen=True)
class Figure:
    """One measure of one row.

    Attributes:
        mean: Mean over seeds of the means over networks, 0 to 1.
        over_networks: Mean over seeds of the standard deviation over networks.
        over_seeds: Standard deviation over seeds of the means, or None with one seed.
        seeds: Number of seeds.
        networks: Networks per seed.
    """

    mean: float
    over_networks: float
    over_seeds: float | None
    seeds: int
    networks: int

    def __str__(self) -> str:
        text = f"{self.mean:.3f} ± {self.over_networks:.3f}"
        return text if self.over_seeds is None else f"{text} / {self.over_seeds:.3f}"


@dataclass(frozen=True)
class Difference:
    """Difference between a row and the reference row in one measure, over their common seeds.

    Attributes:
        mean: Mean of the differences, seed by seed.
        interval: 95% interval of that mean (Student's t), or None with one seed.
        seeds: Common seeds.
    """

    mean: float
    interval: tuple[float, float] | None
    seeds: int

    @property
    def proven(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    def __str__(self) -> str:
        text = f"{self.mean:+.3f}"
        if self.interval is None:
            return text
        low, high = self.interval
        return f"{text} ({low:+.3f} to {high:+.3f}{', proven' if self.proven else ''})"


@dataclass(frozen=True)
class Score:
    """DD-Ranking's scores of one row (:mod:`iadd.evaluation.robustness`), means over its seeds.

    Attributes:
        lrs: Label-robust score, 0 to 1, or None without a row of all images.
        ars: Augmentation-robust score, 0 to 1, or None without figures without augmentation.
    """

    lrs: float | None
    ars: float | None


@dataclass(frozen=True)
class Line:
    """One row of a study with its figures.

    Attributes:
        row: The row of the study.
        network: The network that the row's set was made with, by label.
        training_images: Images that each network was trained on.
        networks: Figures by network and measure.
        against_reference: Balanced accuracy and accuracy less the reference row's, by measure;
            empty for the reference itself.
        unaugmented: Figures without augmentation of the row's own network, by measure; empty where
            the study is not robust.
        scores: DD-Ranking's scores by accuracy, as published, and by balanced accuracy; empty where
            the study has no row of random images.
        rates: Learning rate of each seed, with whether a better one may lie beyond those tried.
        seconds: Time of all runs.
        records: The runs.
    """

    row: Row
    network: str
    training_images: int
    networks: Mapping[str, Mapping[str, Figure]]
    against_reference: Mapping[str, Difference]
    unaugmented: Mapping[str, Figure]
    scores: Mapping[str, Score]
    rates: Sequence[tuple[float, bool]]
    seconds: float
    records: Sequence[RunRecord]


def summarise(study: Study, records: Sequence[RunRecord]) -> list[Line]:
    """Summarise the runs of every row, in the order of the study."""
    by_row: dict[str, list[RunRecord]] = {row.name: [] for row in study.rows}
    for record in records:
        if record.networks:
            by_row[record.row.name].append(record)
    reference = by_row.get(study.reference, [])
    random, full = (
        next((by_row[row.name] for row in study.rows if row.kind == kind), [])
        for kind in ("random", "full")
    )
    return [
        _line(row, by_row[row.name], [] if row.name == study.reference else reference, random, full)
        for row in study.rows
        if by_row[row.name]
    ]


def _line(
    row: Row,
    records: Sequence[RunRecord],
    reference: Sequence[RunRecord],
    random: Sequence[RunRecord],
    full: Sequence[RunRecord],
) -> Line:
    label = row.network_label(records[0].config)
    networks = {
        name: {figure: _figure([r.networks[name][figure] for r in records]) for figure in FIGURES}
        for name in records[0].networks
        if all(name in record.networks for record in records)
    }
    differences = {
        figure: found
        for figure in ("balanced_accuracy", "accuracy")
        if (found := _difference(figure, label, records, reference)) is not None
    }
    unaugmented = [record.unaugmented for record in records if record.unaugmented]
    scores = {
        figure: score
        for figure in ("accuracy", "balanced_accuracy")
        if (score := _score(figure, label, records, random, full)) is not None
    }
    return Line(
        row=row,
        network=label,
        training_images=records[0].networks[label]["training_images"],
        networks=networks,
        against_reference=differences,
        unaugmented={figure: _figure([u[figure] for u in unaugmented]) for figure in FIGURES}
        if unaugmented
        else {},
        scores=scores,
        rates=[_rate(record, label) for record in records],
        seconds=sum(sum(record.seconds.values()) for record in records),
        records=records,
    )


def _figure(spreads: Sequence[Mapping[str, Any]]) -> Figure:
    means = [spread["mean"] for spread in spreads]
    return Figure(
        mean=mean(means),
        over_networks=mean(spread["std"] for spread in spreads),
        over_seeds=stdev(means) if len(means) > 1 else None,
        seeds=len(means),
        networks=spreads[0]["n"],
    )


def _difference(
    figure: str, label: str, records: Sequence[RunRecord], reference: Sequence[RunRecord]
) -> Difference | None:
    theirs = {
        record.seed: record.networks[label][figure]["mean"]
        for record in reference
        if label in record.networks
    }
    found = [
        record.networks[label][figure]["mean"] - theirs[record.seed]
        for record in records
        if record.seed in theirs
    ]
    if not found:
        return None
    interval = mean_over_runs(found) if len(found) > 1 else None
    return Difference(mean(found), interval, len(found))


def _score(
    figure: str,
    label: str,
    records: Sequence[RunRecord],
    random: Sequence[RunRecord],
    full: Sequence[RunRecord],
) -> Score | None:
    """Score a row by the random images of the same seed; None for rows that are not scored."""
    if records[0].row.kind in ("full", "teacher"):
        return None
    everything = [
        record.networks[label][figure]["mean"] for record in full if label in record.networks
    ]
    pairs = [
        (record, other)
        for record in records
        for other in random
        if record.seed == other.seed and label in record.networks and label in other.networks
    ]
    if not pairs:
        return None
    lrs, ars = [], []
    for record, other in pairs:
        own, theirs = (one.networks[label][figure]["mean"] for one in (record, other))
        if everything:
            lrs.append(label_robust_score(full=mean(everything), distilled=own, random=theirs))
        if record.unaugmented and other.unaugmented:
            plain, their_plain = (one.unaugmented[figure]["mean"] for one in (record, other))
            ars.append(
                augmentation_robust_score(
                    distilled=own,
                    random=theirs,
                    distilled_unaugmented=plain,
                    random_unaugmented=their_plain,
                )
            )
    return Score(mean(lrs) if lrs else None, mean(ars) if ars else None)


def _rate(record: RunRecord, label: str) -> tuple[float, bool]:
    """Return the rate of a run, and whether its search ended at the last rate tried."""
    figures = record.networks[label]
    search = figures.get("lr_search") or record.lr_search
    return figures["lr"], bool(search) and search["at_end"]
