"""Secrets are made once, for whom they are meant, and read from their files."""

import os
import stat

import pytest
from pydantic_settings import SettingsError

from app.core.secret_files import NAMES, PREFIX, SecretFileError, make_secrets
from app.core.settings import Settings


def texts(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_each_is_made_once_and_kept(tmp_path):
    first = make_secrets(tmp_path / "secrets", {}, {})
    made = texts(tmp_path / "secrets")
    second = make_secrets(tmp_path / "secrets", {}, {})

    assert set(first.values()) == {"made"}
    assert set(second.values()) == {"kept"}
    assert set(made) == {f"{PREFIX}{name}" for name in NAMES}
    assert texts(tmp_path / "secrets") == made
    assert len(set(made.values())) == len(NAMES)
    assert all(len(secret) == 64 for secret in made.values())


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_nobody_else_reads_them(tmp_path, umask):
    os.umask(umask)
    make_secrets(tmp_path / "secrets", {}, {"broker_password": os.getgid()})

    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o751
    for path in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o440


@pytest.mark.skipif(os.getuid() != 0, reason="only root is in every group")
def test_a_secret_belongs_to_the_group_of_its_server(tmp_path):
    make_secrets(tmp_path, {}, {"broker_password": 11002})

    assert (tmp_path / "exchange_broker_password").stat().st_gid == 11002
    assert (tmp_path / "exchange_secret_key").stat().st_gid == os.getgid()


def test_a_file_of_ones_own_is_kept_and_a_variable_wins_over_it(tmp_path):
    own = tmp_path / "exchange_broker_password"
    own.write_text("of my own\n")
    kept = make_secrets(tmp_path, {}, {})
    replaced = make_secrets(tmp_path, {"broker_password": "of a variable"}, {})

    assert kept["broker_password"] == "kept"
    assert replaced == dict.fromkeys(NAMES, "kept") | {"broker_password": "replaced"}
    assert own.read_text() == "of a variable"


def test_an_empty_file_or_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "exchange_secret_key").write_text("\n")
    with pytest.raises(SecretFileError, match=r"exchange_secret_key is empty"):
        make_secrets(tmp_path, {}, {})

    (tmp_path / "file").touch()
    with pytest.raises(SecretFileError, match="cannot be used"):
        make_secrets(tmp_path / "file", {}, {})


def test_the_settings_read_them(tmp_path, monkeypatch):
    make_secrets(tmp_path, {"database_password": "p@ss/word", "broker_password": "b"}, {})
    addresses = {"database_url": "postgresql://me@db:5432/x", "broker_url": "redis://valkey:6379/0"}

    settings = Settings(_env_file=None, secrets_dir=tmp_path, **addresses)

    assert settings.database_url == "postgresql://me:p%40ss%2Fword@db:5432/x"
    assert settings.broker_url == "redis://:b@valkey:6379/0"
    assert settings.secret_key.get_secret_value() == texts(tmp_path)["exchange_secret_key"]
    monkeypatch.setenv("EXCHANGE_SECRET_KEY", "v" * 40)
    variable = Settings(_env_file=None, secrets_dir=tmp_path)
    assert variable.secret_key.get_secret_value() == "v" * 40


def test_a_password_in_an_address_wins_and_a_file_needs_none(tmp_path):
    given = {"database_password": "file", "broker_password": "file"}
    addresses = {"database_url": "postgresql://me:own@db/x", "broker_url": "redis+socket:///run/b"}

    settings = Settings(_env_file=None, **addresses, **given)

    assert settings.database_url == "postgresql://me:own@db/x"
    assert settings.broker_url == "redis+socket:///run/b"
    assert Settings(_env_file=None, **given).database_url.startswith("sqlite:///")


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(tmp_path):
    make_secrets(tmp_path, {}, {})
    (tmp_path / "exchange_secret_key").chmod(0)
    with pytest.raises(SettingsError, match="exchange_secret_key cannot be read"):
        Settings(_env_file=None, secrets_dir=tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="EXCHANGE_SECRETS_DIR"):
        Settings(_env_file=None, secrets_dir=tmp_path / "nowhere")
