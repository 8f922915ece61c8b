"""`exchange audit export` and `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.output import echo
from app.cli.session import PortalUrl, portal_client

commands = typer.Typer(
    help="The log of your organisation: who did what, each entry chained to the one before it.",
    no_args_is_help=True,
)


@commands.command(epilog="Example: exchange audit export 2026-12.jsonl")
def export(file: Path, portal: PortalUrl = None) -> None:
    """Write the whole log to a file, signed at its end, and check it.

    Kept elsewhere, it proves later changes of the log in the portal's database.
    """
    from app.audit.export import verify_export

    with portal_client(portal) as client:
        client.log.export(file)
    found = verify_export(file)
    for line in found.lines:
        typer.echo(line, err=True)
    echo(str(file))
    raise typer.Exit(found.exit_code)


@commands.command(
    epilog="Example: exchange audit verify 2026-12.jsonl --earlier 2026-11.jsonl --trusted-key "
    "st-anna.key"
)
def verify(
    file: Path,
    trusted_key: Annotated[
        str | None,
        typer.Option(
            help="The organisation's public key (ed25519:…) or a file that holds it, as you got it "
            "by another way than the file."
        ),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(help="An earlier export, which the log must continue."),
    ] = None,
) -> None:
    """Check an exported log, offline. Exit code 0: good, 1: changed or forged, 2: cannot be read.

    Without a trusted key a log that somebody made up as a whole looks good, and without an earlier
    export one whose portal rewrote it.
    """
    from app.audit.export import verify_export

    found = verify_export(file, trusted_key, earlier=earlier)
    for line in found.lines:
        typer.echo(line, err=found.exit_code != 0)
    raise typer.Exit(found.exit_code)
