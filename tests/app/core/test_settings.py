"""Settings from the environment; the defaults are those of one machine."""

import pytest
from pydantic import ValidationError

from app.core.settings import Settings


def test_everything_lies_in_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EXCHANGE_DATA_DIR", str(tmp_path))

    settings = Settings(_env_file=None)

    assert settings.database_url == f"sqlite:///{tmp_path}/exchange.db"
    assert settings.storage_url == f"file://{tmp_path}/objects"


def test_a_relative_folder_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert Settings(_env_file=None, data_dir="here").data_dir == tmp_path / "here"


def test_a_cluster_names_its_servers(monkeypatch):
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", "postgresql://db/exchange")
    monkeypatch.setenv("EXCHANGE_STORAGE_URL", "s3://bucket")

    settings = Settings(_env_file=None)

    assert settings.database_url == "postgresql://db/exchange"
    assert settings.storage_url == "s3://bucket"


def test_a_file_beside_the_process_is_read(tmp_path):
    (tmp_path / ".env").write_text("EXCHANGE_PORT=1234\nEXCHANGE_UNKNOWN=1\n")

    assert Settings(_env_file=tmp_path / ".env").port == 1234


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70000},
        {"lease_seconds": 0},
        {"heartbeat_seconds": 15},
        {"max_archive_bytes": 0},
        {"log_level": "loud"},
    ],
)
def test_what_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **wrong)


def test_the_refusal_repeats_no_password():
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, database_url="postgresql://me:hush@db/x", heartbeat_seconds=15)

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"port": "9000", "host": "0.0.0.0"}, "http://127.0.0.1:9000"),
        ({"port": 9000, "host": "::1"}, "http://[::1]:9000"),
        ({"port": 9000, "host": "exchange.local"}, "http://exchange.local:9000"),
        ({"port": 0}, "http://127.0.0.1:8000"),
        ({"port": 9000, "public_url": "https://a.example"}, "https://a.example"),
    ],
)
def test_links_lead_to_where_the_portal_listens(given, url):
    assert Settings(_env_file=None, **given).public_url == url
