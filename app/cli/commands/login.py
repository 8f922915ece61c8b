"""`exchange login` and `logout`: keeps a personal token for commands that use a portal."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import echo, moment
from app.cli.session import PortalUrl, exit_on_error

if TYPE_CHECKING:
    from app.client import PortalClient
    from app.client.signins import SignIn, SignIns

PANEL = "Sign in"

commands = typer.Typer()


@commands.command(
    rich_help_panel=PANEL,
    epilog="Example: exchange login --portal https://exchange.example --email you@hospital.example",
)
def login(
    portal: PortalUrl = None,
    email: Annotated[
        str | None, typer.Option(help="Your address [default: prompts].", show_default=False)
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3650, help="Days until it ends.")] = 90,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this: read, upload, distill, delete, share, request, manage or audit; "
            "repeatable [default: all that you may do].",
            show_default=False,
        ),
    ] = None,
    token_stdin: Annotated[
        bool,
        typer.Option("--token-stdin", help="Read a token that you have, instead of a password."),
    ] = False,
    plain_http: Annotated[
        bool,
        typer.Option("--plain-http", help="Allow plain HTTP: others on the network can read it."),
    ] = False,
) -> None:
    """Sign in to a portal: makes a token of your own and keeps it in your configuration folder.

    It prompts for the password, and for a code where your account asks for one, or reads
    them from a pipe, a line each. Without a password (single sign-on), make a token on the
    portal's pages and use --token-stdin.
    """
    with exit_on_error():
        from app.client.addresses import is_safe
        from app.client.signins import SignIns, find_portal

        url = find_portal(portal)
        if not (is_safe(url) or plain_http):
            raise CommandError(
                f"{url} is not https://: others on the network could read your password. Nothing "
                "was sent. --plain-http allows it.",
                Exit.UNUSABLE,
            )
        store = SignIns()
        replaced = store.get(url)
        if token_stdin:
            sign_in = _with_token(url, _line("a token"))
            store.put(url, sign_in)
        else:
            address = email or str(typer.prompt("Address", err=True))
            sign_in = _with_password(
                store, url, address, _password(), scopes=scope, lasts=timedelta(days=days)
            )
        _forget_at_portal(url, replaced)
    until = "" if sign_in.expires_at is None else f", until {moment(sign_in.expires_at)}"
    echo(f"{sign_in.name} of {sign_in.organisation} is signed in at {url}{until}.")


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange logout")
def logout(
    portal: PortalUrl = None,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Forget the token only here, for a portal that is gone."),
    ] = False,
) -> None:
    """Sign out of a portal: deletes the token there and here."""
    with exit_on_error():
        import os

        from app.client.signins import SignIns, find_portal

        store = SignIns()
        # Without the environment's token: signing out is about what is kept here.
        url = find_portal(portal) if portal else store.latest() or find_portal(portal)
        sign_in = store.get(url)
        if sign_in is None:
            raise CommandError(f"You are not signed in at {url}.", Exit.SIGN_IN)
        if not forget:
            _delete_token(url, sign_in)
        store.remove(url)
        said = f"You are signed out of {url}."
        if sign_in.token_id is None or forget:
            said += " The token stays valid there: delete it on the portal's pages."
        if os.environ.get("EXCHANGE_TOKEN", "").strip():
            said += " EXCHANGE_TOKEN is still set, and commands use that."
    echo(said)


def _with_password(
    store: "SignIns",
    url: str,
    email: str,
    password: str,
    *,
    scopes: list[str] | None,
    lasts: timedelta,
) -> "SignIn":
    """Sign in, make a token and keep it; the session ends with this function."""
    from app.client.signins import SignIn

    with _session(url, email, password) as session:
        me = session.me()
        made = session.tokens.create(
            _token_name(), scopes=scopes, expires_at=datetime.now(UTC) + lasts
        )
        sign_in = SignIn(
            token=made.secret,
            token_id=made.id,
            name=me.name,
            organisation=me.organisation,
            signed_in_at=datetime.now(UTC),
            expires_at=made.expires_at,
        )
        try:
            store.put(url, sign_in)
        except BaseException:
            session.tokens.delete(made.id)  # nobody could use it any more
            raise
    return sign_in


def _session(url: str, email: str, password: str) -> "PortalClient":
    """Sign in, and ask for a code where the account needs one."""
    from app.client import PortalClient, PortalError

    try:
        return PortalClient.with_password(url, email, password)
    except PortalError as error:
        if error.code != "second-factor-needed":
            raise
    return PortalClient.with_password(url, email, password, code=_code())


def _with_token(url: str, token: str) -> "SignIn":
    from pydantic import SecretStr

    from app.client import PortalClient
    from app.client.signins import SignIn

    with PortalClient(url, token) as client:
        me = client.me()
    return SignIn(
        token=SecretStr(token),
        name=me.name,
        organisation=me.organisation,
        signed_in_at=datetime.now(UTC),
    )


def _forget_at_portal(url: str, replaced: "SignIn | None") -> None:
    """Delete the token of an earlier sign-in, which is unused; a failure does no harm."""
    import contextlib

    from app.client import PortalError

    if replaced is not None:
        with contextlib.suppress(PortalError):
            _delete_token(url, replaced)


def _delete_token(url: str, sign_in: "SignIn") -> None:
    """Delete it with itself. Raises PortalError where it may still be valid after that."""
    from app.client import PortalClient, PortalError

    if sign_in.token_id is None:
        return
    with PortalClient(url, sign_in.token.get_secret_value()) as client:
        try:
            client.tokens.delete(sign_in.token_id)
        except PortalError as error:
            # It has expired, or was deleted before.
            if error.status not in (401, 404):
                raise


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, err=True))
    return _line("a password")


def _code() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Code of your authenticator app", err=True)).strip()
    return _line("a code of your authenticator app (as a second line)").strip()


def _line(what: str) -> str:
    """The next line of a pipe."""
    line = sys.stdin.readline(4096).strip("\r\n")
    if not line:
        raise CommandError(
            f"There is no {what.removeprefix('a ')} on the standard input.", Exit.UNUSABLE
        )
    return line


def _token_name() -> str:
    """Name shown on the portal's pages: the machine that keeps it."""
    import platform

    host = "".join(letter for letter in platform.node() if letter.isprintable())
    return f"exchange login on {host or 'a machine'}"[:200]
