"""The compose file, read by the real `docker compose`, against the settings of the service."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.secret_files import NAMES, PREFIX
from app.core.settings import Settings
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[1]
COMPOSE = Path(sysconfig.get_path("scripts")) / "docker-compose"
PORTALS = {"secrets", "migrate", "portal"}
WORKERS = {"worker-cpu", "worker-without-gpu", "worker-gpu"}
OURS = PORTALS | WORKERS
STORES = {"postgres", "valkey", "objects"}
ONE_SHOTS = {"secrets", "migrate"}
OBSERVE = {"prometheus", "grafana"}


def read(
    folder: Path, *profiles: str, file: str = "docker-compose.yml", **variables: str
) -> dict[str, Any]:
    """The composition as it is started with nothing but these variables."""
    empty = folder / "empty.env"  # a developer's own .env must not decide a test
    empty.touch()
    chosen = [option for name in profiles for option in ("--profile", name)]
    run = subprocess.run(
        [
            *(str(COMPOSE), "--env-file", str(empty), "--project-directory", str(ROOT)),
            *("--file", str(ROOT / file), *chosen, "config"),
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "warn" not in run.stderr.lower()
    config: dict[str, Any] = yaml.safe_load(run.stdout)
    return config


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return read(tmp_path_factory.mktemp("compose"), "*")


@pytest.fixture(scope="module")
def services(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = config["services"]
    return found


def test_without_any_variable_or_edit_the_whole_service_starts(tmp_path: Path) -> None:
    assert set(read(tmp_path)["services"]) == (OURS - {"worker-gpu"}) | STORES | {"proxy"}


def test_a_hub_is_the_same_without_workers_and_broker(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    hub = read(tmp_path, file="docker-compose.hub.yml")["services"]
    assert set(hub) == PORTALS | (STORES - {"valkey"}) | {"proxy"}
    for name, service in hub.items():
        theirs = dict(services[name])
        if name in ("migrate", "portal"):
            assert service["environment"].pop("EXCHANGE_ROLE") == "hub"
        if name == "portal":
            assert set(service.pop("depends_on")) == {"migrate", "objects"}
            del theirs["depends_on"]
        assert service == theirs, name


def test_a_profile_adds_a_gpu_the_dashboards_or_a_catcher_of_mails(
    services: dict[str, dict[str, Any]],
) -> None:
    profiles = {
        name: service["profiles"] for name, service in services.items() if "profiles" in service
    }
    assert profiles == {
        "worker-gpu": ["gpu"],
        "prometheus": ["observe"],
        "grafana": ["observe"],
        "mail": ["mail"],
    }


def test_no_secret_is_in_the_environment_of_what_keeps_running(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    own = dict.fromkeys(
        ("POSTGRES_PASSWORD", "VALKEY_PASSWORD", "S3_SECRET_KEY", "EXCHANGE_SECRET_KEY"), "h" * 32
    )
    with_own = read(tmp_path, "*", **own)["services"]
    for name, service in with_own.items():
        assert (name == "secrets") == ("h" * 32 in str(service)), name
    assert services["secrets"]["network_mode"] == "none"


def test_the_one_shot_makes_each_secret_for_the_group_that_reads_it(
    services: dict[str, dict[str, Any]],
) -> None:
    words = services["secrets"]["command"]
    groups = dict(word.removeprefix("--group=").split("=") for word in words[3:])
    assert words[:3] == ["exchange", "secrets", "/run/secrets"]
    assert set(groups) <= set(NAMES)
    readers = {"postgres": "database_password", "valkey": "broker_password"}
    readers |= {"objects": "storage_secret_key", "grafana": "dashboards_password"}
    for name, secret in readers.items():
        assert services[name]["group_add"] == [groups[secret]]
        assert f"/run/secrets/{PREFIX}{secret}" in str(services[name])
    for name in OURS:
        assert set(services[name]["group_add"]) == {"10001", *groups.values()}
    variables = {f"{PREFIX}{name}".upper() for name in NAMES}
    assert set(services["secrets"]["environment"]) == variables


def test_the_secrets_are_read_and_never_written_by_others(
    services: dict[str, dict[str, Any]],
) -> None:
    for name, service in services.items():
        mounts = {mount["target"]: mount for mount in service.get("volumes", [])}
        if "/run/secrets" in mounts:
            assert mounts["/run/secrets"].get("read_only", False) == (name != "secrets"), name
        if name in STORES:
            assert service["depends_on"]["secrets"]["condition"] == "service_completed_successfully"


def test_a_folder_of_ones_own_takes_the_place_of_the_volume(tmp_path: Path) -> None:
    portal = read(tmp_path, EXCHANGE_SECRETS="/etc/exchange/secrets")["services"]["portal"]
    (mount,) = [one for one in portal["volumes"] if one["target"] == "/run/secrets"]
    assert (mount["type"], mount["source"]) == ("bind", "/etc/exchange/secrets")


def test_the_example_sets_nothing_and_names_what_can_be_set() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
    named = {found[1] for line in lines if (found := re.match(r"#([A-Z0-9_]+)=", line))}
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    rare = {"EXCHANGE_VERSION", "EXCHANGE_TRUSTED_PROXIES", "GRAFANA_PORT", "MAIL_PORT"}
    assert named == used - rare


def test_every_setting_is_one_that_the_service_knows(services: dict[str, dict[str, Any]]) -> None:
    portal = {f"EXCHANGE_{name.upper()}" for name in Settings.model_fields}
    worker = portal | {f"EXCHANGE_{name.upper()}" for name in WorkerSettings.model_fields}
    for name in OURS - {"secrets"}:
        known = worker if name in WORKERS else portal
        used = {key for key in services[name]["environment"] if key.startswith("EXCHANGE_")}
        assert used
        assert used <= known, name


def test_the_settings_are_accepted_with_the_secrets_of_files(
    services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = {name: str(number) * 32 for number, name in enumerate(NAMES)}
    for name, secret in made.items():
        (tmp_path / f"{PREFIX}{name}").write_text(f"{secret}\n")
    for name in OURS - {"secrets"}:
        with monkeypatch.context() as patch:
            for key, value in services[name]["environment"].items():
                patch.setenv(key, str(value))
            patch.setenv("EXCHANGE_SECRETS_DIR", str(tmp_path))
            settings = Settings(_env_file=None)
            WorkerSettings(_env_file=None)
        database, broker = made["database_password"], made["broker_password"]
        assert settings.database_url == (
            f"postgresql+psycopg://exchange:{database}@postgres:5432/exchange"
        )
        assert settings.broker_url == f"redis://:{broker}@valkey:6379/0"
        assert settings.storage_url == "s3://exchange/"
        assert settings.secret_key.get_secret_value() == made["secret_key"]
        assert settings.storage_secret_key.get_secret_value() == made["storage_secret_key"]


def test_links_begin_with_the_name_and_port_of_the_proxy(tmp_path: Path) -> None:
    def public_url(**variables: str) -> str:
        portal = read(tmp_path, **variables)["services"]["portal"]
        return str(portal["environment"]["EXCHANGE_PUBLIC_URL"])

    assert public_url() == "https://localhost"
    assert public_url(EXCHANGE_DOMAIN="x.example") == "https://x.example"
    assert public_url(EXCHANGE_HTTPS_PORT="8443") == "https://localhost:8443"


def test_the_proxy_alone_is_reached_from_other_machines(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {
        name: [(port.get("host_ip"), port["target"]) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    assert published == {
        "proxy": [(None, 443), (None, 80)],
        "grafana": [("127.0.0.1", 3000)],
        "mail": [("127.0.0.1", 8025)],
    }


def test_nothing_else_has_a_way_out(
    config: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    assert config["networks"]["inside"]["internal"] is True
    outside = {
        name for name, service in services.items() if "outside" in service.get("networks", {})
    }
    assert outside == {"portal", "proxy", "grafana", "mail"}
    assert set(services["proxy"]["networks"]) == {"outside"}
    assert "-master.telemetry=false" in services["objects"]["command"]


def test_the_door_buffers_nothing_and_keeps_the_metrics_in() -> None:
    door = (ROOT / "deploy/proxy/Caddyfile").read_text()
    assert "flush_interval -1" in door
    assert "respond /metrics 404" in door
    assert not re.search(r"request_buffers|max_size|trusted_proxies", door)


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        _, _, tag = service["image"].rpartition(":")
        assert re.match(r"v?\d+\.\d+", tag), name
    bases = re.findall(r"^ARG PYTHON=(\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    assert all(re.search(r":\d+\.\d+\.\d+", base) for base in bases)
    assert len(bases) == 1


def test_every_process_is_nobody_and_writes_where_it_is_named(
    services: dict[str, dict[str, Any]],
) -> None:
    own_user = {"grafana", "prometheus"}  # their images name one that is not root
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert not service.get("privileged", False), name
        assert (service.get("user", "root") not in ("root", "0", "0:0")) == (name not in own_user)
    for name in OURS:
        assert services[name]["user"] == "10001:10001"


def test_what_must_last_lies_in_named_volumes(
    config: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    for name, target in (
        ("postgres", "/var/lib/postgresql/data"),
        ("valkey", "/data"),
        ("objects", "/data"),
    ):
        (volume,) = [mount for mount in services[name]["volumes"] if mount["target"] == target]
        assert (volume["type"], volume["source"]) == ("volume", name)
        assert name in config["volumes"]


def test_everything_that_runs_on_says_whether_it_is_well(
    services: dict[str, dict[str, Any]],
) -> None:
    silent = {name for name, service in services.items() if "healthcheck" not in service}
    assert silent == ONE_SHOTS
    for name in WORKERS:
        assert services[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "worker.liveness"]
        assert services[name]["environment"]["EXCHANGE_LIVENESS_DIR"] == "/tmp/liveness"


def test_the_tables_are_there_before_anybody_asks(services: dict[str, dict[str, Any]]) -> None:
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert services["migrate"]["command"] == ["exchange", "migrate", "--invite"]
    for name in ONE_SHOTS:
        assert services[name]["restart"] == "no"
    for name in OURS - ONE_SHOTS:
        conditions = {key: need["condition"] for key, need in services[name]["depends_on"].items()}
        assert conditions == {
            "migrate": "service_completed_successfully",
            "valkey": "service_healthy",
            "objects": "service_healthy",
        }


def test_two_images_that_compose_builds_and_the_portals_has_no_torch(
    services: dict[str, dict[str, Any]],
) -> None:
    """Each service of ours says how its image is built: none is looked for in a registry."""
    for name in OURS:
        target = "worker" if name in WORKERS else "portal"
        assert services[name]["build"]["target"] == target
        assert services[name]["image"].startswith(f"iadd-exchange/{target}:")
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    portal = dockerfile[dockerfile.index("AS portal") : dockerfile.index("AS worker")]
    assert "/requirements/portal.txt" in portal
    assert "worker.txt" not in portal
    assert "\ntorch==" not in (ROOT / "requirements/portal.txt").read_text()
    assert "\ntorch==" in (ROOT / "requirements/worker.txt").read_text()


def test_each_queue_has_its_worker_and_the_gpus_has_a_stand_in(
    services: dict[str, dict[str, Any]],
) -> None:
    queues = {name: services[name]["command"][-1] for name in WORKERS}
    assert queues == {"worker-cpu": "cpu", "worker-without-gpu": "gpu", "worker-gpu": "gpu"}
    devices = {name: services[name]["environment"]["EXCHANGE_DEVICE"] for name in WORKERS}
    assert devices == {"worker-cpu": "cpu", "worker-without-gpu": "cpu", "worker-gpu": "cuda"}
    stand_ins = {name for name in WORKERS if "EXCHANGE_STAND_IN" in services[name]["environment"]}
    assert stand_ins == {"worker-without-gpu"}
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"]) == ("nvidia", 1)


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
        assert int(service["mem_limit"]) >= 2**28, name
        assert 0 < service["pids_limit"] <= 4096, name
        for mount in service.get("tmpfs", []):
            assert "size=" in mount, name
