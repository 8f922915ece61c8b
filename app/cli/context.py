"""CLI context: settings, the database, and errors that end a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from app.core.db import Database
    from app.core.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", help="Folder of the service [default: EXCHANGE_DATA_DIR or exchange-data]."
    ),
]


def load_settings(data_dir: Path | None, **given: object) -> "Settings":
    """Settings of the environment, and those of the command's options that are not None."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from app.core.settings import Settings

    try:
        options = {"data_dir": data_dir, **given}
        values: Any = {name: value for name, value in options.items() if value is not None}
        return Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"EXCHANGE_{part}: ".upper() for part in first["loc"])
        fail(f"A setting cannot be used. {where}{first['msg'].removeprefix('Value error, ')}")
    except SettingsError as error:
        fail(f"A setting cannot be used. {error}")


@contextmanager
def open_database(settings: "Settings") -> "Iterator[Database]":
    """The database of these settings, migrated."""
    with needs("portal"):
        from sqlalchemy.exc import DBAPIError

        from app.core.db import Database
        from app.migrations import SchemaTooNew, upgrade
    with usable_folder(settings.data_dir):
        keep_private(settings)
        database = Database(settings.database_url)
    try:
        try:
            upgrade(database.engine)
        except DBAPIError as error:
            where = database.engine.url.render_as_string()
            fail(
                f"The database {where} cannot be opened: {error.orig}. Nothing was changed. Name "
                "another folder with --data-dir, or another database with EXCHANGE_DATABASE_URL."
            )
        except SchemaTooNew as error:
            fail(str(error))
        yield database
    finally:
        database.close()


@contextmanager
def present_database(settings: "Settings") -> "Iterator[Database]":
    """The database of these settings as it is, if this version can work with its schema."""
    with needs("portal"):
        from sqlalchemy.exc import DBAPIError

        from app.core.db import Database
        from app.migrations import SchemaFit, explain_newer, fit_of, version_of
    with usable_folder(settings.data_dir):
        database = Database(settings.database_url)
    try:
        try:
            fit = fit_of(database.engine)
        except DBAPIError as error:
            where = database.engine.url.render_as_string()
            fail(f"The database {where} cannot be opened: {error.orig}. Nothing was changed.")
        if fit == SchemaFit.NEWER:
            fail(explain_newer(version_of(database.engine)))
        if fit == SchemaFit.OLDER:
            fail(
                "The database does not have the schema of this version yet. Nothing was changed. "
                "Run `exchange migrate` first, after a backup."
            )
        yield database
    finally:
        database.close()


@contextmanager
def usable_folder(data_dir: Path) -> Iterator[None]:
    """Name the data folder and what is wrong with it instead of a traceback."""
    try:
        yield
    except OSError as error:
        fail(
            f"The data folder {data_dir} cannot be used: {error.filename or data_dir}: "
            f"{error.strerror or error}. Nothing was changed. Name another one with --data-dir or "
            "EXCHANGE_DATA_DIR."
        )


def keep_private(settings: "Settings") -> None:
    """Let no other user of this machine read the folder of the service, if data lie in it."""
    from app.core.private import NotPrivateError, private_folder, write_privately

    write_privately()
    urls = (settings.database_url, settings.storage_url)
    if not any(str(settings.data_dir) in url for url in urls):
        return
    try:
        private_folder(settings.data_dir)
    except NotPrivateError as error:
        fail(str(error))


def check_installed(extra: str, *modules: str) -> None:
    """Like `needs`, for modules of child processes: checks without loading them."""
    from importlib.util import find_spec

    with needs(extra):
        for name in modules:
            if find_spec(name) is None:
                raise ModuleNotFoundError(name=name)


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Name the missing extra instead of a traceback."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(
            f"This command needs {error.name}, which is not installed here. "
            f"Install it with: pip install 'iadd-exchange[{extra}]'"
        )


def fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
