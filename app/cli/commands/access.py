"""`exchange request`, `requests`, `grant`, `return`, `deny`, `accept`, `grants` and `revoke`."""

import hashlib
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import AsJson, echo, moment, print_rows, words
from app.cli.session import Expires, PortalUrl, Reason, kind_of, moment_of, portal_client, text_of

if TYPE_CHECKING:
    from app.client import AccessRequest, Grant, PortalClient
    from app.client.models import Direction

PANEL = "Access"

commands = typer.Typer()

Received = Annotated[bool, typer.Option("--received", help="Only for your releases.")]
Sent = Annotated[bool, typer.Option("--sent", help="Only for others' releases.")]
OfRelease = Annotated[str | None, typer.Option("--release", help="Only for this release.")]
Most = Annotated[int, typer.Option("--most", min=1, help="Show at most so many.")]


@commands.command(
    rich_help_panel=PANEL,
    epilog='Example: exchange request rel_0123abcd --purpose "We train a triage network with it."',
)
def request(
    release: str,
    purpose: Annotated[
        str | None, typer.Option(help="Purpose of the use, in sentences.", show_default=False)
    ] = None,
    purpose_file: Annotated[Path | None, typer.Option(help="A file with the purpose.")] = None,
    portal: PortalUrl = None,
) -> None:
    """Request access to a release. After a return, the same command sends it again.

    The request is in your account's name. The last line is the request's id.
    """
    with portal_client(portal) as client:
        text = text_of(purpose, purpose_file, "purpose")
        if text is None:
            raise CommandError(
                "Say what for: --purpose TEXT or --purpose-file FILE.", Exit.UNUSABLE
            )
        access = client.releases.get(release).access
        if access.state == "returned" and access.request_id is not None:
            row = client.requests.change(access.request_id, text)
        else:
            row = client.requests.ask(release, text)
    echo(f"Requested {row.release_title} from {row.owner.name}, as {row.requester}.")
    echo(row.id)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange requests --received --open")
def requests(
    received: Received = False,
    sent: Sent = False,
    only_open: Annotated[bool, typer.Option("--open", help="Not decided yet.")] = False,
    release: OfRelease = None,
    most: Most = 50,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """Requests for your releases, and yours for others', newest first."""
    with portal_client(portal) as client:
        direction = _direction(received, sent)
        rows = client.requests.list(direction=direction, release_id=release)
        wanted = (row for row in rows if not only_open or row.status in ("requested", "returned"))
        found = list(islice(wanted, most))
        mine = client.me().organisation_id
    print_rows(found, lambda row: print_request(row, mine=mine), as_json=as_json)


@commands.command(
    rich_help_panel=PANEL, epilog="Example: exchange grant req_0123abcd --expires 2027-01-31"
)
def grant(
    identifier: Annotated[
        str,
        typer.Argument(metavar="ID", help="Id of a request; or of a release, with --to."),
    ],
    to: Annotated[
        str | None, typer.Option(help="An organisation without a request, by id or name.")
    ] = None,
    expires: Expires = None,
    portal: PortalUrl = None,
) -> None:
    """Grant a request, or grant an organisation access directly. The last line is its id."""
    with portal_client(portal) as client:
        until = moment_of(expires)
        if kind_of(identifier, "req", "rel") == "req":
            if to is not None:
                raise CommandError(
                    "--to goes with a release; a request names its organisation.", Exit.UNUSABLE
                )
            row = client.requests.grant(identifier, expires_at=until)
            who, title, grant_id = row.organisation.name, row.release_title, row.grant_id
        else:
            if to is None:
                raise CommandError("Name the recipient: --to ORGANISATION.", Exit.UNUSABLE)
            made = client.grants.give(identifier, organisation_id(client, to), expires_at=until)
            who, title, grant_id = made.organisation.name, made.release_title, made.id
    echo(f"{who} may download {title} once it has accepted the terms.")
    echo(grant_id or identifier)


@commands.command(
    "return",
    rich_help_panel=PANEL,
    epilog='Example: exchange return req_0123abcd --reason "Say which network you mean."',
)
def send_back(request: str, reason: Reason, portal: PortalUrl = None) -> None:
    """Return a request with a reason, to be changed and sent again."""
    with portal_client(portal) as client:
        row = client.requests.send_back(request, reason)
    echo(f"Returned to {row.requester} of {row.organisation.name}.")
    echo(row.id)


@commands.command(
    rich_help_panel=PANEL,
    epilog='Example: exchange deny req_0123abcd --reason "Not for this purpose."',
)
def deny(request: str, reason: Reason, portal: PortalUrl = None) -> None:
    """Deny a request, with a reason."""
    with portal_client(portal) as client:
        row = client.requests.deny(request, reason)
    echo(f"Denied to {row.requester} of {row.organisation.name}.")
    echo(row.id)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange accept rel_0123abcd")
def accept(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a grant, or of the release that was granted.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept the terms that are shown, without a question.")
    ] = False,
    portal: PortalUrl = None,
) -> None:
    """Read the terms of what was granted, and accept them in your own name.

    The last line is the grant's id.
    """
    with portal_client(portal) as client:
        grant_id, release_id = _granted(client, identifier)
        release = client.releases.get(release_id)
        digest = hashlib.sha256(release.terms.text.encode()).hexdigest()
        if digest != release.terms.sha256:
            raise CommandError(
                "The terms that the portal sent are not those whose hash it names. Nothing was "
                f"accepted. Tell {release.organisation.name}."
            )
        me = client.me()
        echo(release.terms.text)
        echo()
        question = f"Do you, {me.name}, accept these terms for {me.organisation}?"
        if not yes and not typer.confirm(question, err=True):
            raise CommandError("Nothing was accepted.")
        # Of the text that was shown: the portal refuses where its own is another by now.
        row = client.grants.accept(grant_id, digest)
    if row.acceptance is not None:
        echo(f"Accepted by {row.acceptance.name} on {moment(row.acceptance.accepted_at)}.")
    echo(f"Next: exchange download {row.release_id}")
    echo(row.id)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange grants --received")
def grants(
    received: Received = False,
    sent: Sent = False,
    release: OfRelease = None,
    most: Most = 50,
    as_json: AsJson = False,
    portal: PortalUrl = None,
) -> None:
    """List grants of your releases, and your grants of others', newest first."""
    with portal_client(portal) as client:
        direction = _direction(received, sent)
        rows = client.grants.list(direction=direction, release_id=release)
        found = list(islice(rows, most))
        mine = client.me().organisation_id
    print_rows(found, lambda row: print_grant(row, mine=mine), as_json=as_json)


@commands.command(
    rich_help_panel=PANEL,
    epilog='Example: exchange revoke gr_0123abcd --reason "The study has ended."',
)
def revoke(grant: str, reason: Reason, portal: PortalUrl = None) -> None:
    """End an organisation's access to a release, with a reason."""
    with portal_client(portal) as client:
        row = client.grants.revoke(grant, reason)
    echo(f"{row.organisation.name} can no longer download {row.release_title}.")
    echo(row.id)


def print_request(row: "AccessRequest", *, mine: str) -> None:
    """A request, and what can be done about it."""
    if row.owner.id == mine:
        echo(f"{row.id}  {row.organisation.name} asks for {row.release_title}: {words(row.status)}")
        mail = f" <{row.requester_email}>" if row.requester_email else ""
        echo(f"{row.requester}{mail}, {moment(row.created_at)}", indent=2)
        echo(row.purpose, indent=2)
        if row.status == "requested":
            echo(f"exchange grant, return or deny {row.id}", indent=2)
    else:
        echo(f"{row.id}  {row.release_title} of {row.owner.name}: {words(row.status)}")
        if row.status == "returned":
            echo(f'exchange request {row.release_id} --purpose "…"', indent=2)
    if row.reason:
        echo(f"The reason: {row.reason}", indent=2)


def print_grant(row: "Grant", *, mine: str) -> None:
    """A grant, and whether its terms were accepted."""
    whom = row.organisation.name if row.owner.id == mine else f"you, by {row.owner.name}"
    echo(f"{row.id}  {row.release_title} for {whom}: {_state(row)}")
    if row.reason:
        echo(f"The reason: {row.reason}", indent=2)


def waits_for_terms(row: "Grant") -> bool:
    return row.revoked_at is None and not _has_expired(row) and row.acceptance is None


def _has_expired(row: "Grant") -> bool:
    return row.expires_at is not None and row.expires_at <= datetime.now(UTC)


def _state(row: "Grant") -> str:
    if row.revoked_at is not None:
        return f"revoked on {moment(row.revoked_at)}"
    until = "" if row.expires_at is None else f" until {moment(row.expires_at)}"
    if row.expires_at is not None and _has_expired(row):
        return f"expired on {moment(row.expires_at)}"
    if row.acceptance is None:
        return f"granted{until}, its terms are not accepted yet"
    return f"granted{until}, terms accepted by {row.acceptance.name}"


def organisation_id(client: "PortalClient", named: str) -> str:
    """Id of an organisation given by id or name. Raises CommandError."""
    if named == "mine":
        return named
    found = [row for row in client.organisations.list() if named in (row.id, row.name)]
    if len(found) != 1:
        raise CommandError(
            f"There is no organisation {named!r} here."
            if not found
            else f"Several organisations are called {named!r}: name one by its id.",
            Exit.NOT_FOUND if not found else Exit.UNUSABLE,
        )
    return found[0].id


def _direction(received: bool, sent: bool) -> "Direction | None":
    if received == sent:
        return None
    return "received" if received else "sent"


def _granted(client: "PortalClient", identifier: str) -> tuple[str, str]:
    """The grant and its release, whichever of them was named. Raises CommandError."""
    if kind_of(identifier, "gr", "rel") == "gr":
        return identifier, client.grants.get(identifier).release_id
    access = client.releases.get(identifier).access
    if access.grant_id is None:
        raise CommandError(
            f"There is nothing to accept: your organisation's access is {words(access.state)}.",
            Exit.NOT_NOW,
        )
    return access.grant_id, identifier
