"""The compose file, read by the real `docker compose`, against the settings of the service."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.settings import Settings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]
COMPOSE = Path(sysconfig.get_path("scripts")) / "docker-compose"
SECRETS = {
    "POSTGRES_PASSWORD": "p" * 32,
    "VALKEY_PASSWORD": "v" * 32,
    "S3_ACCESS_KEY": "a" * 32,
    "S3_SECRET_KEY": "s" * 32,
    "EXCHANGE_SECRET_KEY": "e" * 32,
}
OURS = {"portal", "migrate", "worker-cpu", "worker-gpu"}


def run_config(
    environment: dict[str, str], *overrides: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    empty = folder / "empty.env"  # a developer's own .env must not decide a test
    empty.touch()
    files = [option for name in overrides for option in ("--file", str(ROOT / name))]
    return subprocess.run(
        [
            *(str(COMPOSE), "--env-file", str(empty), "--project-directory", str(ROOT)),
            *("--file", str(ROOT / "docker-compose.yml"), *files, "config"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def load(*overrides: str, folder: Path) -> dict[str, Any]:
    run = run_config(SECRETS, *overrides, folder=folder)
    assert run.returncode == 0, run.stderr
    assert "warn" not in run.stderr.lower()
    config: dict[str, Any] = yaml.safe_load(run.stdout)
    return config


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load(folder=tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module")
def services(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = config["services"]
    return found


def test_the_parts_of_the_service(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == OURS | {"postgres", "valkey", "objects"}


@pytest.mark.parametrize("missing", SECRETS)
def test_it_refuses_to_start_without_a_secret(missing: str, tmp_path: Path) -> None:
    for secrets in (
        {name: value for name, value in SECRETS.items() if name != missing},
        {**SECRETS, missing: ""},
    ):
        run = run_config(secrets, folder=tmp_path)
        assert run.returncode != 0
        assert f"{missing} is missing a value" in run.stderr


def test_the_example_names_every_secret_and_sets_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    set_here = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set_here == dict.fromkeys(SECRETS, "")


def test_every_setting_is_one_that_the_service_knows(services: dict[str, dict[str, Any]]) -> None:
    portal = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
    worker = portal | {f"EXCHANGE_{name.upper()}" for name in WorkerSettings.model_fields}
    for name in OURS:
        known = worker if name.startswith("worker") else portal
        used = {key for key in services[name]["environment"] if key.startswith("EXCHANGE_")}
        assert used
        assert used <= known, name


def test_the_settings_are_accepted(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OURS:
        with monkeypatch.context() as patch:
            for key, value in services[name]["environment"].items():
                patch.setenv(key, str(value))
            settings = Settings(_env_file=None)
            WorkerSettings(_env_file=None)
        assert settings.database_url.startswith("postgresql+psycopg://exchange:pppp")
        assert settings.broker_url == f"redis://:{'v' * 32}@valkey:6379/0"
        assert settings.storage_url == "s3://exchange/"


def test_the_portal_alone_can_be_reached_and_from_this_machine_alone(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"portal"}
    (port,) = published["portal"]
    assert (port["host_ip"], port["target"]) == ("127.0.0.1", 8000)


def test_nothing_else_has_a_way_out(
    config: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert config["networks"]["inside"]["internal"] is True
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"portal"}
    assert "-master.telemetry=false" in services["objects"]["command"]


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].rpartition(":")
        assert re.match(r"\d+\.\d+", tag), name
    bases = re.findall(r"^ARG PYTHON=(\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    assert all(re.search(r":\d+\.\d+\.\d+", base) for base in bases)
    assert len(bases) == 1


def test_our_processes_are_nobody_and_write_nowhere(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged", False), name
    for name in OURS:
        assert services[name]["user"] == "10001:10001"
        assert services[name]["read_only"] is True


def test_what_must_last_lies_in_named_volumes(
    config: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    for name, target in (
        ("postgres", "/var/lib/postgresql/data"),
        ("valkey", "/data"),
        ("objects", "/data"),
    ):
        (volume,) = services[name]["volumes"]
        assert (volume["type"], volume["source"], volume["target"]) == ("volume", name, target)
        assert name in config["volumes"]


def test_everything_that_runs_on_says_whether_it_is_well(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {name for name, service in services.items() if "healthcheck" not in service} == {
        "migrate"
    }


def test_the_tables_are_there_before_anybody_asks(services: dict[str, dict[str, Any]]) -> None:
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"
    for name in OURS - {"migrate"}:
        conditions = {key: need["condition"] for key, need in services[name]["depends_on"].items()}
        assert conditions == {
            "migrate": "service_completed_successfully",
            "valkey": "service_healthy",
            "objects": "service_healthy",
        }


def test_two_images_and_the_portals_has_no_torch(services: dict[str, dict[str, Any]]) -> None:
    targets = {name: services[name]["build"]["target"] for name in OURS - {"migrate"}}
    assert targets == {"portal": "portal", "worker-cpu": "worker", "worker-gpu": "worker"}
    assert services["worker-cpu"]["image"] == services["worker-gpu"]["image"]
    assert services["migrate"]["image"] == services["portal"]["image"]
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    portal = dockerfile[dockerfile.index("AS portal") : dockerfile.index("AS worker")]
    assert "/requirements/portal.txt" in portal
    assert "worker.txt" not in portal
    assert "\ntorch==" not in (ROOT / "requirements/portal.txt").read_text()
    assert "\ntorch==" in (ROOT / "requirements/worker.txt").read_text()


def test_each_queue_has_its_worker(services: dict[str, dict[str, Any]]) -> None:
    for queue in ("cpu", "gpu"):
        assert services[f"worker-{queue}"]["command"] == ["exchange", "worker", "--queues", queue]


def test_the_gpu_is_reserved_and_can_be_done_without(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"]) == ("nvidia", 1)
    assert services["worker-gpu"]["environment"]["EXCHANGE_DEVICE"] == "cuda"
    without = load("deploy/compose.cpu.yml", folder=tmp_path)["services"]
    assert without["worker-gpu"]["environment"]["EXCHANGE_DEVICE"] == "cpu"
    assert "devices" not in str(without["worker-gpu"].get("deploy"))
    assert set(without) == set(services)


def test_the_build_sees_the_source_alone() -> None:
    """What the images copy is let in, and nothing else: no data, no .env, no history."""
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (ROOT / "deploy/Dockerfile").read_text(), re.M
    )
    assert {name for names in copied for name in names.split()} == let_in
    assert all((ROOT / name).exists() for name in let_in)


def test_no_process_can_take_the_whole_machine(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert int(service["mem_limit"]) >= 2**30, name
        assert 0 < service["pids_limit"] <= 4096, name
        for mount in service.get("tmpfs", []):
            assert "size=" in mount, name
