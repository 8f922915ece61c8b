"""`exchange rotate-secret`: replace the key that encrypts stored secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from app.cli.commands.service import PANEL
from app.cli.context import DataDir, fail, load_settings, needs, open_database, usable_folder
from app.cli.output import echo

if TYPE_CHECKING:
    from app.core.settings import Settings

commands = typer.Typer()


@commands.command(
    "rotate-secret",
    rich_help_panel=PANEL,
    epilog="Example: exchange rotate-secret --data-dir /srv/exchange",
)
def rotate_secret(data_dir: DataDir = None) -> None:
    """Replace the portal's secret key, and encrypt stored secrets again with the new one.

    Of `exchange up`, stop the service first: the key in the data folder is replaced by a new one.
    Where EXCHANGE_SECRET_KEY is set, set a new one, and the old one as
    EXCHANGE_PREVIOUS_SECRET_KEY; restart every portal; then run this. Interrupted, run it again.
    """
    with needs("portal"):
        from app.core.errors import Problem
        from app.core.vault import Vault
        from app.operations.secret_rotation import reseal_all
    settings = load_settings(data_dir)
    try:
        with _new_key(settings), open_database(settings) as database:
            vault = Vault.of(settings)
            with database.transaction() as session:
                resealed = reseal_all(session, vault)
    except Problem as problem:
        fail(problem.detail)
    echo(f"{resealed} stored secrets are encrypted with the new key.")
    if settings.secret_key.get_secret_value():
        echo("Remove EXCHANGE_PREVIOUS_SECRET_KEY from the settings, and restart every portal.")
    else:
        echo("Start the service as before, and make a new backup: earlier ones hold the old key.")


@contextmanager
def _new_key(settings: "Settings") -> "Iterator[None]":
    """Make the new key where the portal keeps it itself, and forget the old one at the end."""
    from app.core.vault import SECRET_FILE, forget_previous_secret, replace_kept_secret
    from app.standalone.lock import FolderInUseError, folder_lock

    if settings.secret_key.get_secret_value():
        if not settings.previous_secret_key.get_secret_value():
            fail(
                "EXCHANGE_SECRET_KEY is set, and EXCHANGE_PREVIOUS_SECRET_KEY is not. Nothing was "
                "changed. Set EXCHANGE_SECRET_KEY to a new key (openssl rand -base64 48) and "
                "EXCHANGE_PREVIOUS_SECRET_KEY to the one until now, restart every portal, and run "
                "this again."
            )
        yield
        return
    path = settings.data_dir / SECRET_FILE
    if not path.exists():
        fail(
            f"{path} is not there: no portal has run in this folder. Nothing was changed. Name the "
            "folder of the service with --data-dir."
        )
    with usable_folder(settings.data_dir):
        try:
            with folder_lock(settings.data_dir):
                replace_kept_secret(settings.data_dir)
                yield
                forget_previous_secret(settings.data_dir)
        except FolderInUseError as error:
            fail(str(error))
