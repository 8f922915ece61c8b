"""The service on one screen: for the operator at the machine, and for one who is signed in."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from app.cli import app
from app.core.clock import utc_now
from app.core.security import Caller, Role
from app.maintenance.drain import drain
from app.models import Distillation, DistillationStatus
from app.operations.status import service_status


@pytest.fixture
def at_the_machine(portal, monkeypatch):
    settings = portal.services.settings
    monkeypatch.setenv("EXCHANGE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("EXCHANGE_BROKER_URL", settings.broker_url)

    def run(*arguments):
        command = ["admin", "status", *arguments, "--data-dir", str(settings.data_dir)]
        return CliRunner().invoke(app, command)

    return run


@pytest.fixture
def signed_in(portal, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("EXCHANGE_PORTAL_URL", str(portal.client.base_url))

    def run(member, *arguments):
        monkeypatch.setenv("EXCHANGE_TOKEN", member.token)
        return CliRunner().invoke(app, ["status", *arguments])

    return run


@pytest.fixture
def busy(portal, add_worker):
    """A distillation that a worker is at, one that waits, and one that failed."""
    worker = add_worker("exchange-worker-gpu-7c9d8f6b5d-x2x4q", queues=["gpu", "forecast"])
    add_worker("node-2", queues=["cpu"], seen_at=utc_now() - timedelta(minutes=3))
    held = portal.distillation(DistillationStatus.DISTILLING)
    portal.claim(held, owner=f"{worker}:0a1b2c3d")
    with portal.database.transaction() as session:
        row = session.get_one(Distillation, held)
        row.phases = {"distilling": {"done": 120, "total": 500, "unit": "iterations"}}
        row.eta_seconds = 400.0
    portal.distillation(DistillationStatus.EVALUATING)
    problem = {
        "type": "urn:iadd-exchange:problem:out-of-memory",
        "title": "The worker ran out of memory",
        "detail": "class COVID",
    }
    portal.advance(portal.distillation(), DistillationStatus.FAILED, problem=problem)
    return held


def lines_of(result):
    assert max(map(len, result.stdout.splitlines())) <= 80, result.stdout
    return result.stdout


def test_all_that_matters_stands_on_a_screen_of_80_columns(at_the_machine, busy):
    result = at_the_machine()

    shown = lines_of(result)
    assert result.exit_code == 0, shown
    assert "database ok, broker ok, objects ok, disc ok" in shown
    assert busy in shown
    assert "distilling 120/500  about 7 min left" in shown
    assert "gone for 3 min" in shown
    assert "1 worker " in shown
    assert "1 x  distillation  out-of-memory" in shown
    assert shown.endswith("Everything works.\n")
    for word in ("COVID", "chest"):
        assert word not in shown


def test_work_that_nobody_takes_is_a_fault(portal, at_the_machine, busy):
    portal.uploaded_dataset()

    result = at_the_machine()

    assert result.exit_code == 1
    assert "BROKEN: Work waits in the queue cpu, and no worker takes from it." in (result.stdout)


def test_a_drained_service_says_so_and_what_waits_is_no_fault(portal, at_the_machine, busy):
    portal.uploaded_dataset()
    with portal.database.transaction() as session:
        drain(session)

    result = at_the_machine()

    assert result.exit_code == 0, lines_of(result)
    assert "Drained for" in result.stdout
    assert "`exchange drain --undo`" in result.stdout


def test_work_that_waits_too_long_is_a_fault(portal, at_the_machine, busy):
    with portal.database.transaction() as session:
        session.execute(
            update(Distillation)
            .where(Distillation.status == DistillationStatus.EVALUATING)
            .values(updated_at=utc_now() - timedelta(minutes=20))
        )

    result = at_the_machine()

    assert result.exit_code == 1
    assert "BROKEN: The oldest work in the queue gpu has waited for 20 minutes." in result.stdout


def test_a_broker_that_is_away_is_a_fault_and_hides_nothing(at_the_machine, busy, monkeypatch):
    monkeypatch.setenv("EXCHANGE_BROKER_URL", "redis+socket:///nowhere/broker.sock")

    result = at_the_machine()

    shown = lines_of(result)
    assert result.exit_code == 1
    assert "broker FAILS" in shown
    assert busy in shown
    assert "BROKEN: The broker does not answer" in shown


def test_a_database_that_was_never_migrated_is_a_fault(tmp_path, broker, monkeypatch):
    monkeypatch.setenv("EXCHANGE_BROKER_URL", broker.url)

    result = CliRunner().invoke(app, ["admin", "status", "--data-dir", str(tmp_path / "new")])

    assert result.exit_code == 1
    assert "database FAILS, broker ok" in result.stdout
    assert "BROKEN: The database does not answer" in result.stdout


def test_programs_read_it_as_json(at_the_machine, busy):
    document = json.loads(at_the_machine("--json").stdout)

    assert [job["id"] for job in document["jobs"]][-1] == busy
    assert document["faults"] == []


def test_an_operator_who_is_signed_in_sees_the_same_and_others_see_none_of_it(
    portal, operator, signed_in, busy
):
    result = signed_in(operator)
    assert result.exit_code == 0, result.output
    assert "database ok" in result.stdout
    assert busy in result.stdout

    portal.uploaded_dataset()
    assert signed_in(operator).exit_code == 1
    assert json.loads(signed_in(operator, "--json").stdout)["service"]["faults"]

    others = signed_in(portal.admin)
    assert others.exit_code == 0, others.output
    assert "database ok" not in others.stdout
    assert portal.admin.get("/operations/status").status_code == 403


def test_either_database_shows_it(either_portal):
    portal = either_portal
    portal.distillation(DistillationStatus.FAILED)

    found = service_status(portal.services, Caller.on_behalf("", Role.OPERATOR, "ops"))

    assert [check.works for check in found.checks] == [True] * 4
    assert [(each.kind, each.count) for each in found.failures] == [("distillation", 1)]
