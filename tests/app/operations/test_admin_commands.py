"""`exchange admin workers` and `jobs`: what runs, at the terminal of the machine."""

import json

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.models import DistillationStatus
from tests.fixtures.versions import minors_away


@pytest.fixture
def admin(portal, monkeypatch):
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", portal.services.settings.database_url)
    data_dir = str(portal.services.settings.data_dir)

    def run(*arguments):
        result = CliRunner().invoke(app, ["admin", *arguments, "--data-dir", data_dir])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_workers_are_listed(portal, admin, add_worker):
    assert admin("workers") == "There are none.\n"

    add_worker(queues=["gpu"])

    assert admin("workers") == "node-1:7  gpu  NVIDIA H100  alive  works on nothing\n"
    assert json.loads(admin("workers", "--json"))[0]["host"] == "node-1"


def test_jobs_are_listed_those_that_have_ended_where_asked_for(portal, admin):
    queued = portal.distillation()
    failed = portal.distillation(DistillationStatus.FAILED)

    assert admin("jobs") == f"{queued}  queued  St. Anna\n"
    everything = admin("jobs", "--all")
    assert f"{failed}  failed  St. Anna\n" in everything
    assert "chest" not in everything


def test_a_worker_that_takes_no_work_is_listed_with_what_to_do(admin, add_worker):
    add_worker(version=minors_away(+2))
    state, advice = admin("workers").splitlines()
    assert "too new" in state
    assert "update the portal" in advice
