"""Proposes, shows, changes and confirms class maps on the command line."""

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
        help="Name of a received class in your data; THEIRS= leaves it out. With several bundles, "
        "2:THEIRS=OURS applies to the second only.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Accept the proposed class map.")]

_NUMBERED = re.compile(r"(\d+):(.*)", re.DOTALL)


class NotConfirmedError(ValueError):
    """A class map was not confirmed, so nothing was done. The message says how to continue."""


def confirm_class_maps(
    names: Sequence[str],
    theirs: Sequence[Sequence[str]],
    ours: Sequence[str],
    given: Sequence[str],
    *,
    yes: bool,
) -> list[dict[str, str | None]]:
    """Propose a class map for each bundle, show it, and have it confirmed.

    Classes that the command line maps are confirmed, as is everything under ``--yes`` and what a
    person at a terminal accepts.

    Args:
        names: Names of the bundles.
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
    stated = read_class_maps(given, theirs)
    maps = [
        propose_class_map(classes, ours) | changes
        for classes, changes in zip(theirs, stated, strict=True)
    ]
    for class_map, classes in zip(maps, theirs, strict=True):
        check_class_map(class_map, classes, ours)
    console.print(_to_table(names, maps, stated))
    left = [
        name
        for classes, changes in zip(theirs, stated, strict=True)
        for name in classes
        if name not in changes
    ]
    if yes or not left:
        return maps
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            "The class map is a proposal and nobody is there to confirm it; nothing was done. Add "
            f"--yes to accept it, or state it yourself: --class-map {_quoted(f'{left[0]}=…')}"
        )
    if not typer.confirm("Is that what the classes mean?"):
        raise NotConfirmedError(
            "The class map was not confirmed; nothing was done. State what to change: "
            f"--class-map {_quoted(f'{left[0]}=…')}"
        )
    return maps


def read_class_maps(
    given: Sequence[str], theirs: Sequence[Sequence[str]]
) -> list[dict[str, str | None]]:
    """Parse each ``[N:]THEIRS=OURS``, by bundle; a class name itself may contain ``=``.

    Raises:
        ClassMapError: For text of another form, or an unknown class or bundle.
    """
    stated: list[dict[str, str | None]] = [{} for _ in theirs]
    for text in given:
        numbered = _NUMBERED.fullmatch(text)  # no class name holds a colon
        rest = numbered[2] if numbered else text
        bundles = [int(numbered[1]) - 1] if numbered else list(range(len(theirs)))
        if not all(0 <= bundle < len(theirs) for bundle in bundles):
            raise ClassMapError(
                f"--class-map {_quoted(text)} is for bundle {bundles[0] + 1}, and there "
                f"{'is' if len(theirs) == 1 else 'are'} {len(theirs)}."
            )
        found = False
        for bundle in bundles:
            cuts = [n for n, c in enumerate(rest) if c == "=" and rest[:n] in theirs[bundle]]
            if cuts:
                stated[bundle][rest[: cuts[-1]]] = rest[cuts[-1] + 1 :] or None
                found = True
        if not found:
            known = ", ".join(f"“{name}”" for name in dict.fromkeys(chain(*theirs)))
            raise ClassMapError(
                f"--class-map {_quoted(text)} names no received class: write THEIRS=OURS, with "
                f"THEIRS one of {known}."
            )
    return stated


def _to_table(
    names: Sequence[str],
    maps: Sequence[dict[str, str | None]],
    stated: Sequence[dict[str, str | None]],
) -> Table:
    table = Table(title="Class map", title_justify="left")
    for heading in ("bundle", "its class", "your class", "because"):
        table.add_column(heading, overflow="fold")
    for bundle, class_map in enumerate(maps):
        for position, (name, own) in enumerate(class_map.items()):
            if name in stated[bundle]:
                reason = "as given"
            elif own is None:
                reason = "no clear match"
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
