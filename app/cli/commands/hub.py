"""`exchange hub`: connections between the own portal and hubs."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import AsJson, echo, moment, print_json
from app.cli.session import PortalUrl, portal_client

if TYPE_CHECKING:
    from app.client.models import Hub

commands = typer.Typer(help="Connect your portal with hubs, where other hospitals find releases.")

Name = Annotated[str, typer.Argument(help="What you call the hub, or its address.")]
Fingerprint = Annotated[str, typer.Argument(help="Five groups of four, as in 3f2a-….")]


@commands.command(epilog="Example: exchange hub connect 'North' https://hub.example")
def connect(
    name: Annotated[str, typer.Argument(help="What you call the hub.")],
    url: Annotated[str, typer.Argument(help="Its address.")],
    portal: PortalUrl = None,
) -> None:
    """Connect with a hub. Asks for your organisation's token there, or reads it from a pipe.

    Nothing is sent before both fingerprints have been compared.
    """
    with portal_client(portal) as client:
        hub = client.hubs.connect(name, url, _token())
    echo(f"{hub.name} answers as {hub.url}; your organisation is {hub.there} there.")
    if hub.confirmed_at is not None:
        echo("Its key is the one that was confirmed before.")
        return
    echo("Nothing is sent yet. Compare two fingerprints, by telephone:")
    echo(f"of the hub:  {hub.fingerprint}", indent=2)
    echo(f"of your key: {hub.own_fingerprint}", indent=2)
    echo(f"Then here:   exchange hub confirm {hub.name!r} FINGERPRINT-OF-THE-HUB")
    echo(f"At the hub:  exchange hub trust FINGERPRINT-OF-YOUR-KEY --portal {hub.url}")


@commands.command("list", epilog="Example: exchange hub list")
def list_hubs(as_json: AsJson = False, portal: PortalUrl = None) -> None:
    """List the hubs of your organisation, and whether they answer."""
    with portal_client(portal) as client:
        rows = client.hubs.list()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        echo(f"{row.name}  {row.url}")
        echo(f"{_state(row)}; fingerprint {row.fingerprint}", indent=2)
        if row.problem is not None:
            echo(f"last contact failed: {row.problem.detail}", indent=2)
    if not rows:
        echo("None. `exchange hub connect` connects with one.")


@commands.command(epilog="Example: exchange hub confirm North 3f2a-91bc-0d4e-77a1-5c2f")
def confirm(name: Name, fingerprint: Fingerprint, portal: PortalUrl = None) -> None:
    """Trust a hub's key, after the people who run it told you its fingerprint."""
    with portal_client(portal) as client:
        hub = client.hubs.confirm(client.hubs.find(name).id, fingerprint)
    echo(f"{hub.name} is confirmed. `exchange share … --to {hub.name!r}` sends releases there.")


@commands.command(epilog="Example: exchange hub pause North")
def pause(name: Name, portal: PortalUrl = None) -> None:
    """Send nothing to a hub for now. What is shared meanwhile waits."""
    with portal_client(portal) as client:
        hub = client.hubs.pause(client.hubs.find(name).id)
    echo(f"Nothing is sent to {hub.name} until `exchange hub resume {hub.name!r}`.")


@commands.command(epilog="Example: exchange hub resume North")
def resume(name: Name, portal: PortalUrl = None) -> None:
    """Send to a hub again."""
    with portal_client(portal) as client:
        hub = client.hubs.resume(client.hubs.find(name).id)
    echo(f"What waits is sent to {hub.name} now.")


@commands.command(epilog="Example: exchange hub remove North")
def remove(name: Name, portal: PortalUrl = None) -> None:
    """Forget a hub and its token. What it shows it goes on showing: withdraw that before."""
    with portal_client(portal) as client:
        hub = client.hubs.find(name)
        client.hubs.remove(hub.id)
    echo(f"The connection with {hub.name} is removed. Delete the token at the hub too.")


@commands.command(
    epilog="Example: exchange hub trust 3f2a-91bc-0d4e-77a1-5c2f --portal https://hub.example"
)
def trust(fingerprint: Fingerprint, portal: PortalUrl = None) -> None:
    """At the hub: trust the key of your organisation's own portal."""
    with portal_client(portal) as client:
        key = client.hubs.confirm_home_key(fingerprint)
    echo(f"This hub shows from now on what is signed with the key {key.fingerprint}.")


def _state(row: "Hub") -> str:
    if row.confirmed_at is None:
        return "not confirmed, so that nothing is sent"
    if row.paused_at is not None:
        return f"paused since {moment(row.paused_at)}"
    return "confirmed" if row.seen_at is None else f"confirmed, last contact {moment(row.seen_at)}"


def _token() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Token of your organisation at the hub", hide_input=True, err=True))
    line = sys.stdin.readline(4096).strip()
    if not line:
        raise CommandError("There is no token on the standard input.", Exit.UNUSABLE)
    return line
