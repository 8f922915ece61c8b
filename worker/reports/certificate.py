"""The public certificate as a page and a PDF, set from ``certificate.json`` alone."""

from collections.abc import Iterator, Mapping
from typing import Any

from iadd.bundle.format import RESEARCH_ONLY
from worker.reports import privacy_words as words
from worker.reports.blocks import (
    Badge,
    Block,
    Code,
    Conclusion,
    Facts,
    Heading,
    Place,
    Report,
    Section,
    Table,
    Text,
    Tone,
)
from worker.reports.formatting import number
from worker.reports.sections import privacy as measured

RELEASE = "release-decision"
"""Name of the mark at which a release adds who decided on it."""

_TONES: Mapping[str, Tone] = {
    "found": "bad",
    "below_limit": "good",
    "bounded": "good",
    "loosely_bounded": "neutral",
    "nothing_found": "warn",
    "inconclusive": "warn",
    "not_measured": "muted",
}

Document = Mapping[str, Any]


def compose_certificate(certificate: Document) -> Report:
    """Put the certificate together.

    Args:
        certificate: As :func:`worker.reports.certificate_json` wrote it.
    """
    images = certificate["images"]
    return Report(
        title=certificate["dataset"],
        date=certificate["date"],
        facts=(
            f"{number(images['distilled'])} distilled images of {images['classes']} classes · "
            f"{images['pixels']}×{images['pixels']} pixels · protected unit: "
            f"{words.people(certificate['unit'], one=True)}{_attempts(certificate['attempts'])}"
        ),
        internal=None,
        notice=RESEARCH_ONLY,
        conclusions=[
            Conclusion(
                "Verdict of the privacy audit",
                certificate["tone"],
                certificate["headline"],
                certificate["sentence"],
            )
        ],
        summary=[
            Heading("What could an attacker learn, with what probability, how do you know?"),
            _questions(certificate),
            Text(_power(certificate)),
            Text(certificate["no_claim"], "note"),
        ],
        sections=[
            Section("attacks", "Attacks", list(_attacks(certificate))),
            Section("comparisons", "Comparisons and controls", list(_comparisons(certificate))),
            Section(
                "circumstances", "Starts, randomness and attempts", [*_circumstances(certificate)]
            ),
            Section("not-tried", "What was not tried", list(_not_tried(certificate))),
            Section(
                "decision",
                "Decision to release",
                [Text(certificate["decision"]), Place(RELEASE)],
            ),
            Section(
                "versions",
                "Settings and versions",
                [
                    Text(
                        "This certificate is about the set whose distilled.safetensors has this "
                        "SHA-256:"
                    ),
                    Code(certificate["tensors_sha256"]),
                    Heading("Run and software"),
                    _versions(certificate),
                ],
            ),
        ],
        colophon=f"{RESEARCH_ONLY} The figures of this certificate are in certificate.json.",
        genre="privacy certificate",
        data="certificate.json",
    )


def _power(certificate: Document) -> str:
    if certificate["power"]:
        return str(certificate["power"]["sentence"])
    is_shown = bool(certificate["metrics"] or certificate["attacks"])
    return words.power_sentence({}) if is_shown or not certificate["proof"] else words.UNSHOWN


def _attempts(attempts: int | None) -> str:
    return "" if attempts is None else f" · audit {number(attempts)} of this dataset"


def _questions(certificate: Document) -> Table:
    return Table(
        ["Risk", "Answer", "With what probability?", "How do you know?"],
        [
            [
                f"{row['title']}: {row['question']}",
                Badge(row["answer"], _TONES.get(row["outcome"], "muted")),
                row["probability"],
                row["evidence"],
            ]
            for row in certificate["questions"]
        ],
        caption="The three risks of GDPR recital 26 (WP29 opinion 05/2014)",
        words=frozenset({1, 2, 3}),
        widths=[1.7, 1.1, 2.0, 1.9],
        style="risks",
    )


def _attacks(certificate: Document) -> Iterator[Block]:
    yield from measured.proof(certificate)
    if certificate["proof"] and not certificate["attacks"]:
        yield Text(words.UNSHOWN)
        return
    if certificate["power"] is not None:
        yield Text(certificate["power"]["source"])
    yield from measured.attacks(certificate)


def _comparisons(certificate: Document) -> Iterator[Block]:
    counts = certificate["counts"]
    if certificate["proof"] and not certificate["metrics"]:
        yield Text(words.UNSHOWN)
        return
    yield Text(
        f"{number(counts['distilled'])} distilled images were compared with "
        f"{number(counts['training'])} training images and {number(counts['held_out'])} held-out "
        "ones. A comparison can refuse a set and never clears one."
    )
    yield Table(
        ["Comparison", "Outcome", "Finding"],
        [
            [
                metric["title"],
                measured.OUTCOMES.get(metric["outcome"]) or Badge(metric["outcome"], "muted"),
                metric["explanation"],
            ]
            for metric in certificate["metrics"]
        ],
        caption="Comparisons of images",
        words=frozenset({1, 2}),
        widths=[1.5, 0.8, 3.4],
        style="metrics",
    )
    yield from measured.controls(certificate)


def _circumstances(certificate: Document) -> Iterator[Block]:
    yield from measured.circumstances({**certificate, "privacy": certificate})


def _not_tried(certificate: Document) -> Iterator[Block]:
    yield Text(
        "The verdict covers what was tried, and nothing else. Not tried, or not covered by the "
        "figures above:"
    )
    for item in certificate["not_tried"]:
        yield Text(f"– {item[0].upper()}{item[1:]}.")


def _versions(certificate: Document) -> Facts:
    return Facts(
        {
            "Versions": {name: str(value) for name, value in certificate["versions"].items()},
            "Run": {
                "preset": str(certificate["preset"]),
                "start": str(certificate["initialisation"]),
                "image format": str(certificate["image_format"] or "not recorded"),
                "randomness": str(certificate["randomness"] or "not recorded"),
                "leak limit": words.percent(certificate["leak_limit"]),
            },
        }
    )
