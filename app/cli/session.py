"""Client session of commands: the portal, the signed-in user, and errors as exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit, leave

if TYPE_CHECKING:
    from app.client import PortalClient, PortalError

PortalUrl = Annotated[
    str | None,
    typer.Option(
        "--portal",
        envvar="EXCHANGE_PORTAL_URL",
        help="Address of the portal [default: the one signed in to last].",
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option(help="Wait for the end, or leave it to the portal.")]
Reason = Annotated[str, typer.Option(help="Why; the other side reads it.", show_default=False)]
Expires = Annotated[
    str | None,
    typer.Option(
        help="Until when, as in 2027-01-31 (UTC) [default: until it is revoked].",
        show_default=False,
    ),
]

LARGEST_TEXT = 1024 * 1024


@contextmanager
def portal_client(portal: str | None) -> Iterator["PortalClient"]:
    """A client of the signed-in user; an error ends the command with a message and code."""
    with exit_on_error():
        from app.client import PortalClient

        with PortalClient.signed_in(portal) as client:
            yield client


@contextmanager
def exit_on_error() -> Iterator[None]:
    from app.cli.jobs import RemoteJobError
    from app.client import AddressError, NotSignedInError, PortalError

    try:
        yield
    except CommandError as stop:
        leave(str(stop), stop.code)
    except RemoteJobError as error:
        reason = error.__cause__
        message = f"{error} {error.advice}".strip()
        leave(message, code_of(reason) if isinstance(reason, PortalError) else Exit.FAILED)
    except NotSignedInError as error:
        leave(str(error), Exit.SIGN_IN)
    except AddressError as error:
        leave(str(error), Exit.UNUSABLE)
    except PortalError as error:
        leave(_message(error), code_of(error))
    except BrokenPipeError:
        raise  # whoever reads the output has enough; typer knows that
    except OSError as error:
        leave(str(error), Exit.FAILED)
    except KeyboardInterrupt as interrupt:
        leave(str(interrupt) or "Interrupted.", Exit.INTERRUPTED)


def code_of(error: "PortalError") -> Exit:
    if error.is_temporary:
        return Exit.LATER
    return {
        401: Exit.SIGN_IN,
        404: Exit.NOT_FOUND,
        409: Exit.NOT_NOW,
        412: Exit.NOT_NOW,
        422: Exit.UNUSABLE,
    }.get(error.status or 0, Exit.FAILED)


def _message(error: "PortalError") -> str:
    if error.code == "unauthenticated":
        return f"{error} Sign in again: exchange login"
    return str(error)


def text_of(given: str | None, file: Path | None, what: str) -> str | None:
    """A text that was given as such or in a file.

    Raises:
        CommandError: Both were given, or the file cannot be read as text.
    """
    if given is not None and file is not None:
        raise CommandError(f"Give the {what} as text or in a file, not both.", Exit.UNUSABLE)
    if file is None:
        return given
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_TEXT + 1)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise CommandError(
            f"{file} cannot be read: {reason}. Nothing was sent.", Exit.UNUSABLE
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None or len(content) > LARGEST_TEXT:
        raise CommandError(
            f"{file} is not a UTF-8 text of at most {LARGEST_TEXT} bytes. Nothing was sent.",
            Exit.UNUSABLE,
        )
    return text


def moment_of(text: str | None) -> datetime | None:
    """A day, which begins at midnight UTC, or a time in RFC 3339. Raises CommandError."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{text!r} is neither a day like 2027-01-31 nor a time like 2027-01-31T12:00:00Z. "
            "Nothing was sent.",
            Exit.UNUSABLE,
        ) from None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def kind_of(identifier: str, *kinds: str) -> str:
    """Kind of an id, by its prefix. Raises CommandError for an unexpected kind."""
    prefix = identifier.partition("_")[0]
    if prefix in kinds and identifier != prefix:
        return prefix
    known = " or ".join(f"{NAMES[kind]} ({kind}_…)" for kind in kinds)
    raise CommandError(f"{identifier!r} is not the id of {known}.", Exit.UNUSABLE)


NAMES = {
    "ds": "a dataset",
    "dl": "a distillation",
    "rel": "a release",
    "req": "a request",
    "gr": "a grant",
    "tr": "a training",
}
"""Kinds of ids by prefix."""
