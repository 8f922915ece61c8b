"""A set that its own audit cleared is released by a policy that accepts the audit's power."""

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.conftest import zipped
from tests.fixtures.service import exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.service import Service

pytestmark = pytest.mark.slow

LIMIT = 1.0
AUDIT = {
    "audit_calibration_runs": 3,
    "audit_test_runs": 6,
    "audit_units": 50,
    "audit_students": 1,
    "audit_leak_limit": LIMIT,
}
"""Seconds of twins bound no leak: the policy has to say that it accepts that."""
TRIES = 3
RELEASE = {"title": "Squares", "summary": "Two classes.", "contact": "data@hospital.example"}


def test_a_set_that_repeated_runs_cleared_is_released_under_a_policy_that_says_so(
    make_service: "Callable[[], Service]",
) -> None:
    service = make_service()
    dataset = service.upload(zipped(1000, each=200))
    assert dataset["status"] == "ready", dataset["problem"]
    row, privacy = _cleared(service, dataset["id"])
    assert privacy["power"]["runs"] == AUDIT["audit_test_runs"]
    assert max(attack["tpr_interval"][1] for attack in privacy["attacks"]) <= LIMIT

    # The cautious default asks for more power than seconds give.
    refused = service.client.post(f"/distillations/{row['id']}/releases", json=RELEASE)
    assert refused.status_code == 409, refused.text
    assert any("leak" in reason for reason in refused.json()["reasons"])

    admin = _admin(service)
    policy = {"policy": {"largest_leak": LIMIT, "largest_power": LIMIT}}
    admin.patch("/organisations/mine", json=policy).raise_for_status()
    released = service.client.post(f"/distillations/{row['id']}/releases", json=RELEASE)
    assert released.status_code == 201, released.text
    facts: dict[str, Any] = released.json()["facts"]
    assert facts["privacy"]["verdict"] == "not_refuted"
    assert facts["privacy"]["power"]["tpr"] <= LIMIT


def _cleared(service: "Service", dataset_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A distillation that its audit cleared, and the privacy section of its report.

    An audit raises a false alarm now and then, by design: tests/iadd/privacy measures how often.
    What leaks is refuted each time.
    """
    for _ in range(TRIES):
        row = service.wait_for(service.distill(dataset_id, **AUDIT), "ready")
        privacy = json.loads(service.result(row["id"], "report.json"))["privacy"]
        if privacy["verdict"] == "not_refuted":
            return row, privacy
    raise AssertionError(privacy["statement"])


def _admin(service: "Service") -> httpx.Client:
    whose = ("--organisation", "Hospital", "--role", "admin")
    token = exchange("admin", "create-token", *whose, data_dir=service.data_dir)
    return httpx.Client(
        base_url=service.client.base_url, headers={"Authorization": f"Bearer {token}"}
    )
