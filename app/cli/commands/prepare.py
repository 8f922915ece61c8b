"""`exchange prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.exit_codes import Exit, leave
from app.cli.intake_options import KeyFile, Layout, Size, Text
from app.cli.output import echo
from app.cli.session import exit_on_error

PANEL = "Your images"

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange prepare xrays/ --out prepared/")
def prepare(
    source: Annotated[Path, typer.Argument(help="A folder or an archive.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    layout: Layout = None,
    size: Size = 448,
    text: Text = "hold",
    keep_dicom: Annotated[
        bool, typer.Option("--keep-dicom", help="Write scrubbed DICOM files too, into OUT-dicom.")
    ] = False,
    key_file: KeyFile = None,
) -> None:
    """Make grey pictures without identity, inside the hospital: no portal, no network.

    Writes PNG files without metadata, a manifest with hashed patients, and a receipt of every file,
    which stays here. After an interrupt, run the same command again to continue.
    """
    with exit_on_error():
        from app.cli import preparing
        from app.cli.layout_text import layout_lines

        options = preparing.options_of(
            size=size, text=text, keep_dicom=keep_dicom, key_file=key_file
        )
        from rich.console import Console

        try:
            done = preparing.run(
                source, out, Console(stderr=True), options, preparing.read_layout(layout)
            )
        except preparing.OpenLayoutError as questions:
            preparing.print_lines(layout_lines(questions.layout))
            leave(f"\n{questions}", questions.code)
    preparing.print_lines(preparing.summary_lines(done))
    if (problem := preparing.unusable(done)) is not None:
        leave(problem, Exit.FAILED if not done.accepted else Exit.DONE)
    echo(f"receipts.jsonl in {out} names the original files: it stays here.")
    echo(f"Next: exchange upload {out}")
