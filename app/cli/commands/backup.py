"""`exchange backup`, `restore` and `doctor`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from app.cli.commands.service import PANEL
from app.cli.context import DataDir, fail, keep_private, load_settings, needs, usable_folder
from app.cli.output import echo

Folder = Annotated[Path, typer.Argument(help="Folder of the backup.")]

commands = typer.Typer()


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange backup /mnt/backup/exchange")
def backup(
    folder: Folder,
    check: Annotated[
        bool, typer.Option("--check", help="Compare a backup with its hashes, and make none.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Copy database, objects and secret key to a folder, while the service runs.

    Into the folder of an earlier backup only what is new is copied, and what was deleted goes. Keep
    it as safe as the service itself: it holds the X-rays, and the key of the signing keys.
    """
    with needs("portal"):
        from app.backups.backup import back_up, check_files
        from app.backups.manifest import BackupError, Manifest
        from app.core.db import Database
        from app.core.storage import Storage, StorageError
    try:
        if check:
            manifest = Manifest.read(folder)
            check_files(folder, manifest, on_progress=_listener())
            echo(f"{folder} is whole, made {manifest.made_at} by version {manifest.version}.")
            return
        settings = load_settings(data_dir)
        # Not migrated: a backup before an update is of what is there.
        database, storage = Database(settings.database_url), Storage.of(settings)
        try:
            manifest = back_up(settings, database, storage, folder, on_progress=_listener())
        finally:
            database.close()
    except BackupError as error:
        fail(str(error))
    except (OSError, StorageError) as error:
        fail(f"The backup ended halfway and is none: {error}. Run the same command again.")
    echo(
        f"{len(manifest.objects)} objects and the database of {manifest.made_at} are in {folder}, "
        f"{manifest.size / 1e6:,.0f} MB."
    )
    if not any(name.endswith("secret.key") for name in manifest.files):
        echo("EXCHANGE_SECRET_KEY is set, and not in the backup: keep it elsewhere.")
    if manifest.missing:
        echo(f"{len(manifest.missing)} objects that rows name were not in the store.")


@commands.command(
    rich_help_panel=PANEL,
    epilog="Example: exchange restore /mnt/backup/exchange --data-dir /srv/exchange",
)
def restore(folder: Folder, data_dir: DataDir = None) -> None:
    """Put a backup into an empty place, under this version or a newer one than made it.

    Every file is compared with its hash before, and every organisation's log checked afterwards.
    Exit code 1 if a log is not intact.
    """
    with needs("portal"):
        from app.backups.manifest import BackupError
        from app.backups.restore import restore as put_back
        from app.core.storage import Storage, StorageError
    settings = load_settings(data_dir)
    with usable_folder(settings.data_dir):
        keep_private(settings)
    try:
        restored = put_back(settings, Storage.of(settings), folder, on_progress=_listener())
    except BackupError as error:
        fail(str(error))
    except (OSError, StorageError) as error:
        fail(f"The backup was not restored: {error}. Empty the new place, and run this again.")
    for organisation, reason in restored.broken.items():
        echo(f"{organisation}: its log was changed before the backup: {reason}")
    echo(
        f"Restored the portal of {restored.manifest.made_at}: {len(restored.manifest.objects)} "
        f"objects, {restored.chains} intact logs. Start it as before."
    )
    raise typer.Exit(1 if restored.broken else 0)


@commands.command(rich_help_panel=PANEL, epilog="Example: exchange doctor --mend")
def doctor(
    mend: Annotated[
        bool, typer.Option("--mend", help="Do what is safe: modes, and objects of no row.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Look the service over: discs, modes, schema, versions, logs, stored objects.

    Exit code 1 if something is left that needs a person.
    """
    with needs("portal"):
        from app.backups.doctor import examine
        from app.core.db import Database
        from app.core.storage import Storage
    settings = load_settings(data_dir)
    database, storage = Database(settings.database_url), Storage.of(settings)
    left = 0
    try:
        for finding in examine(settings, database, storage):
            echo(f"{finding.code}: {finding.text}")
            if mend and finding.mend is not None:
                echo(finding.mend(), indent=2)
            else:
                left += 1
    finally:
        database.close()
    echo("Nothing is left to do." if not left else f"Findings left: {left}.")
    raise typer.Exit(1 if left else 0)


def _listener() -> Callable[[str, int, int], None]:
    """Show counts on a terminal, in one line; nothing elsewhere."""

    def listen(what: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == of else ""
            typer.echo(f"\r{what}: {done:,} of {of:,}{end}", nl=False, err=True)

    return listen
