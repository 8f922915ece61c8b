"""Section: utility of the distilled set."""

from collections.abc import Iterator, Mapping
from typing import Any

from worker.reports import conclusions, plots, tables
from worker.reports.blocks import (
    Block,
    Cell,
    Figure,
    Figures,
    Heading,
    Matrices,
    Place,
    Section,
    Share,
    Table,
    Text,
)
from worker.reports.formatting import NETWORKS, NOT_MEASURED, capital, interval, number, spread

TRAINED_ON = {
    "distilled": "the distilled set",
    "start": "its start, not distilled",
    "random": "as many random real images",
    "full": "all training images",
}
FIGURES = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
}
RECIPIENTS = "recipients-scores"
"""Name of the mark at which a portal adds what recipients measured."""

_SHORT = {
    "distilled": "Distilled set",
    "start": "Start, not distilled",
    "random": "Random real images",
    "full": "All real images",
}
_LARGEST_CONFUSION = 20
_WIDEST_NAMES = 5
_LONGEST_NAME = 16
"""With more classes or longer names, columns of a confusion matrix have numbers, not names."""

Document = Mapping[str, Any]


def section(document: Document) -> Section:
    """Show accuracy beside its baselines, by class, confusion, other networks, recipients."""
    classes = list(document["dataset"]["classes"])
    blocks: list[Block] = [
        Text(
            "Networks of one kind were trained from scratch and tested on the test images; no "
            "choice was based on these. Balanced accuracy is the mean of the classes' "
            f"sensitivities; guessing gives {1 / len(classes):.3f}."
        ),
        *_split(document["dataset"].get("split_by")),
        *_overall(document, len(classes)),
        Heading("Class by class"),
        _by_class(document, classes),
        *_roc(document, classes),
        *_confusion(document, classes),
        *_networks(document),
        Heading("Recipients' scores"),
        Text(
            "Recipients measure scores on their own test images after this report was made, so it "
            "does not hold them. The portal shows them with the release, and on its page of this "
            "report."
        ),
        Place(RECIPIENTS),
    ]
    return Section("utility", "Utility", blocks)


_SPLITS = {
    "patient": "The images were split by patient: no patient is in training and test.",
    "near_duplicates": "The images were split by image, since the archive names no patients; near-"
    "duplicates are in one part. If a patient has several images, some may be in training and "
    "others in the test, and the figures are then too high.",
    "image": "The images were split by image, since some classes have too few patients to be split "
    "by them. Images of one patient are in training and test, so the figures are too high.",
    "given": "The split is the one that the archive states. The dataset's quality report names "
    "patients and near-duplicates that it has in two parts.",
}


def _split(split_by: str | None) -> Iterator[Block]:
    """Say what the figures may be too high by."""
    if split_by is not None:
        yield Text(_SPLITS[split_by])


def _overall(document: Document, classes: int) -> Iterator[Block]:
    utility = document["utility"]
    figures = [
        Figure(
            FIGURES[name],
            plots.utility(name, measured, 1 / classes),
            "Mean over the networks, and the 95% interval of that mean.",
            tables.of_utility({title: (mean, ends) for title, mean, ends in measured.values()}),
        )
        for name in ("balanced_accuracy", "accuracy")
        if (measured := _measured(utility, name))
    ]
    if figures:
        yield Figures(figures)
    by_figure = {
        title: {
            key: [
                number(utility[key]["training_images"]),
                spread(utility[key][name]),
                interval(utility[key]["intervals"][name]),
            ]
            for key in _sets(utility)
        }
        for name, title in FIGURES.items()
    }
    yield _grouped(
        ["Trained on", "Images", "Mean ± deviation", "95% interval"],
        by_figure,
        caption="Figures by training set",
    )
    rates = "; ".join(
        f"{title}, {number(utility[key]['lr'])} for {number(utility[key]['epochs'])}"
        for key, title in _sets(utility).items()
    )
    yield Text(
        f"Mean ± standard deviation, networks: {utility['distilled']['accuracy']['n']}. The "
        "interval is Student's, of the mean: it shows how much other initialisations would change "
        "it, and not how much other patients would. "
        f"Learning rates and epochs: {rates}. The random images are another subset for each "
        "network, at a learning rate of their own that was chosen on the validation split; so was "
        "that of the start.",
        style="note",
    )


def _sets(measured: Mapping[str, Any]) -> dict[str, str]:
    """Name the training sets that were measured; older reports have no start."""
    return {key: title for key, title in TRAINED_ON.items() if key in measured}


def _measured(utility: Document, name: str) -> dict[str, tuple[str, float, list[float] | None]]:
    return {
        key: (title, utility[key][name]["mean"], utility[key]["intervals"][name])
        for key, title in _SHORT.items()
        if key in utility and utility[key][name]["mean"] is not None
    }


def _by_class(document: Document, classes: list[str]) -> Table:
    rows: dict[str, dict[str, list[str]]] = {}
    for name in classes:
        utility = document["utility"]
        found = {key: utility[key]["per_class"][name] for key in _sets(utility)}
        rows[f"{name}, {number(found['distilled']['support'])} test images"] = {
            key: [spread(figures[figure]) for figure in ("sensitivity", "specificity", "auroc")]
            for key, figures in found.items()
        }
    return _grouped(
        ["Class, trained on", "Sensitivity", "Specificity", "AUROC"],
        rows,
        caption="Figures by class and training set",
    )


def _grouped(
    heads: list[str], by_group: Mapping[str, Mapping[str, list[str]]], **options: Any
) -> Table:
    """Tabulate cells by group and training set; other rows than sets hold what was not measured."""
    rows, groups, ours = list[list[Cell]](), dict[int, str](), set[int]()
    for group, by_set in by_group.items():
        groups[len(rows)] = group
        for key, cells in by_set.items():
            if key == "distilled":
                ours.add(len(rows))
            rows.append([capital(TRAINED_ON.get(key, key)), *cells])
    return Table(heads, rows, groups=groups, ours=frozenset(ours), **options)


def _roc(document: Document, classes: list[str]) -> Iterator[Block]:
    yield Heading("ROC curves")
    roc = document["roc"]
    if roc is None:
        yield Text("ROC curves: not measured. The evaluation of this run kept none.")
        return
    rates = roc["false_positive_rate"]
    known = {
        name: curves
        for name in classes
        if (curves := {key: roc[key][name] for key in _sets(roc) if roc[key].get(name)})
    }
    if known:
        yield Text(
            "Each class against the rest, averaged over the networks at equal false positive "
            "rates. The dashed diagonal is guessing."
        )
        yield Figures(
            [
                Figure(
                    name,
                    plots.roc(
                        f"roc-{classes.index(name)}",
                        rates,
                        {key: curve["mean"] for key, curve in curves.items()},
                    ),
                    "; ".join(_area(document, key, name) for key in curves),
                    tables.of_roc(rates, {_SHORT[key]: curve for key, curve in curves.items()}),
                )
                for name, curves in known.items()
            ],
            small=True,
        )
    missing = [name for name in classes if name not in known]
    if missing:
        yield Text(
            f"No curve is drawn for {', '.join(missing)}: with fewer than 10 test images a curve "
            "would describe single patients, and little else.",
            style="note",
        )


def _area(document: Document, key: str, name: str) -> str:
    figure = document["utility"][key]["per_class"][name]["auroc"]
    return f"{_SHORT[key]}: AUROC {spread(figure)}"


def _confusion(document: Document, classes: list[str]) -> Iterator[Block]:
    yield Heading("Confusion")
    if len(classes) > _LARGEST_CONFUSION:
        yield Text(f"With {len(classes)} classes the matrix is in report.json alone.")
        return
    yield Text(
        "Each row holds the test images of one class; a cell gives the share of them that was "
        "predicted as the column's class, in percent, over all networks."
    )
    utility = document["utility"]
    numbered = len(classes) > _WIDEST_NAMES or max(map(len, classes)) > _LONGEST_NAME
    titles = [f"{i}. {name}" if numbered else name for i, name in enumerate(classes, 1)]
    heads = [str(i) for i in range(1, len(classes) + 1)] if numbered else titles
    yield Matrices(
        [
            Table(
                ["Class", *heads],
                [
                    [name, *(_shaded(count, sum(row)) for count in row)]
                    for name, row in zip(titles, utility[key]["confusion"], strict=True)
                ],
                caption=f"Trained on {title}",
                widths=[max(2.0, len(classes) / 3) if numbered else 1.6, *[1.0] * len(classes)],
                style="confusion",
            )
            for key, title in _sets(utility).items()
        ]
    )


def _shaded(count: int, total: int) -> Share:
    if total == 0:
        return Share("–", 0.0)
    return Share(f"{100 * count / total:.0f}", count / total)


def _networks(document: Document) -> Iterator[Block]:
    yield Heading("Other networks")
    networks = document["networks"]
    rows: dict[str, dict[str, list[str]]] = {}
    for name, title in NETWORKS.items():
        network = networks.get(name)
        if network is None:
            rows[title] = {NOT_MEASURED: ["–"] * len(FIGURES)}
            continue
        rows[f"{title}{_form(network)}, {number(network['parameters'])} parameters"] = {
            key: [spread(figures[figure]) for figure in FIGURES]
            for key, figures in (("distilled", network["utility"]), ("random", network["random"]))
        }
    yield Text(
        "The network that the distilled set was made for, and others that had no part in making "
        "it. A set that serves one network alone is less useful than its figures suggest."
    )
    yield Text(conclusions.other_networks(document))
    yield _grouped(
        ["Network, trained on", *FIGURES.values()],
        rows,
        caption="Figures of each network",
        widths=[2.6, 1.6, 1.3, 1.3, 1.3],
    )
    others = list(networks.values())[1:]
    if others:
        yield Text(
            f"Mean ± standard deviation, other networks: {others[0]['trained']} of each. For them "
            "the learning rate was chosen on the validation split, for the distilled and for the "
            "random images alike; epochs, augmentation and test images are the same.",
            style="note",
        )


def _form(network: Document) -> str:
    if not network["depth"]:
        return ""
    return f", depth {network['depth']}, width {network['width']}"
