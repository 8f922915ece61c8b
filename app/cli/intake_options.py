"""Options of the commands that read images: `prepare`, `layout` and `upload`."""

from pathlib import Path
from typing import Annotated

import typer

TEXT = ("hold", "blank", "skip")

Layout = Annotated[
    Path | None,
    typer.Option(
        "--layout",
        help="What the folders and tables mean: a file that `exchange layout` wrote.",
        show_default=False,
    ),
]
Size = Annotated[int, typer.Option(min=32, max=4096, help="Pixels across and down.")]
Text = Annotated[
    str,
    typer.Option(
        help="Pictures with text in them: hold them back, blank the text, or skip the search."
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="Secret of the hashes of patients [default: one of your own, made at first use].",
        show_default=False,
    ),
]
