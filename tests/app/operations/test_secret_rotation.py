"""The secret key is replaced, and every stored secret opens with the new one alone."""

import ast
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from app.cli import app
from app.core.db import Database
from app.core.settings import Settings
from app.core.vault import (
    PREVIOUS_SECRET_FILE,
    SECRET_FILE,
    Vault,
    WrongSecretKey,
    replace_kept_secret,
)
from app.models import Notification, OrganisationKey, Webhook
from app.models.notification import MailStatus
from app.operations.secret_rotation import reseal_all, sealed_columns
from app.organisations import service as organisations
from app.standalone.lock import folder_lock

APP = Path(__file__).parents[3] / "app"
NEW = "the new one, which is random and long"


def stored_secrets(database):
    """Every sealed value of the database."""
    with database.reading() as session:
        return [
            sealed
            for column in sealed_columns()
            for sealed in session.scalars(select(column).where(column.is_not(None)))
        ]


def opened_by(vault, database):
    return sorted(vault.open(sealed) for sealed in stored_secrets(database))


def test_every_kind_of_stored_secret_is_sealed_again(either_portal):
    portal = either_portal
    old = portal.services.vault
    hook = {"url": "https://receiver.example/", "events": ["access.requested"]}
    secret = portal.admin.post("/webhooks", json=hook).json()["secret"]
    renewed = portal.admin.post("/webhooks/" + _only(portal, Webhook).id + "/secret", json={})
    with portal.database.transaction() as session:
        session.add(
            Notification(
                email="grey@st-anna.example",
                kind="invitation",
                title="Join",
                text="Join",
                mail_status=MailStatus.PENDING,
                sealed_link=old.seal(b"https://portal.example/#secret"),
            )
        )
    before = opened_by(old, portal.database)

    with portal.database.transaction() as session:
        count = reseal_all(session, Vault(NEW, previous=_secret_of(portal)))

    assert opened_by(Vault(NEW), portal.database) == before
    # Both organisations' keys, the webhook's two secrets, the link.
    assert count == len(before) == 5
    assert {secret.encode(), renewed.json()["secret"].encode()} <= set(before)
    for sealed in stored_secrets(portal.database):
        with pytest.raises(WrongSecretKey):
            old.open(sealed)


def test_where_one_value_does_not_open_none_is_changed(either_portal):
    portal = either_portal
    with portal.database.transaction() as session:
        keys = session.scalars(select(OrganisationKey).order_by(OrganisationKey.id)).all()
        keys[-1].sealed_private_key = Vault("of another portal, long enough too").seal(b"key")
    before = stored_secrets(portal.database)

    with pytest.raises(WrongSecretKey), portal.database.transaction() as session:
        reseal_all(session, Vault(NEW, previous=_secret_of(portal)))

    assert stored_secrets(portal.database) == before


def test_what_a_vault_seals_for_the_database_lies_in_columns_that_rotation_finds():
    """A value that is sealed elsewhere would be lost with the old key."""
    found = set()
    for path in APP.rglob("*.py"):
        tree = ast.parse(path.read_text())
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            # With a purpose it is a cookie.
            if not (isinstance(call.func, ast.Attribute) and call.func.attr == "seal"):
                continue
            if len(call.args) == 1:
                found.add(_name_given_to(parents[call], path))
    assert found == {column.name for column in sealed_columns()} - {"sealed_old_secret"}


@pytest.fixture
def rotate(tmp_path, monkeypatch, migrated_sqlite):
    """Runs the command on a data folder in which a portal has run."""
    for name in ("EXCHANGE_SECRET_KEY", "EXCHANGE_PREVIOUS_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    shutil.copy(migrated_sqlite, folder / "exchange.db")
    database = Database(Settings(_env_file=None, data_dir=folder).database_url)
    with database.transaction() as session:
        organisations.create(session, vault_of(folder), "St. Anna")

    def run(**environment):
        return CliRunner().invoke(
            app, ["rotate-secret", "--data-dir", str(folder)], env=environment
        )

    run.folder, run.database = folder, database
    yield run
    database.close()


def vault_of(folder, **changes):
    return Vault.of(Settings(_env_file=None, data_dir=folder, **changes))


def test_the_key_in_the_data_folder_is_replaced(rotate):
    old, before = (
        (rotate.folder / SECRET_FILE).read_text(),
        opened_by(vault_of(rotate.folder), rotate.database),
    )

    result = rotate()

    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "1 stored secrets are encrypted with the new key.",
    )
    path = rotate.folder / SECRET_FILE
    assert path.read_text() != old
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in rotate.folder.glob("secret*")] == [SECRET_FILE]
    assert opened_by(vault_of(rotate.folder), rotate.database) == before
    with pytest.raises(WrongSecretKey):
        opened_by(Vault(old), rotate.database)


@pytest.mark.parametrize("cut", ["before the new key", "before the database", "after it"])
def test_cut_off_anywhere_everything_opens_and_the_next_run_ends_it(rotate, cut):
    before = opened_by(vault_of(rotate.folder), rotate.database)
    path, previous = rotate.folder / SECRET_FILE, rotate.folder / PREVIOUS_SECRET_FILE
    if cut == "before the new key":
        shutil.copy(path, previous)
    else:
        replace_kept_secret(rotate.folder)
    if cut == "after it":
        with rotate.database.transaction() as session:
            reseal_all(session, vault_of(rotate.folder))
    old, new = previous.read_text(), path.read_text()
    assert opened_by(vault_of(rotate.folder), rotate.database) == before

    assert rotate().exit_code == 0

    assert opened_by(vault_of(rotate.folder), rotate.database) == before
    assert not previous.exists()
    assert path.read_text() != old
    # A key that something may be encrypted with already is not replaced by a third one.
    assert (path.read_text() == new) == (cut != "before the new key")


def test_a_service_that_runs_keeps_its_key(rotate, monkeypatch):
    monkeypatch.setattr("app.standalone.lock.LOCK_SECONDS", 0.05)
    secret = (rotate.folder / SECRET_FILE).read_text()

    with folder_lock(rotate.folder):
        result = rotate()

    assert result.exit_code == 1
    assert "in use by another IADD Exchange" in result.stderr
    assert (rotate.folder / SECRET_FILE).read_text() == secret


def test_a_key_of_the_settings_is_replaced_in_two_steps(rotate):
    old = (rotate.folder / SECRET_FILE).read_text()
    before = opened_by(Vault(old), rotate.database)

    alone = rotate(EXCHANGE_SECRET_KEY=NEW)
    done = rotate(EXCHANGE_SECRET_KEY=NEW, EXCHANGE_PREVIOUS_SECRET_KEY=old)

    assert alone.exit_code == 1
    assert "EXCHANGE_PREVIOUS_SECRET_KEY" in alone.stderr
    assert done.exit_code == 0, done.output
    assert "Remove EXCHANGE_PREVIOUS_SECRET_KEY" in done.stdout
    assert opened_by(Vault(NEW), rotate.database) == before
    assert NEW not in done.output + alone.output
    assert old not in done.output + alone.output


def test_a_wrong_previous_key_changes_nothing(rotate):
    before = stored_secrets(rotate.database)

    result = rotate(EXCHANGE_SECRET_KEY=NEW, EXCHANGE_PREVIOUS_SECRET_KEY="w" * 40)

    assert result.exit_code == 1
    assert "Nothing was changed" in result.stderr
    assert stored_secrets(rotate.database) == before


def test_a_folder_without_a_portal_is_told(rotate):
    (rotate.folder / SECRET_FILE).unlink()

    result = rotate()

    assert result.exit_code == 1
    assert "no portal has run in this folder" in result.stderr
    assert not (rotate.folder / SECRET_FILE).exists()


def _only(portal, model):
    with portal.database.reading() as session:
        return session.scalars(select(model)).one()


def _secret_of(portal):
    settings = portal.services.settings
    return settings.secret_key.get_secret_value() or (settings.data_dir / SECRET_FILE).read_text()


def _name_given_to(parent, path):
    if isinstance(parent, ast.keyword):
        return parent.arg
    if isinstance(parent, ast.Assign):
        (target,) = parent.targets
        if isinstance(target, ast.Attribute):
            return target.attr
    return f"{path}:{parent.lineno}"
