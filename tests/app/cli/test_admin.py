"""`exchange admin`, run as the operator of the machine runs it."""

import os
import pty
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from typer.testing import CliRunner

from app.audit.chain import expect_end, follow
from app.audit.log import Action, entry_dict, record_by_portal
from app.audit.repository import AuditRepository
from app.auth.failures import Source
from app.auth.sessions import service as sessions
from app.auth.sessions.service import SecondFactorNeeded, WrongCredentials
from app.auth.tokens import service as tokens
from app.cli import app
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.core.vault import Vault
from app.models import AuditEntry, AuditHead, Organisation, SecondFactor
from tests.fixtures.clients import PASSWORD

EMAIL = "grey@st-anna.example"
PERSON = ("--organisation", "St. Anna", "--email", EMAIL, "--name", "Dr. Grey")


class Admin:
    """Runs commands on one data folder, and looks into its database."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.runner = CliRunner()

    def __call__(self, *arguments, **options):
        return self.runner.invoke(
            app, ["admin", *arguments, "--data-dir", str(self.data_dir)], **options
        )

    @contextmanager
    def database(self):
        database = Database(Settings(_env_file=None, data_dir=self.data_dir).database_url)
        try:
            yield database
        finally:
            database.close()

    def vault(self):
        return Vault.of(Settings(_env_file=None, data_dir=self.data_dir))

    def signs_in(self, email, password):
        with self.database() as database:
            try:
                return sessions.sign_in(
                    database,
                    self.vault(),
                    email,
                    password,
                    source_for=lambda _: Source.address("127.0.0.1"),
                    lasts=timedelta(hours=1),
                ).user
            except WrongCredentials:
                return None


@pytest.fixture
def admin(tmp_path, monkeypatch, migrated_sqlite):
    for name in [name for name in os.environ if name.startswith("EXCHANGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    admin = Admin(tmp_path / "data")
    # From a fresh folder, which takes as long as all else here: `test_cli.py`.
    admin.data_dir.mkdir()
    shutil.copy(migrated_sqlite, admin.data_dir / "exchange.db")
    assert admin("create-organisation", "St. Anna").exit_code == 0
    return admin


def test_an_account_from_a_piped_password(admin):
    """As a script does it: one line, and no terminal."""
    command = [sys.executable, "-m", "app.cli", "admin", "create-user", *PERSON]
    made = subprocess.run(
        [*command, "--role", "admin", "--role", "steward", "--data-dir", admin.data_dir],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert made.returncode == 0, made.stderr
    assert PASSWORD not in made.stdout + made.stderr
    user = admin.signs_in(EMAIL, PASSWORD)
    assert user.id == made.stdout.splitlines()[-1]
    assert set(user.role_names) == {"admin", "steward"}


def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(admin):
    command = [sys.executable, "-m", "app.cli", "admin", "create-user", *PERSON]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*command, "--role", "steward", "--data-dir", admin.data_dir],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        shown = b""
        for _ in range(2):
            # What is typed before the question is thrown away, as at any password prompt.
            while not shown.endswith(b": "):
                character = os.read(process.stderr.fileno(), 1)
                assert character, shown
                shown += character
            os.write(ours, f"{PASSWORD}\n".encode())
            shown += b"|"
        output, errors = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)

    assert process.returncode == 0, errors
    assert PASSWORD.encode() not in shown + output + errors
    assert admin.signs_in(EMAIL, PASSWORD) is not None


@pytest.mark.parametrize(
    ("password", "arguments", "reason"),
    [
        ("short", ("--role", "steward"), "password: "),
        ("aaaaaaaaaaaaaaaa", ("--role", "steward"), "repeats a few letters"),
        ("", ("--role", "steward"), "password: "),
        (PASSWORD, ("--role", "boss"), "'boss' is not a role"),
        (PASSWORD, ("--role", "steward", "--email", "nobody"), "must be a mail address"),
        (PASSWORD, ("--role", "steward", "--organisation", "St. Ana"), "'St. Anna'"),
    ],
)
def test_an_account_that_cannot_be_is_refused_without_a_traceback(
    admin, password, arguments, reason
):
    refused = admin("create-user", *PERSON, *arguments, input=f"{password}\n")

    assert refused.exit_code == 1
    assert reason in refused.stderr
    assert "Traceback" not in refused.output
    if password:
        assert password not in refused.output


def test_an_address_is_taken_once(admin):
    admin("create-user", *PERSON, "--role", "steward", input=PASSWORD)

    again = admin("create-user", *PERSON, "--role", "admin", input=PASSWORD)

    assert again.exit_code == 1
    assert "already" in again.stderr


def test_who_has_lost_the_app_signs_in_without_a_code_again(admin):
    admin("create-user", *PERSON, "--role", "steward", input=f"{PASSWORD}\n")
    lost = ("reset-second-factor", "--organisation", "St. Anna", "--email", EMAIL)
    refused = admin(*lost)
    assert refused.exit_code == 1
    assert "Nothing was changed" in refused.output
    user = admin.signs_in(EMAIL, PASSWORD)
    with admin.database() as database, database.transaction() as session:
        sealed = admin.vault().seal(b"GEZDGNBVGY3TQOJQ")
        session.add(SecondFactor(user_id=user.id, sealed_secret=sealed, confirmed_at=utc_now()))
    with pytest.raises(SecondFactorNeeded):
        admin.signs_in(EMAIL, PASSWORD)

    done = admin(*lost)

    assert done.exit_code == 0, done.output
    assert admin.signs_in(EMAIL, PASSWORD) is not None
    with admin.database() as database, database.reading() as session:
        last = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "second_factor.removed")
        )
        assert [entry.actor["name"] for entry in last] == ["the operator of the machine"]


def test_a_token_of_a_person(admin):
    admin("create-user", *PERSON, "--role", "steward", input=PASSWORD)

    made = admin("create-token", "--organisation", "St. Anna", "--user", EMAIL)

    with admin.database() as database:
        caller = tokens.authenticate(database, made.stdout.splitlines()[-1])
    assert (caller.name, caller.roles) == ("Dr. Grey", ("steward",))


@pytest.mark.parametrize(
    "arguments", [(), ("--role", "steward", "--user", EMAIL), ("--user", "no@one.example")]
)
def test_a_token_is_of_a_role_or_of_somebody_who_is_there(admin, arguments):
    refused = admin("create-token", "--organisation", "St. Anna", *arguments)

    assert refused.exit_code == 1
    assert "Nothing was changed" in refused.stderr


def test_the_log_tells_what_was_done_on_the_machine(admin):
    admin("create-user", *PERSON, "--role", "steward", input=PASSWORD)
    admin("create-token", "--organisation", "St. Anna", "--role", "steward")

    with admin.database() as database, database.reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.number)).all()

    assert [entry.action for entry in entries] == [
        "organisation.created",
        "key.created",
        "user.created",
        "token.created",
    ]
    assert {entry.actor["name"] for entry in entries} == {"the operator of the machine"}


def test_an_intact_log_is_said_to_be_intact(admin):
    verified = admin("verify-audit")

    assert verified.exit_code == 0
    assert "2 entries, intact" in verified.stdout


@pytest.mark.parametrize(
    "tamper",
    [
        lambda: [update(AuditEntry).where(AuditEntry.number == 1).values(action="x")],
        lambda: [delete(AuditEntry).where(AuditEntry.number == 2)],
        lambda: [delete(AuditEntry).where(AuditEntry.number == 1)],
        lambda: [delete(AuditHead)],
        lambda: [update(AuditHead).values(number=1)],
    ],
)
def test_a_log_that_was_changed_is_found_out(admin, tamper):
    admin("create-organisation", "Elsewhere")
    with admin.database() as database, database.transaction() as session:
        for statement in tamper():
            session.execute(statement)

    verified = admin("verify-audit")

    assert verified.exit_code == 1
    assert "the log was changed" in verified.stderr


def test_a_log_that_was_removed_as_a_whole_is_still_named(admin):
    with admin.database() as database, database.transaction() as session:
        session.execute(delete(AuditEntry))
        session.execute(delete(AuditHead))

    verified = admin("verify-audit")

    assert verified.exit_code == 1
    assert "the log was changed" in verified.stderr


def test_a_log_that_grows_meanwhile_is_intact(database, monkeypatch):
    """The entries and the end are of one moment, on PostgreSQL too."""
    with database.transaction() as session:
        home = Organisation(name="St. Anna")
        session.add(home)
        session.flush()
        record_by_portal(session, home.id, Action.LOG_EXPORTED)

    with database.reading() as session:
        log = AuditRepository(session)
        found = follow(map(entry_dict, log.from_the_start(home.id)))
        with database.transaction() as other:
            record_by_portal(other, home.id, Action.LOG_EXPORTED)
        expect_end(found, log.head(home.id))
