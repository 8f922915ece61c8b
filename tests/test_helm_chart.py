"""The Helm chart, rendered by Helm's own library, against Kubernetes' schemas and our settings.

KEDA's two kinds have no schema here: what they name is compared with the queues and the metrics.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from app.core.queue import Queue
from app.core.settings import Settings
from app.operations.metrics import DatabaseMetrics
from worker.settings import WorkerSettings

helm = pytest.importorskip("helm_python", reason="helm-python-sdk renders the chart")
kubernetes = pytest.importorskip("kubernetes_validate", reason="it has the schemas of Kubernetes")

CHART = Path(__file__).parents[1] / "deploy" / "helm"
NEEDED = {
    "secret": {"existingSecret": "exchange"},
    "config": {"publicUrl": "https://exchange.hospital.example"},
}
FULL = {
    "secret": {"existingSecret": "exchange"},
    "config": {
        "publicUrl": "https://exchange.hospital.example",
        "s3": {"endpoint": "http://objects:8333", "allowHttp": True},
        "otlpEndpoint": "http://collector:4318",
        "settings": {"EXCHANGE_RETENTION_DAYS": "90"},
    },
    "imagePullSecrets": [{"name": "registry"}],
    "keda": {"enabled": True, "valkeyAddress": "valkey:6379"},
    "ingress": {"enabled": True, "host": "exchange.hospital.example", "tlsSecret": "tls"},
    "networkPolicy": {"from": [{"podSelector": {}}]},
    "portal": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"operator": "Exists"}]},
}
PLAIN = {**NEEDED, "networkPolicy": {"enabled": False}, "portal": {"replicas": 1}}
KEDAS = ("ScaledObject", "TriggerAuthentication")


def render(values: dict[str, Any]) -> list[dict[str, Any]]:
    files = helm.Chart.load(str(CHART)).render(values, name="prod", namespace="exchange")
    return [
        document
        for name, text in files.items()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document is not None
    ]


def of_kind(kind: str, values: dict[str, Any] = FULL) -> list[dict[str, Any]]:
    return [document for document in render(values) if document["kind"] == kind]


def pods(values: dict[str, Any] = FULL) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Deployment", "Job"):
        for document in of_kind(kind, values):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def names_of(container: dict[str, Any]) -> set[str]:
    return {each["name"] for each in container["env"]}


def test_helm_finds_nothing_wrong_with_it() -> None:
    report = helm.lint(str(CHART), NEEDED, strict=True)

    assert report["errors"] == []
    assert [each for each in report["messages"] if each["severity"] > 1] == []


@pytest.mark.parametrize("release", ["1.29", "1.31", "1.34"])
@pytest.mark.parametrize("values", [NEEDED, FULL, PLAIN], ids=["needed", "full", "plain"])
def test_kubernetes_takes_every_object(values: dict[str, Any], release: str) -> None:
    for document in render(values):
        if document["kind"] not in KEDAS:
            kubernetes.validate(document, release, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    [service] = of_kind("Service")
    service["spec"]["ports"][0]["targtPort"] = 1

    with pytest.raises(kubernetes.ValidationError, match="targtPort"):
        kubernetes.validate(service, "1.31", strict=True)


def test_every_container_is_locked_down() -> None:
    found = dict(pods())
    assert len(found) == 4
    for name, pod in found.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name


def test_each_process_gets_the_secrets_that_it_needs_and_no_map_has_one() -> None:
    keys = {name: names_of(pod["containers"][0]) for name, pod in pods()}
    stores = {"EXCHANGE_DATABASE_URL", "EXCHANGE_BROKER_URL", "AWS_SECRET_ACCESS_KEY"}

    assert keys["prod-iadd-exchange-portal"] >= stores | {"EXCHANGE_SECRET_KEY"}
    for worker in ("cpu", "gpu"):
        names = keys[f"prod-iadd-exchange-worker-{worker}"]
        assert names >= stores
        assert "EXCHANGE_SECRET_KEY" not in names
    assert "EXCHANGE_DATABASE_URL" in keys["prod-iadd-exchange-migrate"]
    [config] = of_kind("ConfigMap")
    assert not any(re.search("KEY|DATABASE|BROKER|SMTP|SECRET", name) for name in config["data"])


def test_the_settings_are_those_of_the_service() -> None:
    known = {
        f"EXCHANGE_{name.upper()}"
        for name in (*Settings.model_fields, *WorkerSettings.model_fields)
    }
    [config] = of_kind("ConfigMap")
    named = set(config["data"]).union(*(names_of(pod["containers"][0]) for _, pod in pods()))

    assert {name for name in named if name.startswith("EXCHANGE_")} <= known
    values = {name[9:].lower(): text for name, text in config["data"].items()}
    settings = {name: text for name, text in values.items() if name in Settings.model_fields}
    assert Settings(_env_file=None, **settings).log_format == "json"
    assert Settings(_env_file=None, **settings).retention_days == 90


def test_workers_are_scaled_by_the_queues_that_they_take_from() -> None:
    described = {family.name for family in DatabaseMetrics().all()}
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind(KEDAS[0])}
    workers = {
        name: set(pod["containers"][0]["command"][-1].split(","))
        for name, pod in pods()
        if "worker" in name
    }
    assert scaled.keys() == workers.keys()
    for name, spec in scaled.items():
        lists = {each["metadata"].get("listName") for each in spec["triggers"]} - {None}
        # A worker of the GPU takes forecasts too (worker/__main__.py).
        expected = workers[name] | ({Queue.FORECAST.value} if "gpu" in workers[name] else set())
        assert lists == expected <= set(Queue)
        for trigger in spec["triggers"]:
            if trigger["type"] == "metrics-api":
                metric, labels = re.fullmatch(
                    r"(\w+)\{(.*)\}", trigger["metadata"]["valueLocation"]
                ).groups()
                assert metric in described
                assert 'state="held"' in labels
        terms = spec["advanced"]["scalingModifiers"]["formula"].split(" + ")
        assert terms == [trigger["name"] for trigger in spec["triggers"]]
    assert all(
        "replicas" not in each["spec"]
        for each in of_kind("Deployment")
        if "worker" in each["metadata"]["name"]
    )
    assert of_kind(KEDAS[0], NEEDED) == []


def test_the_tables_are_migrated_before_anything_else_changes() -> None:
    [job] = of_kind("Job")

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # Nothing of the release is there yet that it could refer to.
    assert "envFrom" not in job["spec"]["template"]["spec"]["containers"][0]


def test_one_portal_has_no_disruption_budget_that_could_block_a_drain() -> None:
    assert len(of_kind("PodDisruptionBudget", NEEDED)) == 1
    assert of_kind("PodDisruptionBudget", PLAIN) == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "existingSecret"),
        ({**NEEDED, "config": {"publicUrl": "exchange.example"}}, "publicUrl"),
        ({**NEEDED, "keda": {"enabled": True}}, "valkeyAddress"),
        ({**NEEDED, "ingress": {"enabled": True}}, "host"),
        ({**NEEDED, "portals": {}}, "portals"),
        (
            {**NEEDED, "config": {**NEEDED["config"], "settings": {"EXCHANGE_SECRET_KEY": "x"}}},
            "EXCHANGE_SECRET_KEY",
        ),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], named: str) -> None:
    chart = helm.Chart.load(str(CHART))

    with pytest.raises(helm.HelmError, match=named):
        chart.validate_schema(values)


def test_the_chart_is_of_the_version_of_the_package() -> None:
    chart = SimpleNamespace(**yaml.safe_load((CHART / "Chart.yaml").read_text()))
    project = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text())["project"]

    assert chart.version == chart.appVersion == project["version"]
