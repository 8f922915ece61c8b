"""Metrics and alerts are named in the docs as they are in the portal; commands exist."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from app.cli import app
from app.core.metrics import Metrics
from app.core.portal import Portal
from app.operations.metrics import DatabaseMetrics, _of_process
from tests.fixtures.broker import Broker
from tests.fixtures.portal import make_settings

ROOT = Path(__file__).parents[1]
OPERATE = (ROOT / "docs" / "operate.md").read_text()
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
ALERTS = (ROOT / "deploy" / "observe" / "alerts.yml").read_text()
SUFFIX = re.compile(r"_(total|sum|count|bucket)$")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, broker_process: Broker) -> set[str]:
    """Names of all metrics of a portal."""
    portal = Portal.open(make_settings(tmp_path_factory.mktemp("described"), broker_process))
    try:
        ours = {family.name for family in (*_of_process(portal), *DatabaseMetrics().all())}
        requests = {family.name for family in Metrics()._registry.collect()}
    finally:
        portal.close()
    return ours | requests


def named_in(text: str) -> set[str]:
    return {SUFFIX.sub("", name) for name in re.findall(r"\bexchange_[a-z_]+", text)}


def test_the_table_names_every_metric_and_no_other(described: set[str]) -> None:
    table = {SUFFIX.sub("", name) for name in re.findall(r"^\| `(exchange_\w+)`", OPERATE, re.M)}

    assert table == described


def test_runbooks_and_alerts_name_metrics_that_exist(described: set[str]) -> None:
    assert named_in(RUNBOOKS) <= described
    assert named_in(ALERTS) <= described


def test_every_alert_has_its_runbook() -> None:
    groups = yaml.safe_load(ALERTS)["groups"]
    names = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}

    assert names <= set(re.findall(r"^## (\w+)$", RUNBOOKS, re.M))


def test_every_command_of_the_runbooks_exists() -> None:
    commands = set(re.findall(r"`?exchange ((?:admin )?[a-z][a-z-]*)", RUNBOOKS))
    known = get_command(app)

    assert commands >= {"admin status", "admin workers", "doctor", "backup"}
    for command in commands:
        found = known
        for word in command.split():
            found = found.commands.get(word)
            assert found is not None, command
