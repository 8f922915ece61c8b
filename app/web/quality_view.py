"""The quality report for pages: where each entry went, findings with what can be done, charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from app.core.storage import Storage
from app.core.stored import ObjectDamaged, find_json
from app.datasets.decisions import finding_files_key
from app.models.dataset import Dataset

SEVERITIES = ("hold", "warn", "info")
UNITS = {
    "near_duplicate": "pairs",
    "near_duplicate_across_splits": "pairs",
    "patient_across_splits": "patients",
    "empty_class": "classes",
    "lost_class": "classes",
    "class_spellings": "classes",
    "patient_shaped_class": "classes",
    "imbalance": "classes",
    "rows_without_file": "rows",
}
"""What the count of a finding counts, where it is not files."""
PAIR_GAP = 8
MOST_PAIRS = 12
"""As `iadd.intake.thumbnail_sheets` arranges a picture of pairs: one under the other."""


@dataclass(frozen=True)
class Accounting:
    """Where the entries of an archive went; they add up."""

    entries: int
    accepted: int
    refused: int
    ignored: int


@dataclass(frozen=True)
class PairView:
    """Two pictures side by side: their place in the finding's picture, and their names."""

    y: int
    names: Sequence[str]
    correlation: float | None


@dataclass(frozen=True)
class PairSheet:
    """The picture of a finding that consists of pairs."""

    side: int
    width: int
    height: int
    pairs: Sequence[PairView]


@dataclass(frozen=True, kw_only=True)
class FindingCard:
    """One finding.

    Attributes:
        actions: What can be done besides accepting it, the one that is advised first.
        changes: Pictures that an action other than merging is done to.
        sheet: Set where it consists of pairs.
    """

    code: str
    severity: str
    title: str
    meaning: str
    count: int
    names: Sequence[str]
    has_picture: bool
    is_accepted: bool
    actions: Sequence[str]
    changes: int
    sheet: PairSheet | None

    @property
    def unit(self) -> str:
        return UNITS.get(self.code, "files")


@dataclass(frozen=True)
class Histogram:
    """Mean grey of the pictures of a class.

    Attributes:
        bars: Share of the highest bar, for each.
        counts: Pictures in each.
    """

    name: str
    counts: Sequence[int]
    bars: Sequence[float]
    darkest: int
    brightest: int


@dataclass(frozen=True)
class Charts:
    sizes: Sequence[tuple[str, int]]
    most: int
    brightness: Sequence[Histogram]
    bounds: Sequence[tuple[int, int]]
    """Grey values of each bar, the last one included."""


def accounting_of(quality: Mapping[str, Any] | None) -> Accounting | None:
    """None of reports that do not account for every entry: older ones, and of broken archives."""
    if not quality or not quality.get("entries"):
        return None
    ignored = sum(one["count"] for one in quality.get("ignored", ()))
    found = Accounting(quality["entries"], quality["images"], quality["refused_count"], ignored)
    adds_up = found.entries == found.accepted + found.refused + found.ignored
    return found if adds_up else None


def changed_files(storage: Storage, dataset_id: str) -> dict[str, int]:
    """By finding, how many pictures its action would be done to."""
    try:
        files: dict[str, list[str]] = find_json(storage, finding_files_key(dataset_id)) or {}
    except ObjectDamaged:
        return {}
    return {code: len(paths) for code, paths in files.items()}


def cards_of(
    quality: Mapping[str, Any] | None, dataset: Dataset, changes: Mapping[str, int]
) -> list[FindingCard]:
    """The findings, those that hold a release first, accepted ones last."""
    quality = quality or {}
    accepted = {
        *quality.get("accepted_findings", ()),
        *(dataset.decisions or {}).get("accepted", ()),
    }
    cards = [
        _card(finding, finding["code"] in accepted, changes, quality.get("image_size"))
        for finding in quality.get("findings", ())
    ]
    return sorted(
        cards, key=lambda card: (card.is_accepted, SEVERITIES.index(card.severity), card.code)
    )


def _card(
    finding: Mapping[str, Any], accepted: bool, changes: Mapping[str, int], side: int | None
) -> FindingCard:
    code, advised = finding["code"], finding["action"]
    number = changes.get(code, 0)
    actions: list[str] = []
    if advised == "merge":
        actions.append("merge")
    elif advised != "accept" and number:
        actions += dict.fromkeys((advised, "leave_out"))
    has_picture = bool(finding.get("has_picture"))
    pairs = finding.get("pairs", ())
    return FindingCard(
        code=code,
        severity=finding["severity"],
        title=finding.get("title", code),
        meaning=finding.get("meaning", ""),
        count=finding["count"],
        names=finding.get("names", ()),
        has_picture=has_picture,
        is_accepted=accepted,
        actions=actions,
        changes=number,
        sheet=_sheet(side, pairs) if has_picture and pairs and side else None,
    )


def _sheet(side: int, pairs: Sequence[Mapping[str, Any]]) -> PairSheet:
    """Those with names; each is cut out of the picture of the finding."""
    shown = pairs[:MOST_PAIRS]
    return PairSheet(
        side=side,
        width=2 * side + PAIR_GAP,
        height=side,
        pairs=[
            PairView(row * (side + PAIR_GAP), pair["names"], pair.get("correlation"))
            for row, pair in enumerate(shown)
        ],
    )


def charts_of(quality: Mapping[str, Any] | None) -> Charts | None:
    charts = (quality or {}).get("charts")
    if not charts:
        return None
    sizes = sorted(charts["sizes"].items(), key=lambda one: (one[0] == "other", -one[1]))
    histograms = [
        _histogram(name, counts) for name, counts in charts["brightness"].items() if sum(counts)
    ]
    bins = max((len(one.counts) for one in histograms), default=1)
    edges = [round(256 * place / bins) for place in range(bins + 1)]
    return Charts(
        sizes=sizes,
        most=max((count for _, count in sizes), default=1),
        brightness=histograms,
        bounds=[(low, high - 1) for low, high in pairwise(edges)],
    )


def _histogram(name: str, counts: Sequence[int]) -> Histogram:
    most = max(counts)
    used = [place for place, count in enumerate(counts) if count]
    return Histogram(
        name=name,
        counts=counts,
        bars=[count / most for count in counts],
        darkest=round(256 * used[0] / len(counts)),
        brightest=round(256 * (used[-1] + 1) / len(counts)) - 1,
    )


def decided(dataset: Dataset) -> dict[str, Any]:
    """What was decided before: how many pictures are left out and turned, classes by target."""
    decisions = dataset.decisions or {}
    merged: dict[str, list[str]] = {}
    for name, into in sorted(decisions.get("merge", {}).items()):
        merged.setdefault(into, []).append(name)
    return {
        "left_out": len(decisions.get("leave_out", ())),
        "turned": len(decisions.get("turn", ())),
        "merged": merged,
    }
