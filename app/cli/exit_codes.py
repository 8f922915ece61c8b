"""Exit codes of the commands, for scripts."""

from enum import IntEnum
from typing import NoReturn

import typer


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    UNUSABLE = 2
    SIGN_IN = 3
    NOT_FOUND = 4
    NOT_NOW = 5
    LATER = 6
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done",
    Exit.FAILED: "failed or refused",
    Exit.UNUSABLE: "what was given cannot be used or read",
    Exit.SIGN_IN: "sign in first; of prepare: answer its questions first",
    Exit.NOT_FOUND: "no such thing",
    Exit.NOT_NOW: "not possible in its present state",
    Exit.LATER: "no answer, try again later",
    Exit.INTERRUPTED: "interrupted",
}
"""The one place where they are explained; `exchange --help` shows it."""

HELP = "Exit codes: " + ", ".join(f"{code.value} {said}" for code, said in MEANINGS.items()) + "."


class CommandError(RuntimeError):
    """A command cannot continue. The message is for the person at the terminal."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def leave(message: str, code: Exit) -> NoReturn:
    """End the command with a last word."""
    from app.cli.output import clean

    typer.echo(clean(message), err=True)
    raise typer.Exit(code)
