"""Writes a finished study as a page and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.reproduce.attacks import attack_cells, attack_notes, attacks_by_row
from iadd.reproduce.run_record import RunRecord
from iadd.reproduce.study import Study
from iadd.reproduce.summary import Line
from iadd.reproduce.tables import (
    MOST_LISTED,
    architecture_cells,
    explain,
    fairness_cells,
    figure_cells,
    to_markdown,
    weight_cells,
)
from iadd.runtime.checkpoint import write_atomically


def write_report(
    study: Study,
    lines: Sequence[Line],
    images: ImageSet,
    config: Config,
    environment: Mapping[str, Any],
    out: Path,
    failed: Sequence[RunRecord] = (),
) -> None:
    """Write ``table.md`` and ``results.json``: the figures and all that they depend on.

    Args:
        study: The study.
        lines: Its rows with their figures.
        images: Images that it was measured on.
        config: Settings that every row started from.
        environment: Result of :func:`iadd.runtime.environment.describe_environment`.
        out: Folder of the study.
        failed: Runs that have no figures.
    """
    page = to_page(study, lines, images, config, environment, failed)
    write_atomically(out / "table.md", page.encode())
    document = {
        "study": study.name,
        "environment": dict(environment),
        "data": _describe_data(images),
        "config": config.to_dict(),
        "published": {name: asdict(figure) for name, figure in study.published.items()},
        "rows": [_line_to_dict(line) for line in lines],
        "runs": [record.to_dict() for line in lines for record in line.records],
    }
    if study.attacked:
        found = attacks_by_row([record for line in lines for record in line.records])
        document["attacks"] = {name: asdict(run) for name, run in found.items()}
    write_atomically(out / "results.json", json.dumps(document, indent=2).encode())


def to_page(
    study: Study,
    lines: Sequence[Line],
    images: ImageSet,
    config: Config,
    environment: Mapping[str, Any],
    failed: Sequence[RunRecord] = (),
) -> str:
    """Format the study as Markdown."""
    data = _describe_data(images)
    versions = ", ".join(f"{name} {number}" for name, number in environment["versions"].items())
    cores, threads = environment["cores"], environment["threads"]
    parts = [
        f"# {study.title}",
        f"```sh\n{environment['command']}\n```",
        f"{environment['cpu']}, {cores} cores, {threads} threads, device {environment['device']}; "
        f"{versions}. Images of {config.image_size}×{config.image_size}: "
        + "; ".join(f"{part} {count_images(counts)}" for part, counts in data["images"].items())
        + f". Preset {config.preset}, seeds from {config.seed}.",
        to_markdown(figure_cells(study, lines)),
        to_markdown(fairness_cells(study, lines)),
        *explain(study, lines, images.classes, failed),
    ]
    if study.attacked:
        parts += attack_parts(lines)
    for figure in ("accuracy", "balanced_accuracy"):
        if cells := architecture_cells(lines, figure):
            name = figure.replace("_", " ")
            parts += [f"## Networks, {name} (paper, section 4.4)", to_markdown(cells)]
    if cells := weight_cells(lines):
        parts += ["## α and W after training (paper, section 4.3)", to_markdown(cells)]
        parts.append(
            "Loss without W: means over the first and the last tenth of the iterations. Kept: the "
            "iteration chosen on validation, by seed. "
            "Plots of every run lie in `<row>/seed-<n>/plots`. The rank correlation (Spearman's) "
            "is that of W and |θ_J − θ*| over the parameters: below 0, large differences get "
            "small weights."
        )
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def attack_parts(lines: Sequence[Line]) -> list[str]:
    """Format what attacks found: two tables and their notes; empty where nothing was attacked."""
    found = attacks_by_row([record for line in lines for record in line.records])
    if not found:
        return []
    names = [line.row.name for line in lines]
    utility = {
        line.row.name: line.networks[line.network]["balanced_accuracy"].mean for line in lines
    }
    return [
        "## Attacks: area under the ROC curve",
        to_markdown(attack_cells(names, found, "auc")),
        "## Attacks: members found at 1% false alarms",
        to_markdown(attack_cells(names, found, "tpr")),
        *attack_notes(found, utility),
    ]


def _describe_data(images: ImageSet) -> dict[str, Any]:
    splits = ("train", "validation", "test")
    return {
        "classes": images.classes,
        "images": {part: images.part(part).count_by_class() for part in splits},
    }


def count_images(counts: Mapping[str, int]) -> str:
    """Format the images of each class, or of many classes their number and their range."""
    if len(counts) <= MOST_LISTED:
        return ", ".join(f"{name} {count:,}" for name, count in counts.items())
    least, most = min(counts.values()), max(counts.values())
    each = f"{most:,}" if least == most else f"{least:,} to {most:,}"
    return f"{sum(counts.values()):,} of {len(counts)} classes, {each} each"


def _line_to_dict(line: Line) -> dict[str, Any]:
    return {
        "row": line.row.name,
        "note": line.row.note,
        "network": line.network,
        "training_images": line.training_images,
        "networks": {
            name: {figure: asdict(value) for figure, value in figures.items()}
            for name, figures in line.networks.items()
        },
        "against_reference": {
            figure: asdict(value) for figure, value in line.against_reference.items()
        },
        "unaugmented": {figure: asdict(value) for figure, value in line.unaugmented.items()},
        "scores": {figure: asdict(score) for figure, score in line.scores.items()},
        "rates": [{"lr": lr, "at_end": at_end} for lr, at_end in line.rates],
        "seconds": line.seconds,
    }
