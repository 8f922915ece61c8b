"""The `exchange` command, run as an operator runs it."""

import os
import subprocess
import sys
import time

import httpx
import pytest
from typer.testing import CliRunner

from app.auth.tokens import service
from app.cli import app
from app.core.db import Database
from app.core.security import Role
from app.core.settings import Settings

EXCHANGE = [sys.executable, "-m", "app.cli"]


@pytest.fixture
def exchange(tmp_path, monkeypatch):
    """Run a command in this process; `.data_dir` is where it stores things."""
    for name in [name for name in os.environ if name.startswith("EXCHANGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments):
        return runner.invoke(app, arguments)

    run.data_dir = tmp_path / "data"
    return run


def make_organisation(exchange, name="St. Anna"):
    return exchange("admin", "create-organisation", name, "--data-dir", str(exchange.data_dir))


def make_token(exchange, *arguments):
    data_dir = ("--data-dir", str(exchange.data_dir))
    return exchange("admin", "create-token", *arguments, *data_dir)


def caller(exchange, secret):
    database = Database(Settings(_env_file=None, data_dir=exchange.data_dir).database_url)
    try:
        return service.authenticate(database, secret)
    finally:
        database.close()


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_a_token_from_a_fresh_data_folder(exchange, role):
    assert make_organisation(exchange).exit_code == 0
    made = make_token(exchange, "--organisation", "St. Anna", "--role", role)

    assert made.exit_code == 0
    secret = made.stdout.splitlines()[-1]
    assert secret.startswith("iadd_")
    assert caller(exchange, secret).roles == (role,)


def test_a_token_may_expire(exchange):
    make_organisation(exchange)

    made = make_token(exchange, "--organisation", "St. Anna", "--role", "steward", "--days", "2")

    assert "expires at 20" in made.stdout


def test_an_organisation_is_made_once(exchange):
    make_organisation(exchange)

    again = make_organisation(exchange)

    assert again.exit_code == 1
    assert "exists already" in again.stderr


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 201])
def test_a_name_that_cannot_be(exchange, name):
    refused = make_organisation(exchange, name)

    assert refused.exit_code == 1
    assert "1 to 200" in refused.stderr


def test_an_unknown_organisation_is_told_the_known_ones(exchange):
    make_organisation(exchange)

    refused = make_token(exchange, "--organisation", "St. Ana", "--role", "steward")

    assert refused.exit_code == 1
    assert "'St. Anna'" in refused.stderr


def test_an_unknown_role_is_told_the_known_ones(exchange):
    make_organisation(exchange)

    refused = make_token(exchange, "--organisation", "St. Anna", "--role", "boss")

    assert refused.exit_code == 1
    assert "steward, researcher, admin" in refused.stderr


def test_migrating_twice_is_migrating_once(exchange):
    data_dir = ("--data-dir", str(exchange.data_dir))

    assert exchange("migrate", *data_dir).exit_code == 0
    assert exchange("migrate", *data_dir).exit_code == 0
    assert (exchange.data_dir / "exchange.db").is_file()


def test_a_setting_that_cannot_be_used_is_named(exchange, monkeypatch):
    monkeypatch.setenv("EXCHANGE_PORT", "many")

    refused = exchange("migrate")

    assert refused.exit_code == 1
    assert "EXCHANGE_PORT" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_settings_that_do_not_go_together_stop_a_worker_before_it_starts(exchange, monkeypatch):
    monkeypatch.setenv("EXCHANGE_HEARTBEAT_SECONDS", "15")

    refused = exchange("worker")

    assert refused.exit_code == 1
    assert "EXCHANGE_HEARTBEAT_SECONDS must be at most half" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_password_in_the_database_url_is_not_printed(exchange, both_urls, monkeypatch):
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", both_urls.replace("exchange@", "exchange:hush@"))

    done = exchange("migrate")

    assert done.exit_code == 0, done.stderr
    assert "hush" not in done.stdout


def test_verify_tells_by_its_exit_code(exchange, tmp_path):
    (tmp_path / "no.zip").write_bytes(b"no zip at all")

    assert exchange("verify", str(tmp_path / "no.zip")).exit_code == 2
    assert exchange("verify", str(tmp_path / "nothing")).exit_code == 2


def test_help_needs_nothing_but_the_base_install():
    """Without the parts of portal and worker the help works, and says what is missing."""
    program = (
        "import sys\n"
        "for name in ('sqlalchemy', 'fastapi', 'uvicorn', 'celery', 'torch', 'obstore'):\n"
        "    sys.modules[name] = None\n"
        "from app.cli import main\n"
        "sys.argv = ['exchange', *sys.argv[1:]]\n"
        "main()\n"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
        )

    for command in ((), ("up",), ("admin",), ("verify",), ("upload",), ("distill",)):
        shown = run(*command, "--help")
        assert shown.returncode == 0, shown.stderr
        assert "Usage" in shown.stdout
    for command, extra in ((["migrate"], "portal"), (["portal"], "portal"), (["worker"], "worker")):
        refused = run(*command)
        assert refused.returncode == 1
        assert f"pip install 'iadd-exchange[{extra}]'" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_the_portal_serves_and_stops(exchange, broker, tmp_path):
    """As `exchange up` runs it: a socket that listens already, stopped by SIGTERM."""
    import socket

    make_organisation(exchange)
    secret = make_token(
        exchange, "--organisation", "St. Anna", "--role", "admin"
    ).stdout.splitlines()[-1]
    environment = {
        **os.environ,
        "EXCHANGE_DATA_DIR": str(exchange.data_dir),
        "EXCHANGE_BROKER_URL": broker.url,
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        log = (tmp_path / "portal.log").open("w+")
        portal = subprocess.Popen(
            [*EXCHANGE, "portal", "--fd", str(listener.fileno())],
            env=environment,
            pass_fds=[listener.fileno()],
            stderr=log,
        )
        try:
            # Until the portal accepts, the connection waits in the socket's queue.
            ready = httpx.get(f"{url}/readyz", timeout=30)
            listed = httpx.get(
                f"{url}/api/v1/datasets", headers={"Authorization": f"Bearer {secret}"}
            )
        finally:
            portal.terminate()
            began = time.monotonic()
            code = portal.wait(timeout=20)
    log.seek(0)
    text = log.read()
    log.close()

    assert ready.status_code == 200, text
    assert listed.json() == {"items": [], "next_cursor": None}
    assert time.monotonic() - began < 10
    assert code in (0, -15)
    assert "Traceback" not in text
    assert secret not in text
