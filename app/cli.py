"""The `exchange` command.

Each command imports what it needs when it runs: `exchange --help` is fast. On the base install
`upload`, `distill`, `download` and `verify` work; the others say which extra they need.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from app.client import PortalClient
    from app.core.db import Database
    from app.core.settings import Settings

app = typer.Typer(
    name="exchange",
    help="IADD Exchange: hospitals share what their chest X-rays teach. For research use; not a "
    "medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
admin = typer.Typer(
    help="Organisations and tokens, for the operator of the machine.", no_args_is_help=True
)
app.add_typer(admin, name="admin")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder of the service [default: EXCHANGE_DATA_DIR or exchange-data]."
    ),
]
PortalUrl = Annotated[
    str, typer.Option("--portal", envvar="EXCHANGE_PORTAL_URL", help="Address of the portal.")
]
LOCAL_PORTAL = "http://127.0.0.1:8000"
Wait = Annotated[bool, typer.Option(help="Wait for the end, or leave it to the portal.")]


def main() -> None:
    app()


@app.command()
def up(
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(help="Port of the portal; 0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at; the default is this machine only.")
    ] = "127.0.0.1",
) -> None:
    """Run the whole service on this machine: broker, portal, workers. Ctrl-C stops it."""
    _check_installed("worker", "torch")
    with _needs("worker"):
        from app.embedded import EmbeddedError, run_embedded
    try:
        run_embedded(_settings(data_dir).data_dir, port, host=host)
    except EmbeddedError as error:
        _fail(str(error))


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Archive to distill [default: draws a synthetic cohort]."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the reports.")] = Path(
        "demo-out"
    ),
    preset: Annotated[str, typer.Option(help="Name of the settings.")] = "cpu_demo",
    seed: Annotated[int, typer.Option(help="Of the cohort drawn and of the distillation.")] = 0,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", help="Folder of the service, kept [default: one removed at the end]."
        ),
    ] = None,
) -> None:
    """Upload, distill, download and verify, on a service of its own that ends with it."""
    _check_installed("worker", "torch")
    with _needs("worker"):
        from app.demo import run_demo
    raise typer.Exit(run_demo(data, out, preset, seed, data_dir=data_dir))


@app.command()
def portal(
    host: Annotated[str | None, typer.Option(help="[default: EXCHANGE_HOST or 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="[default: EXCHANGE_PORT or 8000]")] = None,
    fd: Annotated[
        int | None, typer.Option(help="Descriptor of a socket that listens already.")
    ] = None,
) -> None:
    """Serve the REST API. Run `exchange migrate` before."""
    with _needs("portal"):
        import uvicorn

        from app.core.logging import configure_logging
        from app.main import create_app
    settings = _settings(None)
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=host or settings.host,
        port=settings.port if port is None else port,
        fd=fd,
        log_config=None,
        # Event streams would otherwise hold a portal that was told to stop until their job ends.
        timeout_graceful_shutdown=5,
        server_header=False,
    )


@app.command()
def worker(
    queues: Annotated[
        str, typer.Option(help="gpu (teachers, distillation, evaluation), cpu (all else).")
    ] = "cpu,gpu",
    concurrency: Annotated[int, typer.Option(help="Tasks at once; 1 for each GPU.")] = 1,
) -> None:
    """Work on what is queued, until stopped."""
    import os

    _check_installed("worker", "celery", "torch")
    _settings(None)  # to refuse what cannot be used before anything starts
    # Replaces this process: the portal's code never imports the worker's.
    arguments = ["-P", "-m", "worker", "--queues", queues, "--concurrency", str(concurrency)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (our own program)


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date; makes it where there is none."""
    with _database(_settings(data_dir)) as database:
        typer.echo(f"The database is up to date: {database.engine.url.render_as_string()}")


@app.command()
def upload(
    archive: Path,
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset [default: the archive's].")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Id of a dataset that awaits an archive, not a new one.")
    ] = None,
    wait: Wait = True,
    portal: PortalUrl = LOCAL_PORTAL,
) -> None:
    """Upload an archive to a portal. The last line is the dataset's id."""
    from rich.console import Console

    from app import remote

    with _portal_client(portal) as client:
        row = remote.upload(
            client, archive, Console(stderr=True), name=name, dataset_id=dataset, wait=wait
        )
    for class_name, splits in (row.classes or {}).items():
        typer.echo(f"{class_name}: {sum(splits.values())} images")
    typer.echo(row.id)


@app.command()
def distill(
    dataset: str,
    preset: Annotated[str, typer.Option(help="Name of the settings.")],
    images_per_class: Annotated[
        int | None, typer.Option(help="Distilled images per class [default: the preset's].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the distillation.")] = 0,
    wait: Wait = True,
    portal: PortalUrl = LOCAL_PORTAL,
) -> None:
    """Distill a dataset of a portal, by its id. The last line is the distillation's id."""
    from rich.console import Console

    from app import remote

    with _portal_client(portal) as client:
        row = remote.distill(
            client,
            dataset,
            Console(stderr=True),
            preset=preset,
            images_per_class=images_per_class,
            seed=seed,
            wait=wait,
        )
    if row.verdict:
        typer.echo(f"Privacy verdict: {row.verdict.replace('_', ' ')}; the report says why.")
    typer.echo(row.id)


@app.command()
def download(
    distillation: str,
    out: Annotated[Path, typer.Option(help="Folder for the bundle and the reports.")] = Path(),
    portal: PortalUrl = LOCAL_PORTAL,
) -> None:
    """Download the bundle and the reports of a distillation, by its id."""
    from app import remote

    with _portal_client(portal) as client:
        paths = remote.download(client, distillation, out)
    for path in paths:
        typer.echo(path)


@app.command()
def verify(
    bundle: Path,
    trusted_key: Annotated[
        str | None, typer.Option(help="Public key of the signer, as you got it from them.")
    ] = None,
) -> None:
    """Check a bundle, offline. Exit code 0: good, 1: damaged or forged, 2: cannot be read."""
    from app.releases.seal import verify_bundle

    found = verify_bundle(bundle, trusted_key)
    for line in found.lines:
        typer.echo(line, err=found.exit_code != 0)
    raise typer.Exit(found.exit_code)


@admin.command("create-organisation")
def create_organisation(name: str, data_dir: DataDir = None) -> None:
    """Make an organisation."""
    with _needs("portal"):
        from app.core.errors import Problem
        from app.organisations import service
    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable():
        _fail("A name has 1 to 200 printable characters on one line. Nothing was changed.")
    try:
        with _database(_settings(data_dir)) as database, database.transaction() as session:
            organisation = service.create_organisation(session, name)
    except Problem as problem:
        _fail(problem.detail)
    typer.echo(f"Made {name!r}. Next: exchange admin create-token --organisation {name!r}")
    typer.echo(organisation.id)


@admin.command("create-token")
def create_token(
    organisation: Annotated[str, typer.Option(help="Name of the organisation.")],
    role: Annotated[str, typer.Option(help="steward, researcher or admin.")],
    days: Annotated[
        float | None,
        typer.Option(min=0.001, max=3660, help="Days until it expires [default: never]."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a token. It is shown once, alone on the last line."""
    with _needs("portal"):
        from app.core.clock import utc_now
        from app.core.errors import Problem
        from app.core.security import Role
        from app.organisations import service
    roles = [known.value for known in Role]
    if role not in roles:
        _fail(f"There is no role {role!r}; there are {', '.join(roles)}. Nothing was changed.")
    expires_at = None if days is None else utc_now() + timedelta(days=days)
    try:
        with _database(_settings(data_dir)) as database, database.transaction() as session:
            owner = service.find_organisation(session, organisation)
            _, secret = service.create_token(session, owner.id, Role(role), expires_at)
    except Problem as problem:
        _fail(problem.detail)
    until = (
        "does not expire" if expires_at is None else f"expires at {expires_at:%Y-%m-%d %H:%M} UTC"
    )
    typer.echo(f"Token of a {role} of {organisation!r}; it {until} and is not shown again:")
    typer.echo(secret)


@contextmanager
def _portal_client(url: str) -> "Iterator[PortalClient]":
    """A client with the token of the environment: an option would show in lists of processes."""
    import os

    from app.client import PortalClient, PortalError
    from app.remote import RemoteError

    token = os.environ.get("EXCHANGE_TOKEN", "").strip()
    if not token:
        _fail("Set EXCHANGE_TOKEN to your token. The operator of the portal makes one for you.")
    try:
        with PortalClient(url, token) as client:
            yield client
    except (PortalError, RemoteError, OSError) as error:
        _fail(str(error))


def _settings(data_dir: Path | None) -> "Settings":
    from pydantic import ValidationError

    from app.core.settings import Settings

    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"EXCHANGE_{part}: ".upper() for part in first["loc"])
        _fail(f"A setting cannot be used. {where}{first['msg'].removeprefix('Value error, ')}")


@contextmanager
def _database(settings: "Settings") -> "Iterator[Database]":
    """The database of these settings, migrated."""
    with _needs("portal"):
        from app.core.db import Database
        from app.migrations import upgrade
    database = Database(settings.database_url)
    try:
        upgrade(database.engine)
        yield database
    finally:
        database.close()


def _check_installed(extra: str, *modules: str) -> None:
    """Like `_needs`, for what child processes will import: looks, and loads nothing."""
    from importlib.util import find_spec

    with _needs(extra):
        for name in modules:
            if find_spec(name) is None:
                raise ModuleNotFoundError(name=name)


@contextmanager
def _needs(extra: str) -> Iterator[None]:
    """Say which extra is missing, instead of a traceback."""
    try:
        yield
    except ModuleNotFoundError as error:
        _fail(
            f"This command needs {error.name}, which is not installed here. "
            f"Install it with: pip install 'iadd-exchange[{extra}]'"
        )


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    main()
