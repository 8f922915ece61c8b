"""`exchange admin`: commands for the operator of the machine, who needs no account.

Every action is recorded in the log of the organisation that it concerns.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import DataDir, fail, load_settings, needs, open_database
from app.cli.output import AsJson, echo, moment, print_json, print_rows, words

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.core.security import Caller, Role
    from app.core.vault import Vault
    from app.operations.schemas import JobRead, WorkerRead

admin = typer.Typer(
    help="Organisations, people and tokens, for the operator of the machine.",
    no_args_is_help=True,
)

Organisation = Annotated[str, typer.Option(help="Name of the organisation.")]
Days = Annotated[
    float | None,
    typer.Option(min=0.001, max=3660, help="Days until it expires [default: never]."),
]


@admin.command("create-organisation")
def create_organisation(name: str, data_dir: DataDir = None) -> None:
    """Create an organisation with its signing key."""
    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable():
        fail("A name has 1 to 200 printable characters on one line. Nothing was changed.")
    with _opened(data_dir) as (session, vault):
        from app.organisations import service

        organisation = service.create(session, vault, name)
    typer.echo(
        f"Made {name!r}. Next: exchange admin create-user --organisation {name!r} "
        "--email you@example.org --name 'Your Name' --role admin"
    )
    typer.echo(organisation.id)


@admin.command("create-user")
def create_user(
    organisation: Organisation,
    email: Annotated[str, typer.Option(help="Address to sign in with.")],
    name: Annotated[str, typer.Option(help="Name of the person.")],
    role: Annotated[
        list[str], typer.Option(help="steward, researcher, admin, auditor, operator; repeatable.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Create an account. Prompts for the password, or reads one line from a pipe."""
    with needs("portal"):
        from pydantic import ValidationError

        from app.core.errors import Problem
        from app.organisations.service import find_by_name
        from app.users import service
        from app.users.schemas import UserCreate

    roles = [_role(text) for text in role]
    try:
        body = UserCreate(email=email, name=name, roles=roles, password=_read_password())
        password_hash = service.hash_new_password(body.password.get_secret_value(), body.email)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        fail(f"{first['loc'][0]}: {reason}. Nothing was changed.")
    except Problem as problem:
        fail(problem.detail)
    with _opened(data_dir) as (session, _):
        owner = find_by_name(session, organisation)
        user = service.create_by_operator(
            session,
            owner.id,
            email=body.email,
            name=body.name,
            roles=body.roles,
            password_hash=password_hash,
        )
    typer.echo(f"{user.name} can sign in as {user.email}.")
    typer.echo(user.id)


@admin.command("reset-second-factor")
def reset_second_factor(
    organisation: Organisation,
    email: Annotated[str, typer.Option(help="Address of the person who lost the app.")],
    data_dir: DataDir = None,
) -> None:
    """Let a person sign in without a code again."""
    with _opened(data_dir) as (session, _):
        from app.auth.second_factor import service
        from app.organisations.service import find_by_name
        from app.users.repository import UserRepository

        owner = find_by_name(session, organisation)
        user = UserRepository(session).load(_user_id(session, owner.id, email), lock=True)
        service.reset_by_operator(session, user)
    typer.echo(f"Sign-ins of {user.name} ask for no code any more.")


@admin.command("create-token")
def create_token(
    organisation: Organisation,
    role: Annotated[
        str | None,
        typer.Option(help="steward, researcher, admin, auditor or operator; or name a --user."),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="Address of the person whose token it is.")
    ] = None,
    name: Annotated[str, typer.Option(help="Purpose of the token.")] = "",
    days: Days = None,
    data_dir: DataDir = None,
) -> None:
    """Create a token. It is shown once, alone on the last line."""
    if (role is None) == (user is None):
        fail(
            "Name either a --role, for a token of the organisation, or a --user, for one of that "
            "person. Nothing was changed."
        )
    with _opened(data_dir) as (session, _):
        from app.auth.tokens import service
        from app.core.clock import utc_now
        from app.organisations.service import find_by_name

        chosen = None if role is None else _role(role)
        owner = find_by_name(session, organisation)
        expires_at = None if days is None else utc_now() + timedelta(days=days)
        _, secret = service.create_by_operator(
            session,
            owner.id,
            chosen,
            expires_at,
            user_id=None if user is None else _user_id(session, owner.id, user),
            name=name,
        )
    until = (
        "does not expire" if expires_at is None else f"expires at {expires_at:%Y-%m-%d %H:%M} UTC"
    )
    whose = user or f"a {role}"
    typer.echo(f"Token of {whose} of {organisation!r}; it {until} and is not shown again:")
    typer.echo(secret)


@admin.command("status")
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show the whole service on one screen. Exit code 1 if something is broken."""
    with needs("portal"):
        from app.core.portal import Portal
        from app.core.settings import Settings
        from app.operations.status import service_status
    from app.cli.service_screen import screen
    from app.client.models import ServiceStatus

    settings = load_settings(data_dir)
    if settings.broker_url == Settings.model_fields["broker_url"].default:
        settings = settings.model_copy(update=_own_broker(settings.data_dir))
    portal = Portal.open(settings)
    try:
        found = service_status(portal, _operator())
    finally:
        portal.close()
    if as_json:
        print_json(found)
    else:
        for line in screen(ServiceStatus.model_validate(found.model_dump())):
            echo(line)
    raise typer.Exit(1 if found.faults else 0)


@admin.command("workers")
def workers(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List worker processes and their tasks."""
    with _operations(data_dir) as (session, caller):
        from app.operations import service

        found = service.workers(session, caller).items
    print_rows(found, _print_worker, as_json=as_json)


@admin.command("jobs")
def jobs(
    every: Annotated[
        bool, typer.Option("--all", help="Those that have ended too, the last two hundred.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List jobs of all organisations that wait or run, newest first."""
    with _operations(data_dir) as (session, caller):
        from app.operations import service

        found, _ = service.list_jobs(session, caller, active=not every, limit=200)
    print_rows(found, _print_job, as_json=as_json)


def _own_broker(data_dir: Path) -> dict[str, str]:
    """Of `exchange up` on this folder, which has its own; nothing where no such service runs."""
    try:
        from app.standalone.service import broker_url_of
    except ModuleNotFoundError:  # a portal alone, without the extra `service`
        return {}
    url = broker_url_of(data_dir)
    return {} if url is None else {"broker_url": url}


@contextmanager
def _operations(data_dir: DataDir) -> "Iterator[tuple[Session, Caller]]":
    """Read the whole portal as its operator."""
    with open_database(load_settings(data_dir)) as opened, opened.reading() as session:
        yield session, _operator()


def _operator() -> "Caller":
    with needs("portal"):
        from app.core.security import Caller, Role
    return Caller.on_behalf("", Role.OPERATOR, "the operator of the machine")


def _print_worker(worker: "WorkerRead") -> None:
    state = "alive" if worker.alive else f"dead, last seen {moment(worker.seen_at)}"
    if worker.alive and worker.refusal is not None:
        state = worker.refusal.value.replace("_", " ")
    holds = ", ".join(row.id for row in worker.holds) or "nothing"
    memory = "" if worker.memory_bytes is None else f", {worker.memory_bytes / 10**9:.0f} GB"
    queues = ",".join(worker.queues)
    echo(f"{worker.id}  {queues}  {worker.device}{memory}  {state}  works on {holds}")
    if worker.alive and worker.advice is not None:
        echo(worker.advice, indent=2)


def _print_job(job: "JobRead") -> None:
    done = "" if job.progress is None else f" {job.progress.done}/{job.progress.total}"
    problem = "" if job.problem is None else f" ({job.problem})"
    where = "" if job.worker is None else f"  at {job.worker}"
    echo(f"{job.id}  {words(job.status)}{done}{problem}  {job.organisation}{where}")


@admin.command("verify-audit")
def verify_audit(data_dir: DataDir = None) -> None:
    """Check the log of every organisation. Exit code 1 if one was changed."""
    with needs("portal"):
        from app.audit.chain import BrokenChain
        from app.audit.verify import check
        from app.organisations.repository import OrganisationRepository
    broken = 0
    with open_database(load_settings(data_dir)) as opened, opened.reading() as session:
        for organisation_id in OrganisationRepository(session).ids():
            try:
                end = check(session, organisation_id)
            except BrokenChain as error:
                broken += 1
                typer.echo(f"{organisation_id}: the log was changed: {error}", err=True)
            else:
                typer.echo(f"{organisation_id}: {end.number} entries, intact, ends {end.hash}")
    raise typer.Exit(1 if broken else 0)


@contextmanager
def _opened(data_dir: DataDir) -> "Iterator[tuple[Session, Vault]]":
    """One transaction; a problem ends the command with its message and changes nothing."""
    with needs("portal"):
        from app.core.errors import Problem
        from app.core.vault import Vault
    chosen = load_settings(data_dir)
    try:
        with open_database(chosen) as opened, opened.transaction() as session:
            yield session, Vault.of(chosen)
    except Problem as problem:
        fail(problem.detail)


def _read_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _role(text: str) -> "Role":
    from app.core.security import Role

    roles = [known.value for known in Role]
    if text not in roles:
        fail(f"{text!r} is not a role; the roles are {', '.join(roles)}. Nothing was changed.")
    return Role(text)


def _user_id(session: "Session", organisation_id: str, email: str) -> str:
    from app.users.repository import UserRepository

    user = UserRepository(session).find_by_email(email)
    if user is None or user.organisation_id != organisation_id:
        fail(f"The organisation has no person with the address {email}. Nothing was changed.")
    return user.id
