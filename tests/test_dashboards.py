"""Alerts and dashboards ask for series that the portal has."""

import json
import re
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.models.dataset import DatasetStatus
from app.models.distillation import DistillationStatus

OBSERVE = Path(__file__).parents[1] / "deploy" / "observe"
OF_PROMETHEUS = {"up", "ALERTS"}
WORDS = {
    *("sum", "max", "by", "on", "and", "or", "unless", "time", "rate", "histogram_quantile"),
    *("increase", "le", "status", "queue", "operation", "kind", "problem"),
}


def expressions() -> dict[str, str]:
    rules = yaml.safe_load((OBSERVE / "alerts.yml").read_text())
    alerts = {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}
    board = json.loads((OBSERVE / "grafana/dashboards/exchange.json").read_text())
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }
    return alerts | panels


def test_every_series_and_status_exists(portal):
    portal.uploaded_dataset()
    families = list(text_string_to_metric_families(portal.client.get("/metrics").text))
    known = {sample.name for family in families for sample in family.samples}
    known |= {family.name for family in families} | OF_PROMETHEUS
    statuses = {status.value for status in (*DatasetStatus, *DistillationStatus)}

    for name, expression in expressions().items():
        bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", expression)
        assert set(re.findall(r"[a-zA-Z_]{2,}", bare)) - WORDS <= known, name
        for values in re.findall(r'table="\w+",status[=!~]+"([^"]*)"', expression):
            assert set(values.split("|")) <= statuses, name


def test_every_alert_says_what_happened_and_what_to_do():
    rules = yaml.safe_load((OBSERVE / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]


def test_the_dashboard_finds_its_data_source():
    source = yaml.safe_load((OBSERVE / "grafana/datasources/prometheus.yml").read_text())
    board = (OBSERVE / "grafana/dashboards/exchange.json").read_text()
    (uid,) = set(re.findall(r'"type": "prometheus",\s*"uid": "([^"]*)"', board))
    assert uid == source["datasources"][0]["uid"]
