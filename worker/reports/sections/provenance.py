"""Sections: the course of the distillation, and the provenance of the set."""

from collections.abc import Mapping
from typing import Any

from iadd.config import CONDENSING
from worker.reports.blocks import Block, Facts, Figures, Heading, Section, Table, Text
from worker.reports.figures import figures_of
from worker.reports.formatting import NETWORKS, duration, number, setting

_SETTINGS = {
    "network": "Network",
    "augmentation": "Augmentation",
    "teacher": "Teachers",
    "distillation": "Distillation",
    "evaluation": "Evaluation",
    "compute": "Computation",
    "protection": "Protection",
}

Document = Mapping[str, Any]


def course(document: Document) -> Section:
    """Show loss, α and W over time and by layer."""
    figures = list(figures_of(document))
    blocks: list[Block] = [Figures(figures)] if figures else []
    if not figures:
        blocks.append(
            Text("Loss, α and W: not measured. This set was not distilled by iterations.")
        )
    elif document["importance_weights"] is None:
        method = document["settings"]["distillation"]["method"]
        blocks.append(
            Text(
                f"Importance weights W: none. Method {method} follows no teacher."
                if method in CONDENSING
                else "Importance weights W: not measured. This run kept none."
            )
        )
    return Section("course", "Course of the distillation", blocks)


def section(document: Document) -> Section:
    """Show images, settings, times and versions."""
    network_name, network = next(iter(document["networks"].items()))
    form = f" of depth {network['depth']} and width {network['width']}" if network["depth"] else ""
    iterations = document["settings"]["distillation"]["iterations"]
    timings = document["timings"]
    times = {phase: duration(seconds) for phase, seconds in timings.items()}
    known = [seconds for seconds in timings.values() if seconds is not None]
    together = duration(sum(known) if known else None)
    return Section(
        "provenance",
        "Provenance",
        [
            Text(
                f"Preset {document['preset']}, seed {document['seed']}; iteration "
                f"{number(document['best_iteration'])} of {number(iterations)} was kept. The "
                f"network is {NETWORKS.get(network_name, network_name)}{form}, with "
                f"{number(network['parameters'])} parameters."
            ),
            *_images(document),
            Heading("Settings, times and versions"),
            Facts(
                {
                    **{
                        title: {name: setting(value) for name, value in named.items()}
                        for key, title in _SETTINGS.items()
                        if (named := document["settings"].get(key))
                    },
                    **({"Time": {**times, "together": together}} if times else {}),
                    "Versions": {name: str(value) for name, value in document["versions"].items()},
                }
            ),
        ],
    )


def _images(document: Document) -> list[Block]:
    """Count the images; a proven set does not tell how many there are."""
    classes = document["dataset"]["classes"]
    if not all(classes.values()):
        return []
    return [
        Heading("Images"),
        Table(
            ["Class", "Training", "Validation", "Test"],
            [
                [name, *(number(counts[part]) for part in ("train", "validation", "test"))]
                for name, counts in classes.items()
            ],
            caption="Images by class and split",
        ),
    ]
