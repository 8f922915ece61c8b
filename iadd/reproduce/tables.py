"""Formats the figures of a study as tables, for the terminal and for a page."""

from collections.abc import Callable, Sequence
from statistics import mean

from iadd.evaluation.learning_rate import MOST_EXTENSIONS
from iadd.reproduce.run_record import RunRecord
from iadd.reproduce.study import Row, Study
from iadd.reproduce.summary import Line

Cells = list[list[str]]

MOST_LISTED = 10
"""Classes that a page names, at most."""


def figure_cells(study: Study, lines: Sequence[Line], *, brief: bool = False) -> Cells:
    """Format the main table, heading first.

    Args:
        study: The study.
        lines: Its rows with their figures.
        brief: Leave out what does not fit a terminal of 80 columns.
    """
    columns: dict[str, Callable[[Line], str]] = {
        "trained on": lambda line: line.row.name if brief else _name(line.row),
        "images": lambda line: f"{line.training_images:,}",
        "accuracy": lambda line: str(line.networks[line.network]["accuracy"]),
    }
    if study.published:
        columns["paper"] = lambda line: _format_published(study, line.row.name, brief=brief)
    columns["balanced accuracy"] = lambda line: str(
        line.networks[line.network]["balanced_accuracy"]
    )
    if not brief:
        columns["AUROC"] = lambda line: str(line.networks[line.network]["auroc"])
    columns[f"− {study.reference}"] = lambda line: str(
        line.against_reference.get("balanced_accuracy", "")
    )
    if not brief:
        columns["seconds"] = lambda line: f"{line.seconds:,.0f}"
    return [list(columns), *([cell(line) for cell in columns.values()] for line in lines)]


def _name(row: Row) -> str:
    return f"{row.name} ({row.note})" if row.note else row.name


def _format_published(study: Study, row: str, *, brief: bool) -> str:
    published = study.published.get(row)
    if published is None:
        return ""
    spread = "" if published.spread is None else f" ± {published.spread:.3f}"
    return f"{published.accuracy:.3f}{spread}" + (
        "" if brief else f" ({published.images:,} images)"
    )


def fairness_cells(study: Study, lines: Sequence[Line]) -> Cells:
    """Format what the comparison of the rows rests on, heading first.

    Each row's learning rate; of a robust study its balanced accuracy without augmentation and
    DD-Ranking's scores too.
    """
    columns: dict[str, Callable[[Line], str]] = {
        "trained on": lambda line: line.row.name,
        "rate": _format_rates,
    }
    if study.robust:
        columns["without augmentation"] = lambda line: str(
            line.unaugmented.get("balanced_accuracy", "")
        )
        columns["LRS"] = lambda line: _format_score(line, "lrs")
        columns["ARS"] = lambda line: _format_score(line, "ars")
    return [list(columns), *([cell(line) for cell in columns.values()] for line in lines)]


def _format_rates(line: Line) -> str:
    """Name each rate of a row once; those that a better one may lie beyond with a mark."""
    rates = (f"{rate:.3g}{' (end)' if at_end else ''}" for rate, at_end in line.rates)
    return ", ".join(dict.fromkeys(rates))


def _format_score(line: Line, name: str) -> str:
    score = line.scores.get("accuracy")
    value = None if score is None else getattr(score, name)
    return "" if value is None else f"{value:.3f}"


def architecture_cells(lines: Sequence[Line], figure: str) -> Cells:
    """Format distilled sets by network (section 4.4), heading first; empty with one network."""
    lines = [line for line in lines if line.row.kind == "distilled"]
    names = list(dict.fromkeys(name for line in lines for name in line.networks))
    if len(names) < 2:
        return []
    return [
        ["distilled by", *names],
        *(
            [
                line.row.name,
                *(str(line.networks[n][figure]) if n in line.networks else "" for n in names),
            ]
            for line in lines
        ),
    ]


def weight_cells(lines: Sequence[Line]) -> Cells:
    """Format the final α and W, means over the seeds, heading first."""
    cells = [
        [
            "row",
            "loss without W",
            "α",
            "kept",
            "W mean",
            "W least",
            "W dev.",
            "rank corr.",
        ]
    ]
    for line in lines:
        facts = [record.facts for record in line.records if record.facts.get("unweighted_loss")]
        if not facts:
            continue
        losses = [mean(f["unweighted_loss"][end] for f in facts) for end in (0, 1)]
        weights = [f["weights"] for f in facts if "weights" in f]
        correlations = [
            f["rank_correlation"] for f in facts if f.get("rank_correlation") is not None
        ]
        cells.append(
            [
                line.row.name,
                f"{losses[0]:.3f} → {losses[1]:.3f}",
                f"{mean(f['syn_lr'] for f in facts):.4g}",
                ", ".join(str(f["best_iteration"]) for f in facts),
                *(
                    f"{mean(w[name] for w in weights):.3f}" if weights else ""
                    for name in ("mean", "min", "std")
                ),
                f"{mean(correlations):+.2f}" if correlations else "",
            ]
        )
    return cells if len(cells) > 1 else []


def explain(
    study: Study, lines: Sequence[Line], classes: Sequence[str], failed: Sequence[RunRecord] = ()
) -> list[str]:
    """Write the notes that belong below the table, with the runs that have no figures."""
    first = lines[0].networks[lines[0].network]["accuracy"]
    names = " or ".join(dict.fromkeys(line.network for line in lines))
    spread = "± the deviation over networks"
    if any(figure.seeds > 1 for line in lines for figure in line.networks[line.network].values()):
        spread += " / the deviation over distillation seeds"
    notes = [
        f"Mean {spread}; {first.networks} networks of {names} per seed. Iterations and "
        "learning rates were chosen on the validation split. Distilled sets have the rate α that "
        "was learned with them."
    ]
    if any(at_end for line in lines for _, at_end in line.rates):
        notes.append(
            f"(end): the best rate is the last tried, also after {MOST_EXTENSIONS} rates beyond "
            "the grid, or the only one, so that the row may be worth more."
        )
    if study.robust:
        notes.append(
            "Without augmentation: balanced accuracy of networks that were trained without it, "
            "each row at its best rate. LRS and ARS: label-robust and augmentation-robust score "
            "(DD-Ranking, arXiv 2505.13300; weights 0.5), from accuracies; 0.269 is as good as "
            "random images, for LRS where these are as good as all images."
        )
    if any(found.seeds > 1 for line in lines for found in line.against_reference.values()):
        notes.append(
            f"Differences from {study.reference}: mean over paired seeds with its 95% interval "
            "(Student's t). Only where the interval leaves out 0 is a difference proven, and with "
            f"{len(lines)} rows one in twenty is by chance."
        )
    if study.published:
        notes.append(study.published_note)
    if study.published and len(classes) != study.published_classes:
        notes.append(
            f"The paper's figures are for {study.published_classes} classes and this set has "
            f"{len(classes)} ({_listed(classes)}): compare rows with each other, not one "
            "by one with the paper's."
        )
    notes += [f"{run.row.name}, seed {run.seed}, has no figures: {run.failure}" for run in failed]
    return notes


def _listed(classes: Sequence[str]) -> str:
    if len(classes) <= MOST_LISTED:
        return ", ".join(classes)
    return ", ".join((*classes[:MOST_LISTED], f"{len(classes) - MOST_LISTED} more"))


def to_markdown(cells: Cells) -> str:
    """Format a table as Markdown."""
    rule = ["---", *["---:"] * (len(cells[0]) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (cells[0], rule, *cells[1:])) + "\n"
