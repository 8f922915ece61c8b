"""`exchange upload`."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import echo
from app.cli.session import PortalUrl, Wait, portal_client

PANEL = "Your images"

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange upload xrays.zip")
def upload(
    archive: Path,
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset [default: the archive's].")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Id of a dataset that awaits an archive, not a new one.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Continue an earlier upload, or begin anew.")] = True,
    wait: Wait = True,
    portal: PortalUrl = None,
) -> None:
    """Upload an archive to a portal. The last line is the dataset's id.

    After an interrupt, a kill or a lost connection, run the same command again to continue.
    """
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs

        row = jobs.upload(
            client,
            archive,
            Console(stderr=True),
            name=name,
            dataset_id=dataset,
            resume=resume,
            wait=wait,
        )
    for class_name, splits in (row.classes or {}).items():
        echo(f"{class_name}: {sum(splits.values())} images")
    echo(row.id)
