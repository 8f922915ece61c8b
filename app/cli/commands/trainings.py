"""`exchange train` and `score`: train on received releases and report the score."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import AsJson, echo, print_json, words
from app.cli.session import PortalUrl, Wait, portal_client, text_of

if TYPE_CHECKING:
    from app.client import Training

PANEL = "Sharing"

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange train ds_0123abcd rel_4567cdef")
def train(
    dataset: Annotated[str, typer.Argument(help="Your dataset, whose test images are used.")],
    releases: Annotated[list[str], typer.Argument(help="Releases to train on.")],
    class_map: Annotated[
        list[str] | None,
        typer.Option(
            help="[RELEASE:]THEIRS=OURS, or THEIRS= to leave a class out; repeatable. Changes "
            "what is proposed.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the class maps as proposed.")] = False,
    own_per_class: Annotated[
        int | None, typer.Option(help="Train on so many own images of each class [default: all].")
    ] = None,
    networks: Annotated[int, typer.Option(help="For each row of the table.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the networks.")] = 0,
    wait: Wait = True,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Train on releases, with and without own images. The last line is the training's id."""
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs

        terminal = Console(stderr=True)
        row = client.trainings.start(
            dataset, releases, own_per_class=own_per_class, networks=networks, seed=seed
        )
        row = jobs.follow_training(client, row, terminal, until=("proposed",))
        jobs.expect_success(row)
        try:
            maps = _changed(row.class_maps or {}, class_map or [])
            _confirm(maps, yes=yes)
        except (CommandError, typer.Abort):
            client.trainings.cancel(row.id)
            raise
        row = client.trainings.confirm(row.id, maps)
        if wait:
            row = jobs.follow_training(client, row, terminal)
        jobs.expect_success(row)
    if as_json:
        print_json(row)
        return
    print_training(row)
    echo(row.id)


@commands.command(
    rich_help_panel=PANEL, epilog="Example: exchange score rel_0123abcd --training tr_4567cdef"
)
def score(
    release: str,
    training: Annotated[
        str | None, typer.Option(help="A training on this release only.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="File written by `iadd evaluate --bundle --out`.", show_default=False),
    ] = None,
    portal: PortalUrl = None,
) -> None:
    """Send a release's score on your own images, signed by your organisation."""
    if (training is None) == (file is None):
        raise typer.BadParameter("name a --training or a --file: one of both")
    with portal_client(portal) as client:
        sent = client.trainings.send_score(
            release, training_id=training, score=None if file is None else _document(file)
        )
    echo(f"Sent, and signed with {sent.public_key}.")
    echo(sent.id)


def _document(file: Path) -> dict[str, Any]:
    text = text_of(None, file, "score") or ""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CommandError(f"{file} does not hold a score. Nothing was sent.", Exit.UNUSABLE)
    return document


def _changed(
    proposed: dict[str, dict[str, str | None]], changes: list[str]
) -> dict[str, dict[str, str | None]]:
    """The proposal with the person's changes. Raises CommandError."""
    maps = {release: dict(classes) for release, classes in proposed.items()}
    for change in changes:
        theirs, equals, ours = change.partition("=")
        release, colon, rest = theirs.partition(":")
        named = [release] if colon and release in maps else list(maps)
        theirs = rest if colon and release in maps else theirs
        known = [name for name in named if theirs in maps[name]]
        if not equals or not known:
            raise CommandError(
                f"--class-map {change!r} fits no class of these releases. Nothing was started.",
                Exit.UNUSABLE,
            )
        for name in known:
            maps[name][theirs] = ours or None
    return maps


def _confirm(maps: dict[str, dict[str, str | None]], *, yes: bool) -> None:
    for release, classes in maps.items():
        typer.echo(f"Classes of {release}:", err=True)
        for theirs, ours in classes.items():
            typer.echo(f"  {theirs} is {ours or 'left out'}", err=True)
    if not yes and not typer.confirm("Is that so?", err=True):
        raise CommandError(
            "Nothing is trained. Say which class is which with --class-map, and train again.",
            Exit.NOT_NOW,
        )


def print_training(row: "Training") -> None:
    """Print the table, or the progress."""
    if row.result is None:
        done = "" if row.progress is None else f", {row.progress.done:g} of {row.progress.total:g}"
        echo(f"{row.id}  {words(row.status)}{done}")
        if row.problem is not None:
            echo(f"{row.problem.title}. {row.problem.detail}".strip(), indent=2)
        return
    titles = {"own": "own images", "received": "what was received", "both": "both"}
    for name, figures in row.result["table"]["rows"].items():
        accuracy = figures["balanced_accuracy"]
        echo(
            f"{titles.get(name, name)}: balanced accuracy {accuracy['mean']:.3f} ± "
            f"{accuracy['std']:.3f} ({accuracy['n']} networks)"
        )
    for note in row.result.get("notes", []):
        echo(note)
