"""`exchange secrets` and `exchange migrate --invite`, as a composition runs them."""

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.core.secret_files import NAMES


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE_DATA_DIR", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_secrets_are_made_by_name_and_never_printed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE_BROKER_PASSWORD", "of my own")
    done = run("secrets", tmp_path / "secrets")

    assert done.exit_code == 0
    assert done.output.split("\n")[:-1] == [f"exchange_{name}: made" for name in NAMES]
    for path in (tmp_path / "secrets").iterdir():
        assert path.read_text() not in done.output
    assert (tmp_path / "secrets" / "exchange_broker_password").read_text() == "of my own"


@pytest.mark.parametrize("group", ["broker_password", "nothing=1", "broker_password=staff"])
def test_a_group_that_is_none_is_refused_before_anything_is_made(run, tmp_path, group):
    done = run("secrets", tmp_path / "secrets", "--group", group)

    assert done.exit_code == 1
    assert "is not NAME=GID" in done.output
    assert not (tmp_path / "secrets").exists()


def test_a_secret_that_no_portal_would_take_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE_SECRET_KEY", "short")
    done = run("secrets", tmp_path / "secrets")

    assert done.exit_code == 1
    assert "EXCHANGE_SECRET_KEY needs at least 32" in done.output
    assert not (tmp_path / "secrets").exists()


def test_the_first_link_is_printed_once(run):
    first, second = run("migrate", "--invite"), run("migrate", "--invite")

    assert first.output.count("/join#") == 1
    assert "/join#" not in second.output
    assert second.exit_code == 0
