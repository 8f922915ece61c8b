"""`exchange download` and `verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.exit_codes import CommandError, Exit
from app.cli.output import echo
from app.cli.session import PortalUrl, kind_of, portal_client

if TYPE_CHECKING:
    from app.client import Release

PANEL = "Bundles"

commands = typer.Typer()

TrustedKey = Annotated[
    str | None,
    typer.Option(
        help="Public key of the signer (ed25519:…) or a file that holds it, as you got it by "
        "another way than the bundle."
    ),
]


@commands.command(
    rich_help_panel=PANEL,
    epilog="Example: exchange download rel_0123abcd --trusted-key st-anna.key",
)
def download(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a distillation of yours, or of a release.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for what is downloaded.")] = Path(),
    trusted_key: TrustedKey = None,
    portal: PortalUrl = None,
) -> None:
    """Download a distillation's bundle and reports, or a release's signed bundle; check it.

    An interrupted download continues where it broke off. The last lines are the paths.
    """
    with portal_client(portal) as client:
        from rich.console import Console

        from app.cli import jobs
        from app.signing.verify import verify_bundle

        console = Console(stderr=True)
        if kind_of(identifier, "dl", "rel") == "dl":
            if trusted_key is not None:
                raise CommandError(
                    "A distillation's own bundle is not signed; a release is. Leave --trusted-key "
                    "out, or name a release.",
                    Exit.UNUSABLE,
                )
            paths = jobs.download_results(client, identifier, out, console)
            found = verify_bundle(paths[0])
        else:
            release, path = jobs.download_release(client, identifier, out, console)
            paths = [path]
            found = verify_bundle(path, trusted_key)
            if found.exit_code == 0:
                _expect_key(path, release)
        lines = found.lines if identifier.startswith("rel_") else found.lines[:1]
        for line in lines:
            typer.echo(line, err=True)
    for path in paths:
        echo(str(path))
    raise typer.Exit(found.exit_code)


def _expect_key(path: Path, release: "Release") -> None:
    """Raises CommandError where portal and bundle name different keys: one was tampered with."""
    from app.signing.verify import check

    with path.open("rb") as file:
        signature = check(file).signature
    if signature is None or signature.history.key != release.key.public_key:
        raise CommandError(
            f"{path.name} is not signed with the key that the portal names for this release "
            f"({release.key.fingerprint}). Do not use it, and inform {release.organisation.name}."
        )


@commands.command(
    rich_help_panel=PANEL, epilog="Example: exchange verify bundle.zip --trusted-key st-anna.key"
)
def verify(bundle: Path, trusted_key: TrustedKey = None) -> None:
    """Check a bundle, offline. Exit code 0: good, 1: damaged or forged, 2: cannot be read.

    Without a trusted key the signer stays unknown: a bundle can carry any name.
    """
    from app.signing.verify import verify_bundle

    found = verify_bundle(bundle, trusted_key)
    for line in found.lines:
        typer.echo(line, err=found.exit_code != 0)
    raise typer.Exit(found.exit_code)
