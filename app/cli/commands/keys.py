"""`exchange keys`."""

from typing import Annotated

import typer

from app.cli.commands.access import organisation_id
from app.cli.output import AsJson, echo, moment, print_json
from app.cli.session import PortalUrl, portal_client

PANEL = "Bundles"

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog='Example: exchange keys "St. Anna"')
def keys(
    organisation: Annotated[
        str, typer.Argument(help="By id or name.", show_default="your own")
    ] = "mine",
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """List an organisation's public keys as the portal gives them, the present one first.

    They prove as much as you trust the portal: compare the fingerprint with the organisation by
    telephone, then keep the key in a file for --trusted-key.
    """
    with portal_client(portal) as client:
        rows = client.organisations.keys(organisation_id(client, organisation))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        since = moment(row.created_at)
        state = "in use" if row.retired_at is None else f"until {moment(row.retired_at)}"
        bad = ", somebody else may have had it: do not trust it" if row.compromised else ""
        echo(row.public_key)
        echo(f"fingerprint {row.fingerprint}, since {since}, {state}{bad}", indent=2)
