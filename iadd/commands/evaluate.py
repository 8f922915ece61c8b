"""``iadd evaluate``."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from iadd.checkpoint import write_atomically
from iadd.evaluate import evaluate as run_evaluate
from iadd.evaluate import evaluate_full, evaluate_random
from iadd.images import load_images
from iadd.scores import Evaluation
from iadd.terminal import (
    Device,
    Source,
    Threads,
    choose_device,
    console,
    in_classes_of,
    load_distilled,
    session,
)


def evaluate(
    source: Source,
    distilled: Annotated[Path, typer.Option(help="Distilled set or bundle.")],
    baselines: Annotated[
        bool, typer.Option(help="Train on random real images and on the full set too.")
    ] = True,
    json_out: Annotated[
        Path | None, typer.Option("--json", help="Write all figures there.")
    ] = None,
    device: Device = "auto",
    threads: Threads = 0,
) -> None:
    """Train networks from scratch on the distilled set and test them on real images."""
    rows: dict[str, Evaluation] = {}
    with session(threads) as listener:
        learned = load_distilled(distilled)
        images = in_classes_of(learned, load_images(source, learned.config.image_size))
        where = choose_device(device)
        rows["distilled"] = run_evaluate(
            learned, images, learned.config, on_progress=listener, device=where
        )
        if baselines:
            rows["random"] = evaluate_random(
                images, learned.config, on_progress=listener, device=where
            )
            rows["full"] = evaluate_full(images, learned.config, on_progress=listener, device=where)
    _print_table(rows)
    if json_out:
        document = {name: evaluation.to_dict() for name, evaluation in rows.items()}
        write_atomically(json_out, json.dumps(document, indent=2).encode())


def _print_table(rows: dict[str, Evaluation]) -> None:
    table = Table()
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")
    for heading in ("trained on", "images", *(n.replace("_", " ") for n in names), "lr"):
        table.add_column(heading, justify="left" if heading == "trained on" else "right")
    for name, evaluation in rows.items():
        spreads = [evaluation.spread(n) for n in names]
        table.add_row(
            name,
            f"{evaluation.training_images:,}",
            *(f"{s['mean']:.3f} ± {s['std']:.3f}" for s in spreads),
            f"{evaluation.lr:.4g}",
        )
    console.print(table)
