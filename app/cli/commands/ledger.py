"""`exchange ledger`."""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.commands import keys
from app.cli.output import AsJson, aligned, echo, moment, print_json
from app.cli.session import PortalUrl, portal_client

if TYPE_CHECKING:
    from app.client import Ledger

KINDS = {"budgeted": "with noise", "public": "public", "fatal": "exact"}

commands = typer.Typer()


@commands.command(rich_help_panel=keys.PANEL, epilog="Example: exchange ledger ds_0123abcd")
def ledger(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Id of a dataset.")],
    delta: Annotated[
        float, typer.Option(min=1e-12, max=0.01, help="δ at which ε is computed.")
    ] = 1e-5,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Show what distillations and trainings read of a dataset, and the ε they have spent."""
    with portal_client(portal) as client:
        found = client.datasets.ledger(dataset, delta=delta)
    if as_json:
        print_json(found)
        return
    echo(_spent(found))
    if found.not_covered:
        echo(f"Distillations and trainings that read exactly, without ε: {found.not_covered}.")
    head = ("read", "kind", "run", "times", "last")
    rows = [
        (one.purpose, KINDS.get(one.kind, one.kind), one.run, str(one.count), moment(one.last_at))
        for one in found.reads
    ]
    if rows:
        for line in aligned([head, *rows], right={3}):
            echo(line)


def _spent(found: "Ledger") -> str:
    if not any(one.kind == "budgeted" for one in found.reads):
        return "No distillation under differential privacy has read these images yet."
    if found.epsilon is None:
        return "A read was booked without noise: nothing is bounded any more."
    return f"Spent by all runs together: ε = {found.epsilon:.3g} at δ = {found.delta:g}."
