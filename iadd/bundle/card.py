"""Writes the bundle's README.md, the dataset card."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from iadd.bundle.format import RESEARCH_ONLY

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()|<>~&])")
_WIDTH = 96
_NAMED = 4
_CERTIFICATE_ABOUT = """
`certificate.html` answers what an attacker could learn, with what probability, and how that is
known: the attacks, their power, the controls, and what was not tried. It is evidence, and no claim
of compliance.
"""
_CERTIFICATE_ROW = (
    "| `certificate.html`, `certificate.pdf`, `certificate.json` | the privacy certificate |\n"
)


def render_card(
    metadata: Mapping[str, Any],
    report: Mapping[str, Any],
    *,
    pdf: bool = False,
    certificate: bool = False,
) -> str:
    """Write the dataset card.

    Args:
        metadata: As ``metadata.json`` holds it.
        report: As ``report.json`` holds it.
        pdf: True if ``report.pdf`` is in the bundle.
        certificate: True if the privacy certificate is in the bundle.
    """
    recipe, network = metadata["recipe"], metadata["network"]
    count = metadata["images_per_class"] * len(metadata["classes"])
    classes = ", ".join(plain(name) for name in metadata["classes"])
    made_of = textwrap.fill(
        f"{count} synthetic images, {metadata['images_per_class']} for each of "
        f"{len(metadata['classes'])} classes ({classes}), {metadata['image_size']}×"
        f"{metadata['image_size']} pixels, made by importance-aware adaptive dataset distillation: "
        "computed so that a network trained on them learns much of what it would learn from the "
        "hospital's own images.",
        _WIDTH,
    )
    measured_by = textwrap.fill(
        f"Networks of the same kind ({network['name']}, depth {network['depth']}, width "
        f"{network['width']}) trained from scratch, and tested on images that took no part in the "
        "distillation. `report.html` has the details.",
        _WIDTH,
    )
    train_with = textwrap.fill(
        f"Train with {recipe['optimizer']}, learning rate {recipe['lr']:.6g} "
        f"({recipe['schedule']}), momentum {recipe['momentum']}, {recipe['epochs']} epochs, "
        f"batches of {recipe['batch_size']}, and the augmentation that `metadata.json` describes: "
        "the images were made for exactly that.",
        _WIDTH,
    )
    return f"""\
# {plain(title_of(metadata["classes"]))}, distilled

{made_of}

**{RESEARCH_ONLY}**

## Utility

{_noisy_score(report) if "noisy_score" in report else _utility_table(report["utility"])}

{measured_by}

## Privacy

{textwrap.fill(report["privacy"]["statement"], _WIDTH)}
{_CERTIFICATE_ABOUT if certificate else ""}
## How to use it

    exchange verify bundle.zip

    import iadd
    distilled = iadd.load_bundle("bundle.zip")
    distilled.images   # float32, normalised as metadata.json says
    distilled.labels   # int64
    distilled.syn_lr   # the learning rate to train with

{train_with}

## Contents

| file | |
|---|---|
| `images/<class>/<nnn>.png` | the images to view, clipped to 256 grey levels |
| `distilled.safetensors` | the images to train with, labels, learning rate |
| `metadata.json` | classes, normalisation, network, augmentation, recipe, versions |
| `report.html`, {"`report.pdf`, " if pdf else ""}`report.json` | utility and privacy |
{_CERTIFICATE_ROW if certificate else ""}| `SHA256SUMS` | what `exchange verify` compares |
"""


def title_of(classes: Iterable[str]) -> str:
    """Name a set by its classes: a dataset's own name stays in its organisation.

    Args:
        classes: Names of the classes, in their order.
    """
    names = list(classes)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"X-rays ({', '.join(names[:_NAMED])}{more})"


def plain(text: str) -> str:
    """Escape a name for Markdown: one line without markup."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _noisy_score(report: Mapping[str, Any]) -> str:
    score = report["noisy_score"]
    return textwrap.fill(
        f"Accuracy {score['accuracy']:.3f} (networks: {score['networks']}), with noise that cost "
        f"ε = {score['epsilon']:.3g}: exact scores of a set under differential privacy stay with "
        "its owner.",
        _WIDTH,
    )


def _utility_table(utility: Mapping[str, Any]) -> str:
    rows = (
        ("the distilled set", "distilled"),
        ("its start, not distilled", "start"),
        ("as many random real images", "random"),
    )
    lines = ["| trained on | balanced accuracy | accuracy |", "|---|---|---|"]
    for title, key in (*rows, ("all training images", "full")):
        if key not in utility:
            continue
        figures = utility[key]
        cells = " | ".join(_spread(figures[name]) for name in ("balanced_accuracy", "accuracy"))
        lines.append(f"| {title} | {cells} |")
    return "\n".join(lines)


def _spread(figure: Mapping[str, float | None]) -> str:
    if None in (figure["mean"], figure["std"]):
        return "–"
    return f"{figure['mean']:.3f} ± {figure['std']:.3f} (n = {figure['n']})"
