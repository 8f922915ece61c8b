"""A hub: what it has, what it refuses, and that it says so."""

import re

import pytest

from app.core.roles import NotAtAHub
from app.core.security import Role
from app.core.settings import PortalRole
from tests.app.web.routes import pages
from tests.fixtures.clients import PASSWORD, Reader

ANY = "xx_000000000000000000000000"
OF_HOSPITALS = {
    *("datasets", "uploads", "ledger", "ledgers", "forecasts", "distillations", "presets"),
    *("audits", "trainings", "withdrawals", "release-overrides", "guide", "connections"),
}
"""Parts of addresses that only a hospital's own portal answers."""


def is_of_hospitals(path):
    """Whether a hub has nothing there: sending releases on is not its business either."""
    parts = path.removeprefix("/api/v1").split("/")
    return parts[1] in OF_HOSPITALS or parts[-1] in ("shares", "connections")


@pytest.fixture
def hub(portal_with):
    return portal_with(role=PortalRole.HUB)


def filled(path):
    return re.sub(r"{\w+}", ANY, path)


def test_a_hub_refuses_every_dataset_upload_distillation_and_training(hub):
    refused = set()
    for path, methods in hub.client.get("/api/v1/openapi.json").json()["paths"].items():
        if not path.startswith("/api/v1/"):
            continue
        for method in methods:
            reply = hub.steward.request(method.upper(), filled(path), json={})
            if reply.status_code == 404 and method != "head":
                is_refused = reply.json()["type"].endswith(":not-at-a-hub")
                assert is_refused == is_of_hospitals(path), f"{method} {path}"
                refused.add(path.split("/")[3])
    assert refused > {"datasets", "uploads", "distillations", "trainings", "withdrawals"}


def test_what_a_hub_refuses_is_said_before_anything_is_kept(hub):
    refused = hub.steward.post("/datasets", json={"name": "chest"})
    assert "Upload and distill in your hospital's own portal" in refused.json()["detail"]
    assert not list(hub.storage.list("datasets"))


def test_a_hub_has_releases_requests_grants_and_a_log(hub):
    for path in ("/catalogue", "/releases", "/access-requests", "/grants", "/audit", "/tokens"):
        assert hub.admin.get(path).status_code == 200, path


def test_a_hub_is_ready_without_a_broker(hub):
    ready = hub.client.get("/readyz")
    assert ready.status_code == 200
    assert set(ready.json()["checks"]) == {"database", "storage", "disc"}


def test_an_operator_sees_no_broker_missing(hub):
    operator = hub.person(hub.organisation_id, Role.OPERATOR)
    status = operator.get("/operations/status").json()
    assert "broker" not in {check["name"] for check in status["checks"]}
    assert status["faults"] == []


@pytest.mark.slow
def test_a_hub_shows_no_page_for_what_it_has_not(hub):
    hub.account(Role.STEWARD, Role.ADMIN, Role.RESEARCHER)
    reader = Reader(hub.client.base_url)
    reader.sign_in("grey@st-anna.example", PASSWORD)
    shown = [page.removeprefix("GET ") for page in pages() if page.startswith("GET ")]
    assert any(map(is_of_hospitals, shown))
    for address in shown:
        reply = reader.client.get(filled(address))
        if is_of_hospitals(address):
            assert reply.status_code == 404, address
            assert NotAtAHub.title in reply.text
        else:
            assert NotAtAHub.title not in reply.text
            for gone in ("/datasets", "/distillations", "/trainings", "/guide"):
                assert f'href="{gone}' not in reply.text, address
    reader.client.close()
