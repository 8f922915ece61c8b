"""The command ``iadd show``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from iadd.bundle.image_grid import draw_image_grid
from iadd.cli.common import console, load_distilled, one_line_errors


def show(
    distilled: Annotated[Path, typer.Argument(help="Distilled set or bundle.")],
    out: Annotated[
        Path | None, typer.Option(help="Draw the images there (PNG), a row per class.")
    ] = None,
) -> None:
    """Describe a distilled set, and draw it."""
    with one_line_errors():
        learned = load_distilled(distilled)
    table = Table(show_header=False, box=None)
    count, channels, height, width = learned.images.shape
    table.add_row("images", f"{count} × {channels}×{height}×{width}")
    table.add_row("classes", ", ".join(learned.classes))
    table.add_row("learning rate", f"{learned.syn_lr:.4g}")
    table.add_row("preset", f"{learned.config.preset}, seed {learned.config.seed}")
    if learned.randomness:
        table.add_row("drawn from", f"a {learned.randomness} seed")
    losses = learned.history.curves.get("unweighted_loss")
    if losses:
        table.add_row("matching loss", f"{losses[0]:.3f} → {losses[-1]:.3f}")
    console.print(table)
    if out:
        draw_image_grid(learned).save(out)
        console.print(f"drawn in {out}")
