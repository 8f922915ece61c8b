"""Section: privacy, as the audit measured it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from worker.reports.blocks import Badge, Block, Cell, Heading, Section, Table, Text, Tone
from worker.reports.formatting import capital, interval, number, rate


class _Family(NamedTuple):
    """Metrics that answer the same question in different ways, recognised by a prefix."""

    prefix: str
    title: str
    question: str


_FAMILIES = (
    _Family(
        "start_retention",
        "Retention of the start",
        "Is a distilled image still nearest to the patient's image that it started from?",
    ),
    _Family(
        "closest_record",
        "Distance to the closest record",
        "Are the distilled images nearer to training images than to images held out?",
    ),
    _Family("exact_copies", "Exact copies", "Is a distilled image a training image?"),
    _Family(
        "near_copies",
        "Near-copies",
        "Do more distilled images resemble a training image than held-out images do by chance?",
    ),
)
_OUTCOMES: Mapping[str, Badge] = {
    "passed": Badge("passed", "good"),
    "refused": Badge("refused", "bad"),
    "warned": Badge("warned", "warn"),
    "no_power": Badge("no power", "muted"),
}

Document = Mapping[str, Any]


def section(document: Document) -> Section:
    """Show the verdict, each metric with its meaning, the power of the audit and its controls."""
    privacy = document["privacy"]
    counts = privacy["counts"]
    blocks: list[Block] = [
        Text(privacy["statement"]),
        Text(
            f"{number(counts['distilled'])} distilled images were compared with "
            f"{number(counts['training'])} training images and {number(counts['held_out'])} "
            "held-out ones, pixel by pixel, by structure (SSIM), by perceptual hash and by network "
            f"features ({privacy['embedding']}). Images were held out, not patients: the audit "
            "does not know which images show the same person."
        ),
        *_metrics(privacy["metrics"]),
        *_power(privacy),
        *_controls(privacy["controls"]),
    ]
    return Section("privacy", "Privacy", blocks)


def _metrics(metrics: list[dict[str, Any]]) -> Iterator[Block]:
    left = list(metrics)
    for family in _FAMILIES:
        mine = [metric for metric in metrics if metric["name"].startswith(family.prefix)]
        left = [metric for metric in left if metric not in mine]
        if mine:
            yield from _table(family.title, family.question, mine)
    if left:
        yield from _table("Other measures", "", left)


def _table(title: str, question: str, metrics: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(title)
    rules = " ".join(dict.fromkeys(metric["rule"] for metric in metrics))
    yield Text(f"{question} {rules}".strip())
    rows: list[list[Cell]] = [
        [
            _label(metric["title"]),
            rate(metric["value"]),
            interval(metric["interval"]) if metric["interval"] else "–",
            _OUTCOMES.get(metric["outcome"]) or Badge(metric["outcome"], "muted"),
            metric["explanation"],
        ]
        for metric in metrics
    ]
    yield Table(
        ["Measure", "Value", "95% interval", "Outcome", "What it means"],
        rows,
        caption=title,
        words=frozenset({3, 4}),
        widths=[1.5, 0.9, 1.2, 1.0, 3.4],
        style="metrics",
    )


def _label(title: str) -> str:
    """Return the part of a metric's title that separates it from its family."""
    _, _, measure = title.partition(", ")
    return capital(measure or title)


def _power(privacy: Document) -> Iterator[Block]:
    yield Heading("Power of the audit")
    if privacy["verdict"] == "proven":
        yield Text(
            "The bound is proven and rests on no attack; the measures below come in addition."
        )
    yield Text(
        "Power of the attacks, the smallest leak that they would find four times out of five: not "
        "measured, since no membership attack was run on this set. For the distances it is known "
        "only whether they refuse the positive control, which leaks everything, and let the "
        "negative control pass, which leaks nothing."
    )
    refused = {control["name"]: control["refused"] for control in privacy["controls"]}
    yield Table(
        ["Metric", "Positive control", "Negative control"],
        [
            [
                metric["title"],
                _answer(refused.get("positive"), metric["name"], right=True),
                _answer(refused.get("negative"), metric["name"], right=False),
            ]
            for metric in privacy["metrics"]
        ],
        caption="Answer of each metric to the controls",
        words=frozenset({1, 2}),
        widths=[2.0, 1.2, 1.2],
    )


def _answer(refused: Mapping[str, bool] | None, name: str, *, right: bool) -> Badge:
    if refused is None or name not in refused:
        return Badge("not measured", "muted")
    tone: Tone = "good" if refused[name] == right else "warn"
    return Badge("refused" if refused[name] else "not refused", tone)


def _controls(controls: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading("Controls")
    yield Text(
        "The same metrics on images for which the answer is known. A metric that does not refuse "
        "the positive control has no power, and its pass means nothing."
    )
    if not controls:
        yield Text("Controls: not measured.")
        return
    rows: list[list[Cell]] = [
        [
            control["title"],
            number(control["images"]),
            f"{sum(control['refused'].values())} of {len(control['refused'])}",
            Badge("as expected", "good")
            if control["as_expected"]
            else Badge("not as expected", "warn"),
            control["description"],
        ]
        for control in controls
    ]
    yield Table(
        ["Control", "Images", "Refused by", "Answer", "What the images are"],
        rows,
        caption="Controls",
        words=frozenset({3, 4}),
        widths=[1.3, 0.8, 1.0, 1.4, 3.4],
        style="metrics",
    )
