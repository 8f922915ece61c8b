"""`exchange distill`, `retry` and `cancel`."""

from typing import Annotated, Literal

import typer

from app.cli.output import echo, words
from app.cli.session import PortalUrl, Wait, kind_of, portal_client

Priority = Literal["high", "normal", "low"]

PANEL = "Your images"

commands = typer.Typer()


@commands.command(
    rich_help_panel=PANEL, epilog="Example: exchange distill ds_0123abcd --preset cpu_small"
)
def distill(
    dataset: str,
    preset: Annotated[str, typer.Option(help="Name of the settings.")],
    images_per_class: Annotated[
        int | None, typer.Option(help="Distilled images per class [default: the preset's].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Public seed of the distillation.")] = 0,
    audit: Annotated[
        str | None,
        typer.Option(
            help="How often the run is repeated for its privacy audit: audit_free, audit_quick, "
            "audit_standard or audit_full [default: the preset's]."
        ),
    ] = None,
    priority: Annotated[
        Priority | None,
        typer.Option(help="Which of your organisation's jobs goes first [default: normal]."),
    ] = None,
    wait: Wait = True,
    portal: PortalUrl = None,
) -> None:
    """Distill a dataset of a portal, by its id. The last line is the distillation's id."""
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs

        row = jobs.distill(
            client,
            dataset,
            Console(stderr=True),
            jobs.DistillOptions(
                preset=preset,
                images_per_class=images_per_class,
                seed=seed,
                audit=audit,
                priority=priority,
                forecast=True,
            ),
            wait=wait,
        )
    if row.verdict:
        echo(f"Privacy verdict: {words(row.verdict)}; the report says why.")
    echo(row.id)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange retry dl_0123abcd")
def retry(
    distillation: Annotated[str, typer.Argument(help="One that failed or was cancelled.")],
    wait: Wait = True,
    portal: PortalUrl = None,
) -> None:
    """Continue a failed or cancelled distillation from its last checkpoint."""
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs

        row = client.distillations.retry(distillation)
        if wait:
            row = jobs.follow_distillation(client, row, Console(stderr=True))
        jobs.expect_success(row)
    echo(row.id)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange cancel dl_0123abcd")
def cancel(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Id of a distillation, dataset or request.",
        ),
    ],
    portal: PortalUrl = None,
) -> None:
    """Stop a distillation or the check of a dataset, or cancel an access request."""
    with portal_client(portal) as client:
        kind = kind_of(identifier, "dl", "ds", "req")
        if kind == "dl":
            status = client.distillations.cancel(identifier).status
        elif kind == "ds":
            status = client.datasets.cancel_check(identifier).status
        else:
            status = client.requests.cancel(identifier).status
    if status in ("cancelled", "rejected"):
        echo("Cancelled.")
    else:
        echo("It stops at its next step.")
    echo(identifier)
