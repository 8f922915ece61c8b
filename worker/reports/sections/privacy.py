"""Section: privacy, as the audit measured it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from worker.reports import privacy_words as words
from worker.reports.blocks import Badge, Block, Cell, Heading, Section, Table, Text, Tone
from worker.reports.formatting import NOT_MEASURED, capital, interval, number, rate


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
        "contributors",
        "Contributors of the starts",
        "Can the images that were averaged into a start be found, in the start or in the set?",
    ),
    _Family("grid", "Grey levels", "Is there anything in the set beside its pictures?"),
    _Family(
        "closest_record",
        "Distance to the closest record",
        "Are the distilled images nearer to training images than to images held out?",
    ),
    _Family("exact_copies", "Exact copies", "Is a distilled image a training image?"),
    _Family(
        "near_copies",
        "Near-copies",
        "Does a distilled image resemble a training image more than held-out images do?",
    ),
    _Family(
        "registered",
        "Copies in disguise",
        "Is a distilled image a training image that was shifted, scaled, turned, mirrored or "
        "inverted?",
    ),
    _Family(
        "neighbour_ratio",
        "Nearest against second-nearest",
        "Is one training image much nearer to a distilled image than all others?",
    ),
    _Family(
        "reidentification",
        "Link to a patient",
        "Does another X-ray of the same patient lead to a distilled image?",
    ),
)
OUTCOMES: Mapping[str, Badge] = {
    "passed": Badge("passed", "good"),
    "refused": Badge("refused", "bad"),
    "warned": Badge("warned", "warn"),
    "no_power": Badge("no power", "muted"),
    "refuted": Badge("leak found", "bad"),
    "inconclusive": Badge("inconclusive", "warn"),
    "not_refuted": Badge("below the limit", "good"),
}
"""Outcomes of metrics, then those of attacks."""

Document = Mapping[str, Any]


def section(document: Document) -> Section:
    """Show the verdict, the attacks with their power, each metric, and the controls."""
    privacy = document["privacy"]
    counts = privacy["counts"]
    blocks: list[Block] = [
        Text(privacy["statement"]),
        *proof(privacy),
        *attacks(privacy),
        *_power(privacy),
        Heading("Comparison of images"),
        Text(
            f"{number(counts['distilled'])} distilled images were compared with "
            f"{number(counts['training'])} training images and {number(counts['held_out'])} "
            f"held-out ones; network features come from {privacy['embedding']}. {_unit(privacy)} A "
            "comparison can refuse a set and never clears one."
        ),
        *_metrics(privacy["metrics"]),
        *controls(privacy),
        Heading("Starts, randomness and attempts"),
        *circumstances(document),
    ]
    return Section("privacy", "Privacy", blocks)


def proven_section(document: Document) -> Section:
    """Show the proof of a set under differential privacy, which rests on no measurement."""
    return Section(
        "privacy",
        "Privacy",
        [
            Text(document["privacy"]["statement"]),
            *proof(document["privacy"]),
            Text(words.UNSHOWN),
            Heading("Starts, randomness and attempts"),
            *circumstances(document),
        ],
    )


def circumstances(document: Document) -> Iterator[Block]:
    """Say what besides the images tells something: start, seed, format, and earlier attempts."""
    start = words.STARTS.get(document["initialisation"])
    if start:
        yield Text(f"Start: {start}")
    if randomness := words.RANDOMNESS.get(document.get("randomness", "")):
        yield Text(f"Randomness: {randomness}")
    if form := words.IMAGE_FORMATS.get(document.get("image_format", "")):
        yield Text(f"Image format: {form}")
    yield Text(words.attempts_sentence(document["privacy"].get("attempts")))


def proof(privacy: Document) -> Iterator[Block]:
    """Show what differential privacy guarantees, if anything."""
    proven = privacy.get("proof")
    if not proven:
        return
    yield Heading("Differential privacy")
    yield Text(words.proof_sentence(proven))
    yield Table(
        ["Quantity", "Value"],
        [
            ["ε, upper bound by the accountant", f"{proven['epsilon']:.4g}"],
            ["δ", words.decimal(proven["delta"])],
            [
                "ε, lower bound by a one-run audit (95%)",
                "not run"
                if proven["audited_epsilon"] is None
                else f"{proven['audited_epsilon']:.3g}",
            ],
            ["Protected unit", words.people(proven["unit"], one=True)],
            ["Accountant", proven["accountant"]],
        ],
        caption="Differential privacy",
        words=frozenset({1}),
        widths=[1.4, 2.0],
    )
    yield Text(words.audited_epsilon_sentence(proven))
    if proven["events"]:
        yield Text(f"Accounted reads of the data: {'; '.join(proven['events'])}.", "note")


def attacks(privacy: Document, *, most: int | None = None) -> Iterator[Block]:
    """Show every membership attack by stratum."""
    rows = privacy.get("attacks") or []
    yield Heading("Membership attacks")
    if not rows:
        yield Text(
            "Membership attacks: not run. No attack of known power asked whether a candidate X-ray "
            "was used."
        )
        return
    limit = words.percent(privacy["leak_limit"])
    yield Text(
        "The attacker holds candidate X-rays and the published set, and tells which candidates "
        f"were used in training. An attack refutes the set where it finds more than chance allows; "
        f"it counts as below the limit where the upper end of its interval is at most {limit}; "
        "else it is inconclusive. Intervals and p-values are corrected for the number of attacks "
        "(Holm)."
    )
    by_stratum: dict[str, list[Document]] = {}
    for row in rows:
        by_stratum.setdefault(row["stratum"], []).append(row)
    ordered = [row for own in by_stratum.values() for row in own][:most]
    groups, last = {}, None
    for place, row in enumerate(ordered):
        if row["stratum"] != last:
            last = row["stratum"]
            name = words.stratum_of(last) or f"all {words.people(privacy.get('unit'))}"
            groups[place] = capital(name)
    yield Table(
        ["Attack", "Found (TPR)", "95% interval", "False alarms", "AUC", "p", "Outcome"],
        [_attack(row) for row in ordered],
        caption="Membership attacks",
        groups=groups if len(by_stratum) > 1 else None,
        words=frozenset({6}),
        widths=[2.2, 0.9, 1.4, 1.0, 0.8, 0.8, 1.4],
    )
    yield Text(
        f"Found: share of the {words.people(privacy.get('unit'))} used that the attack recognises. "
        "False alarms: share of those not used that it takes for used. With no leak, both are "
        "alike and the AUC is 0.5.",
        "note",
    )


def _attack(row: Document) -> list[Cell]:
    return [
        row["title"],
        words.percent(row["tpr"]),
        words.percent_interval(row["tpr_interval"]),
        words.percent(row["fpr"]),
        rate(row["auc"]),
        NOT_MEASURED if row["p"] is None else f"{row['p']:.2g}",
        OUTCOMES.get(row["outcome"]) or Badge(row["outcome"], "muted"),
    ]


def _unit(privacy: Document) -> str:
    if privacy.get("unit") == "patient":
        return "Patients are known: held-out images are those of other patients."
    return (
        "Images were held out, not patients: the audit does not know which images show the same "
        "person."
    )


def _metrics(metrics: Sequence[dict[str, Any]]) -> Iterator[Block]:
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
            OUTCOMES.get(metric["outcome"]) or Badge(metric["outcome"], "muted"),
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
        yield Text("The bound is proven and rests on no attack; the attacks come in addition.")
    yield Text(words.power_sentence(privacy))
    if source := words.power_source(privacy):
        yield Text(source)


def controls(privacy: Document) -> Iterator[Block]:
    """Show how the metrics answer images for which the answer is known."""
    yield Heading("Controls")
    yield Text(
        "The same metrics on images for which the answer is known. A metric that does not refuse "
        "the positive control has no power, and its pass means nothing."
    )
    given = privacy["controls"]
    if not given:
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
        for control in given
    ]
    yield Table(
        ["Control", "Images", "Refused by", "Answer", "What the images are"],
        rows,
        caption="Controls",
        words=frozenset({3, 4}),
        widths=[1.3, 0.8, 1.0, 1.4, 3.4],
        style="metrics",
    )
    for control in given:
        yield from _doses(control, privacy["metrics"])
    refused = {control["name"]: control["refused"] for control in given}
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


def _doses(control: Document, metrics: Sequence[Document]) -> Iterator[Block]:
    """Show which disguises of copies were found: the strength at which the metrics go blind."""
    doses = control.get("doses") or []
    if not doses:
        return
    titles = {metric["name"]: metric["title"] for metric in metrics}
    yield Heading("Copies in disguise: which ones are found")
    found = sum(dose["found"] for dose in doses)
    yield Text(
        f"Copies of training images, disguised more and more. {found} of {len(doses)} disguises "
        "were found. A disguise that is missed here would be missed in the set too."
    )
    yield Table(
        ["Disguise", "Copies", "Found", "By"],
        [
            [
                dose["title"],
                number(dose["images"]),
                Badge("found", "good") if dose["found"] else Badge("missed", "warn"),
                ", ".join(titles.get(name, name) for name, hit in dose["refused"].items() if hit)
                or "no metric",
            ]
            for dose in doses
        ],
        caption="Copies in disguise",
        words=frozenset({2, 3}),
        widths=[2.0, 0.7, 0.9, 3.4],
        style="metrics",
    )


def _answer(refused: Mapping[str, bool] | None, name: str, *, right: bool) -> Badge:
    if refused is None or name not in refused:
        return Badge("not measured", "muted")
    tone: Tone = "good" if refused[name] == right else "warn"
    return Badge("refused" if refused[name] else "not refused", tone)
