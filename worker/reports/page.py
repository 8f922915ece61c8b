"""``report.html``: one self-contained page. No script, and nothing is fetched from anywhere."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from iadd.bundle import encode_png
from iadd.bundle_card import RESEARCH_ONLY
from iadd.distilled import DistilledDataset
from worker.reports import sentences
from worker.reports.document import ReportSource
from worker.reports.figures import figures_of

SHOWN = 50
"""Distilled images shown per class; the bundle holds all."""

_LARGEST_CONFUSION = 12
_TRAINED_ON = (
    ("distilled", "the distilled set"),
    ("random", "as many random real images"),
    ("full", "all training images"),
)
_FIGURES = (
    ("balanced_accuracy", "Balanced accuracy"),
    ("accuracy", "Accuracy"),
    ("macro_f1", "Macro F1"),
    ("auroc", "AUROC"),
)
_FAMILIES = (
    (
        "start_retention",
        "Retention of the start",
        "Is a distilled image still nearest to the patient's image that it started from?",
    ),
    (
        "closest_record",
        "Distance to the closest record",
        "Are the distilled images nearer to training images than to images held out?",
    ),
    ("exact_copies", "Exact copies", "Is a distilled image a training image?"),
    (
        "near_copies",
        "Near-copies",
        "Do more distilled images resemble a training image than held-out images do by chance?",
    ),
)
_OUTCOMES = {
    "passed": "passed",
    "refused": "refused",
    "warned": "warned",
    "no_power": "no power",
}
_SECTIONS = {
    "network": "Network",
    "augmentation": "Augmentation",
    "teacher": "Teachers",
    "distillation": "Distillation",
    "evaluation": "Evaluation",
    "compute": "Computation",
}
_NETWORKS = {"convnet": "ConvNet", "alexnet": "AlexNet", "vgg11": "VGG11", "resnet18": "ResNet18"}


@dataclass(frozen=True)
class _Family:
    """Metrics that ask the same question in different ways."""

    title: str
    question: str
    rule: str
    metrics: list[dict[str, Any]]


def render_report(source: ReportSource, document: Mapping[str, Any]) -> bytes:
    """Write the page.

    Args:
        source: What the report tells; the pictures are taken from it.
        document: ``report_json(source)``: every figure on the page is one of it.
    """
    page = (
        _environment()
        .get_template("report.html")
        .render(
            document=document,
            conclusions=[
                sentences.worth(document),
                sentences.leak(document),
                sentences.permission(document),
            ],
            research_only=RESEARCH_ONLY,
            trained_on=_TRAINED_ON,
            figures=_FIGURES,
            classes=source.distilled.classes,
            shape=tuple(source.distilled.images.shape),
            confusions=_confusions(document, source.distilled.classes),
            galleries=list(_galleries(source.distilled)),
            plots=list(figures_of(document)),
            families=list(_families(document["privacy"]["metrics"])),
            outcomes=_OUTCOMES,
            sections=_SECTIONS,
            network_names=_NETWORKS,
            chance=1 / len(source.distilled.classes),
        )
    )
    return page.encode()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("worker.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["spread"] = _spread
    environment.filters["duration"] = _duration
    environment.filters["setting"] = _setting
    environment.filters["number"] = _number
    environment.globals["stylesheet"] = _stylesheet(environment)
    return environment


def _stylesheet(environment: Environment) -> Markup:
    assert environment.loader is not None
    text, _, _ = environment.loader.get_source(environment, "report.css")
    return Markup(text)  # noqa: S704 - our own file


def _spread(figure: Mapping[str, Any]) -> Markup:
    """Mean and spread, which a narrow page may put on two lines."""
    if None in (figure["mean"], figure["std"]):
        return Markup("–")
    return Markup('<span class="mean">{}</span> <span class="std">± {}</span>').format(
        f"{figure['mean']:.3f}", f"{figure['std']:.3f}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value) or "none"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return _number(value) if isinstance(value, int | float) else str(value)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _galleries(distilled: DistilledDataset) -> Iterator[tuple[str, list[str], int]]:
    """For each class its name, its pictures as data URIs, and how many there are in all."""
    for label, name in enumerate(distilled.classes):
        chosen = distilled.images[distilled.labels == label]
        pictures = distilled.normalisation.invert(chosen[:SHOWN])
        yield (
            name,
            [
                f"data:image/png;base64,{base64.b64encode(encode_png(picture)).decode()}"
                for picture in pictures
            ],
            len(chosen),
        )


def _confusions(
    document: Mapping[str, Any], classes: tuple[str, ...]
) -> list[tuple[str, list[list[tuple[int, float]]]]]:
    """Counts with their share of the row, for each training set; none for too many classes."""
    if len(classes) > _LARGEST_CONFUSION:
        return []
    return [
        (
            title,
            [
                [(count, count / max(1, sum(row))) for count in row]
                for row in document["utility"][key]["confusion"]
            ],
        )
        for key, title in _TRAINED_ON
    ]


def _families(metrics: list[dict[str, Any]]) -> Iterator[_Family]:
    for prefix, title, question in _FAMILIES:
        mine = [metric for metric in metrics if metric["name"].startswith(prefix)]
        if mine:
            yield _Family(title, question, mine[0]["rule"], [_labelled(metric) for metric in mine])


def _labelled(metric: Mapping[str, Any]) -> dict[str, Any]:
    """The metric with the part of its title that tells it from its family."""
    _, _, measure = metric["title"].partition(", ")
    label = measure or metric["title"]
    return {**metric, "label": label[0].upper() + label[1:]}
