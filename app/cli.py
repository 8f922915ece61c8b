"""The `exchange` command.

Each command imports what it needs when it runs: `exchange --help` is fast. On the base install
`upload`, `distill`, `download` and `verify` work; the others say which extra they need.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.admin import admin
from app.shell import DataDir, check_installed, fail, load_settings, needs, open_database

if TYPE_CHECKING:
    from app.client import PortalClient

app = typer.Typer(
    name="exchange",
    help="IADD Exchange: hospitals share what their chest X-rays teach. For research use; not a "
    "medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(admin, name="admin")

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
    check_installed("worker", "torch")
    with needs("worker"):
        from app.embedded import EmbeddedError, run_embedded
    try:
        run_embedded(load_settings(data_dir).data_dir, port, host=host)
    except EmbeddedError as error:
        fail(str(error))


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
    check_installed("worker", "torch")
    with needs("worker"):
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
    with needs("portal"):
        import uvicorn

        from app.core.logging import configure_logging
        from app.main import create_app
    settings = load_settings(None)
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

    check_installed("worker", "celery", "torch")
    load_settings(None)  # to refuse what cannot be used before anything starts
    # Replaces this process: the portal's code never imports the worker's.
    arguments = ["-P", "-m", "worker", "--queues", queues, "--concurrency", str(concurrency)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 (our own program)


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date; makes it where there is none."""
    with open_database(load_settings(data_dir)) as database:
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
        str | None,
        typer.Option(
            help="Public key of the signer (ed25519:…) or a file that holds it, as you got it by "
            "another way than the bundle."
        ),
    ] = None,
) -> None:
    """Check a bundle, offline. Exit code 0: good, 1: damaged or forged, 2: cannot be read.

    Without a trusted key the signer stays unknown: whoever made a bundle can write any name.
    """
    from app.releases.seal import verify_bundle

    found = verify_bundle(bundle, trusted_key)
    for line in found.lines:
        typer.echo(line, err=found.exit_code != 0)
    raise typer.Exit(found.exit_code)


@contextmanager
def _portal_client(url: str) -> "Iterator[PortalClient]":
    """A client with the token of the environment: an option would show in lists of processes."""
    import os

    from app.client import PortalClient, PortalError
    from app.remote import RemoteError

    token = os.environ.get("EXCHANGE_TOKEN", "").strip()
    if not token:
        fail("Set EXCHANGE_TOKEN to your token. The operator of the portal makes one for you.")
    try:
        with PortalClient(url, token) as client:
            yield client
    except (PortalError, RemoteError, OSError) as error:
        fail(str(error))


if __name__ == "__main__":
    main()
