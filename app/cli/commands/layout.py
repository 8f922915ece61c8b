"""`exchange layout`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.intake_options import Layout
from app.cli.output import AsJson, echo, print_json
from app.cli.session import PortalUrl, Wait, exit_on_error, portal_client

if TYPE_CHECKING:
    from app.client import PortalClient

PANEL = "Your images"

commands = typer.Typer()


@commands.command(
    rich_help_panel=PANEL, epilog="Example: exchange layout xrays.zip --out layout.json"
)
def layout(
    source: Annotated[
        str, typer.Argument(help="A folder or an archive, or the id of a dataset of a portal.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write the best reading to this file, to be edited.", show_default=False),
    ] = None,
    confirmed: Layout = None,
    wait: Wait = True,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Show what the folders and tables of an archive mean: roles, classes, questions.

    With --layout, a dataset that awaits its layout is read by that file; the last line is its id.
    """
    path = Path(source)
    if not path.exists() and source.startswith("ds_"):
        with portal_client(portal) as client:
            if confirmed is not None:
                _confirm(client, source, confirmed, wait=wait)
                return
            found = _of_dataset(client, source)
    else:
        with exit_on_error():
            if confirmed is not None:
                raise CommandError(
                    "--layout goes with the id of a dataset; of an archive here, use it with "
                    "exchange prepare or exchange upload.",
                    Exit.UNUSABLE,
                )
            from rich.console import Console

            from app.cli import preparing

            found = preparing.describe_source(path, Console(stderr=True))
    _show(found, out, source, as_json=as_json)


def _show(found: dict[str, Any], out: Path | None, source: str, *, as_json: bool) -> None:
    from app.cli import preparing
    from app.cli.layout_text import layout_lines

    if as_json:
        print_json(found)
    else:
        preparing.print_lines(layout_lines(found))
    if out is None:
        return
    with exit_on_error():
        if not preparing.write_layout(out, found):
            raise CommandError(
                f"{source} has no reading that could be written to {out}: add a table or folders "
                "that name the classes.",
                Exit.NOT_NOW,
            )
    if not as_json:
        echo()
        echo(f"{out} holds {'the only reading' if found['certain'] else 'the first reading'}.")


def _of_dataset(client: "PortalClient", dataset_id: str) -> dict[str, Any]:
    row = client.datasets.layout(dataset_id)
    if row.layout is not None:
        return row.layout
    who = f", confirmed by {row.confirmed_by}" if row.confirmed_by else ""
    raise CommandError(
        f"The dataset is {row.status}{who}: there is nothing to decide about its layout.",
        Exit.NOT_NOW,
    )


def _confirm(client: "PortalClient", dataset_id: str, path: Path, *, wait: bool) -> None:
    from rich.console import Console

    from app.cli import jobs, preparing

    mapping = preparing.read_layout(path)
    assert mapping is not None, "a path was given"
    row = jobs.confirm_layout(client, dataset_id, mapping, Console(stderr=True), wait=wait)
    for class_name, splits in (row.classes or {}).items():
        echo(f"{class_name}: {sum(splits.values())} images")
    echo(row.id)
