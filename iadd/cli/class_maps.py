"""Class maps on the command line: proposed, shown, changed, confirmed."""

import re
import sys
from collections.abc import Sequence
from itertools import chain
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from iadd.cli.common import console
from iadd.sharing.class_map import ClassMapError, check_class_map, likeness, propose_class_map

ClassMaps = Annotated[
    list[str],
    typer.Option(
        "--class-map",
        metavar="THEIRS=OURS",
        help="What a received class is called in your data; THEIRS= leaves it out. With several "
        "bundles, 2:THEIRS=OURS is about the second alone.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Take the class map as it is proposed.")]

_NUMBERED = re.compile(r"(\d+):(.*)", re.DOTALL)


class NotConfirmedError(ValueError):
    """A class map was not confirmed, so nothing was done. The message says how to go on."""


def confirm_class_maps(
    names: Sequence[str],
    theirs: Sequence[Sequence[str]],
    ours: Sequence[str],
    given: Sequence[str],
    *,
    yes: bool,
) -> list[dict[str, str | None]]:
    """Propose a class map for each bundle, show it, and have it confirmed.

    Confirmed is what the command line says of a class, everything under ``--yes``, and what
    somebody at a terminal says yes to.

    Args:
        names: What to call the bundles.
        theirs: Classes of each bundle.
        ours: The own classes.
        given: ``--class-map`` as it was typed.
        yes: ``--yes``.

    Returns:
        One map for each bundle.

    Raises:
        ClassMapError: When a map does not fit.
        NotConfirmedError: When nobody confirmed it.
    """
    said = read_class_maps(given, theirs)
    maps = [
        propose_class_map(classes, ours) | changes
        for classes, changes in zip(theirs, said, strict=True)
    ]
    for class_map, classes in zip(maps, theirs, strict=True):
        check_class_map(class_map, classes, ours)
    console.print(_show(names, maps, said))
    left = [
        name
        for classes, changes in zip(theirs, said, strict=True)
        for name in classes
        if name not in changes
    ]
    if yes or not left:
        return maps
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            "The class map is a proposal and nobody is there to confirm it; nothing was done. Add "
            f"--yes to take it, or say it yourself: --class-map {_quoted(f'{left[0]}=…')}"
        )
    if not typer.confirm("Is that what the classes mean?"):
        raise NotConfirmedError(
            "The class map was not confirmed; nothing was done. Say what is otherwise: "
            f"--class-map {_quoted(f'{left[0]}=…')}"
        )
    return maps


def read_class_maps(
    given: Sequence[str], theirs: Sequence[Sequence[str]]
) -> list[dict[str, str | None]]:
    """What each ``[N:]THEIRS=OURS`` says, by bundle; a class name may hold ``=`` itself.

    Raises:
        ClassMapError: For what has no such form, or names a class or a bundle that is not there.
    """
    said: list[dict[str, str | None]] = [{} for _ in theirs]
    for text in given:
        numbered = _NUMBERED.fullmatch(text)  # no class name holds a colon
        rest = numbered[2] if numbered else text
        bundles = [int(numbered[1]) - 1] if numbered else list(range(len(theirs)))
        if not all(0 <= bundle < len(theirs) for bundle in bundles):
            raise ClassMapError(
                f"--class-map {_quoted(text)} is about bundle {bundles[0] + 1}, and there "
                f"{'is' if len(theirs) == 1 else 'are'} {len(theirs)}."
            )
        found = False
        for bundle in bundles:
            cuts = [n for n, c in enumerate(rest) if c == "=" and rest[:n] in theirs[bundle]]
            if cuts:
                said[bundle][rest[: cuts[-1]]] = rest[cuts[-1] + 1 :] or None
                found = True
        if not found:
            known = ", ".join(f"“{name}”" for name in dict.fromkeys(chain(*theirs)))
            raise ClassMapError(
                f"--class-map {_quoted(text)} names no received class: write THEIRS=OURS, with "
                f"THEIRS one of {known}."
            )
    return said


def _show(
    names: Sequence[str],
    maps: Sequence[dict[str, str | None]],
    said: Sequence[dict[str, str | None]],
) -> Table:
    table = Table(title="Class map", title_justify="left")
    for heading in ("bundle", "its class", "your class", "because"):
        table.add_column(heading, overflow="fold")
    for bundle, class_map in enumerate(maps):
        for position, (name, own) in enumerate(class_map.items()):
            if name in said[bundle]:
                reason = "as given"
            elif own is None:
                reason = "none of yours is clearly it"
            else:
                reason = likeness(name, own) or ""
            # Text, since a name may look like markup.
            table.add_row(
                Text(f"{bundle + 1}: {names[bundle]}" if position == 0 else ""),
                Text(name),
                Text("left out" if own is None else own, style="dim" if own is None else ""),
                Text(reason),
            )
    return table


def _quoted(text: str) -> str:
    return f'"{text}"'
