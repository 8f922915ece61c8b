"""`exchange status` and `notices`."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.cli.commands.access import print_grant, print_request, waits_for_terms
from app.cli.commands.releases import access_text
from app.cli.commands.trainings import print_training
from app.cli.exit_codes import CommandError, Exit
from app.cli.output import AsJson, echo, moment, print_json, words
from app.cli.session import PortalUrl, kind_of, portal_client

if TYPE_CHECKING:
    from app.client import (
        AccessRequest,
        Dataset,
        Distillation,
        Grant,
        PortalClient,
        Problem,
        Release,
        ReleaseBrief,
        Training,
    )

    Thing = Dataset | Distillation | Release | AccessRequest | Grant | Training

Item = TypeVar("Item")

PANEL = "Overview"
LOOKED_THROUGH = 200
"""So many of the newest rows are looked through for what still runs or waits."""
NEWEST = 5
ENDED_BADLY = frozenset({"rejected", "failed", "cancelled", "returned", "denied"})

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange status dl_0123abcd --follow")
def status(
    identifier: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="Id of a dataset, distillation, release, request or grant [default: an overview].",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for the end of what runs, or for a decision.")
    ] = False,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Show running jobs, pending items and news; or the state of one item, by its id.

    With --follow the exit code is 1 if it failed, was cancelled or refused. Operators of the portal
    see the whole service, and the exit code is 1 if something of it is broken.
    """
    with portal_client(portal) as client:
        if identifier is not None:
            _one(client, identifier, follow=follow, as_json=as_json)
        elif follow:
            raise CommandError("Name an item: exchange status ID --follow", Exit.UNUSABLE)
        else:
            overview = _overview(client)
            if as_json:
                print_json(overview)
            else:
                _print_overview(overview)
            if "service" in overview and overview["service"].faults:
                raise typer.Exit(Exit.FAILED)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange notices")
def notices(
    every: Annotated[bool, typer.Option("--all", help="Those read before too.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave them unread.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Show at most so many.")] = 50,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """List your notices, newest first, and mark them as read."""
    with portal_client(portal) as client:
        found = list(islice(client.notices.list(unread=not every), most))
        if as_json:
            print_json(found)
        for notice in found:
            if not as_json:
                echo(f"{moment(notice.created_at)}  {notice.title}")
                echo(notice.text, indent=2)
            if notice.read_at is None and not keep:
                client.notices.mark_read(notice.id)
    if not found and not as_json:
        echo("Nothing new.")


def _one(client: "PortalClient", identifier: str, *, follow: bool, as_json: bool) -> None:
    """State of one item; with `follow`, its final state."""
    row = _get(client, identifier)
    if follow:
        row = _follow(client, row)
    if as_json:
        print_json(row)
    else:
        _print_row(row, mine=client.me().organisation_id)
    if follow and getattr(row, "status", None) in ENDED_BADLY:
        raise typer.Exit(Exit.FAILED)


def _get(client: "PortalClient", identifier: str) -> "Thing":
    kind = kind_of(identifier, "ds", "dl", "rel", "req", "gr", "tr")
    if kind == "ds":
        return client.datasets.get(identifier)
    if kind == "dl":
        return client.distillations.get(identifier)
    if kind == "rel":
        return client.releases.get(identifier)
    if kind == "req":
        return client.requests.get(identifier)
    if kind == "tr":
        return client.trainings.get(identifier)
    return client.grants.get(identifier)


def _follow(client: "PortalClient", row: "Thing") -> "Thing":
    from rich.console import Console

    from app.cli import jobs
    from app.client import AccessRequest, Dataset, Distillation, Training

    console = Console(stderr=True)
    if isinstance(row, Dataset):
        return jobs.follow_dataset(client, row, console)
    if isinstance(row, Distillation):
        return jobs.follow_distillation(client, row, console)
    if isinstance(row, AccessRequest):
        return jobs.follow_request(client, row, console)
    if isinstance(row, Training):
        return jobs.follow_training(client, row, console, until=("proposed",))
    return row


def _print_row(row: "Thing", *, mine: str) -> None:
    from app.client import AccessRequest, Dataset, Distillation, Grant, Training

    if isinstance(row, Dataset):
        _print_dataset(row)
    elif isinstance(row, Distillation):
        _print_distillation(row)
    elif isinstance(row, AccessRequest):
        print_request(row, mine=mine)
    elif isinstance(row, Grant):
        print_grant(row, mine=mine)
    elif isinstance(row, Training):
        print_training(row)
    else:
        echo(f"{row.id}  {row.title}, version {row.number}: {words(row.status)}")
        echo(access_text(row), indent=2)


def _print_dataset(row: "Dataset") -> None:
    echo(f"{row.id}  {row.name}: {words(row.status)}")
    if row.classes:
        counts = ", ".join(f"{name} {sum(n.values())}" for name, n in row.classes.items())
        echo(f"{counts} images", indent=2)
    if row.open_holds:
        held = ", ".join(f"{words(code)} ({count})" for code, count in row.open_holds.items())
        echo(f"No release until somebody decides on its page: {held}", indent=2)
    if row.status == "awaiting_mapping":
        echo(f"exchange layout {row.id}", indent=2)
    _print_problem(row.problem)


def _print_distillation(row: "Distillation") -> None:
    from app.cli.progress import duration

    phase = row.phases.get(row.status)
    done = "" if phase is None else f", {phase.done:g} of {phase.total:g} {phase.unit}"
    left = "" if row.eta_seconds is None else f", about {duration(row.eta_seconds)} left in all"
    verdict = "" if row.verdict is None else f", privacy verdict {words(row.verdict)}"
    echo(f"{row.id}  {row.preset}: {words(row.status)}{done}{left}{verdict}")
    _print_problem(row.problem)


def _print_problem(problem: "Problem | None") -> None:
    if problem is not None:
        echo(f"{problem.title}. {problem.detail}".strip(), indent=2)


def _overview(client: "PortalClient") -> dict[str, Any]:
    """Overview for the signed-in person, without what they may not read."""
    from app.client import FINAL

    me = client.me()
    overview: dict[str, Any] = {"portal": client.url, "me": me}
    if "read" in me.permissions:
        distillations = _newest(client.distillations.list())
        requests = _newest(client.requests.list())
        grants = _newest(client.grants.list(direction="sent"))
        overview |= {
            "running": [row for row in distillations if row.status not in FINAL],
            "to_decide": [
                row
                for row in requests
                if row.owner.id == me.organisation_id and row.status == "requested"
            ],
            "asked": [
                row
                for row in requests
                if row.owner.id != me.organisation_id and row.status in ("requested", "returned")
            ],
            "to_accept": [row for row in grants if waits_for_terms(row)],
            "datasets": _newest(client.datasets.list(), NEWEST),
            "distillations": [row for row in distillations if row.status in FINAL][:NEWEST],
            "releases": _newest(client.releases.mine(), NEWEST),
        }
    if "operate" in me.permissions:
        overview["service"] = client.service_status()
    overview["notices"] = _newest(client.notices.list(unread=True), NEWEST)
    overview["unread"] = client.notices.count_unread()
    return overview


def _newest(rows: Iterator[Item], most: int = LOOKED_THROUGH) -> list[Item]:
    return list(islice(rows, most))


def _print_overview(overview: dict[str, Any]) -> None:
    me = overview["me"]
    echo(f"{me.name} of {me.organisation} ({', '.join(me.roles)}) at {overview['portal']}")
    if me.drained_at is not None:
        echo(
            f"The service is being updated since {moment(me.drained_at)}: jobs wait, and go on by "
            "themselves afterwards."
        )
    for heading, name in (
        ("Runs", "running"),
        ("Waits for your decision", "to_decide"),
        ("Asked for", "asked"),
        ("Terms to accept", "to_accept"),
        ("Datasets, the newest", "datasets"),
        ("Distillations, the newest", "distillations"),
        ("Releases, the newest", "releases"),
    ):
        rows = overview.get(name, [])
        if rows:
            echo()
            echo(f"{heading}:")
        for row in rows:
            _print_item(row, mine=me.organisation_id)
    if "service" in overview:
        from app.cli.service_screen import screen

        echo()
        for line in screen(overview["service"]):
            echo(line)
    if overview["unread"]:
        echo()
        echo(f"Unread notices ({overview['unread']}; exchange notices):")
        for notice in overview["notices"]:
            echo(f"{moment(notice.created_at)}  {notice.title}")


def _print_item(row: "Thing | ReleaseBrief", *, mine: str) -> None:
    """Print one item of the overview, with the next command where there is one."""
    from app.client import Grant, Release, ReleaseBrief

    if isinstance(row, ReleaseBrief) and not isinstance(row, Release):
        echo(f"{row.id}  {row.title}, version {row.number}: {words(row.status)}")
        return
    _print_row(row, mine=mine)
    if isinstance(row, Grant):
        echo(f"exchange accept {row.id}", indent=2)
