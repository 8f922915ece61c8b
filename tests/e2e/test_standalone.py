"""`exchange up`: what it starts it keeps running, stops, and never leaves behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.core.settings import PortalRole
from app.standalone.service import EmbeddedService
from tests.fixtures.service import exchange
from tests.fixtures.waiting import wait_until

if TYPE_CHECKING:
    from tests.fixtures.service import Service


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_children_are_replaced_stopped_and_never_left_behind(
    make_service: "Callable[..., Service]", wait_until: Callable[..., Any]
) -> None:
    service = make_service()
    # Supervisor, broker, portal, two workers and their three forks.
    wait_until(lambda: len(service.pids()) >= 8, "the workers have forked")
    assert "/join#" in "".join(service.said)

    # The socket belongs to the supervisor: while the portal is replaced nobody is refused.
    portal = service.pid_of("app.cli portal")
    os.kill(portal, signal.SIGKILL)
    assert httpx.get(f"{service.url}/healthz", timeout=30).status_code == 200
    assert portal not in service.pids()

    service.process.kill()
    service.process.wait()
    wait_until(lambda: service.pids() == {}, "everything died with the supervisor", 5)

    again = make_service()
    began = time.monotonic()
    again.process.send_signal(signal.SIGINT)
    assert again.process.wait(timeout=30) == 0
    assert time.monotonic() - began < 20
    assert again.pids() == {}


@pytest.mark.slow
def test_two_services_never_share_a_port(service: "Service", tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]
    command = [sys.executable, "-P", "-m", "app.cli", "up", "--data-dir", str(tmp_path)]
    same_port = subprocess.run(
        [*command, "--port", port], capture_output=True, text=True, check=False, timeout=60
    )
    assert same_port.returncode == 1
    assert f"port {port}" in same_port.stderr
    assert not (tmp_path / "exchange.db").exists()

    assert httpx.get(f"{service.url}/readyz").status_code == 200


@pytest.mark.slow
def test_links_lead_to_the_port_of_the_service(service: "Service") -> None:
    exchange("admin", "create-organisation", "Links", data_dir=service.data_dir)
    whose = ("--organisation", "Links", "--role", "admin")
    token = exchange("admin", "create-token", *whose, data_dir=service.data_dir)

    made = httpx.post(
        f"{service.url}/api/v1/invitations",
        json={"email": "grey@hospital.example", "roles": ["steward"]},
        headers={"Authorization": f"Bearer {token}"},
    )

    assert made.status_code == 201, made.text
    assert made.json()["link"].startswith(f"{service.url}/join#")


@pytest.mark.slow
def test_several_portals_share_the_port_and_stand_in_for_each_other(tmp_path: Path) -> None:
    with EmbeddedService(tmp_path / "data", portals=2) as service:
        first = service.pids()
        assert {"portal", "portal-2"} <= set(first)
        os.kill(first["portal"], signal.SIGKILL)
        for _ in range(20):
            assert httpx.get(f"{service.url}/healthz", timeout=20).is_success
        wait_until(
            lambda: service.pids().get("portal", first["portal"]) != first["portal"],
            "it was started anew",
        )
        assert service.pids()["portal-2"] == first["portal-2"]


@pytest.mark.slow
def test_a_hub_runs_without_broker_and_workers(tmp_path: Path) -> None:
    with EmbeddedService(tmp_path / "hub", role=PortalRole.HUB) as service:
        assert set(service.pids()) == {"portal"}
        assert httpx.get(f"{service.url}/readyz", timeout=20).json()["status"] == "ok"
        refused = httpx.get(f"{service.url}/api/v1/datasets", timeout=20)
        assert refused.json()["type"].endswith(":not-at-a-hub")
    assert not (tmp_path / "hub" / "broker").exists()
