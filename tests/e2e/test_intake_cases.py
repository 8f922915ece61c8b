"""Every archive that once went wrong, brought to a real portal over REST."""

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fixtures.service import Service
from tests.fixtures.waiting import wait_until
from tests.intake_cases.case import AWAITING, READY, REJECTED, Became, Case, differences
from tests.intake_cases.cases import ARCHIVES, CASES

pytestmark = pytest.mark.slow

SECONDS = 400
"""For all archives together; a quiet machine takes a third of it."""


def upload(client: httpx.Client, case: Case) -> str:
    made = client.post("/datasets", json={"name": case.name}).raise_for_status().json()
    content = (ARCHIVES / f"{case.name}.zip").read_bytes()
    sent = client.put(f"/datasets/{made['id']}/archive", content=content)
    assert sent.status_code == 202, sent.text
    dataset_id: str = made["id"]
    return dataset_id


def checked(client: httpx.Client, dataset_id: str, deadline: float, *ends: str) -> dict[str, Any]:
    """The dataset, once its check has ended."""

    def ended() -> dict[str, Any] | None:
        row: dict[str, Any] = client.get(f"/datasets/{dataset_id}").raise_for_status().json()
        return row if row["status"] in ends else None

    left = deadline - time.monotonic()
    row: dict[str, Any] = wait_until(ended, f"{dataset_id} is checked", left)
    return row


def became(client: httpx.Client, row: dict[str, Any]) -> Became:
    """What REST says of a dataset."""
    quality = layout = None
    if row["status"] == AWAITING:
        layout = client.get(f"/datasets/{row['id']}/layout").raise_for_status().json()["layout"]
    else:
        quality = client.get(f"/datasets/{row['id']}/quality").raise_for_status().json()
    return Became(
        status=row["status"],
        classes=row["classes"],
        layout=layout,
        quality=quality,
        problem=row["problem"],
    )


def test_each_archive_becomes_what_it_should(make_service: Callable[..., Service]) -> None:
    service = make_service()
    client = service.client
    deadline = time.monotonic() + SECONDS
    ids = {case.name: upload(client, case) for case in CASES}
    wrong: dict[str, list[str]] = {}
    asked: list[tuple[Case, str]] = []
    for case in CASES:
        row = checked(client, ids[case.name], deadline, READY, AWAITING, REJECTED)
        answer = became(client, row)
        if found := differences(case, answer):
            wrong[case.name] = found
        elif answer.layout is not None:
            mapping = answer.layout["readings"][0]["mapping"]
            client.put(f"/datasets/{row['id']}/layout", json=mapping).raise_for_status()
            asked.append((case, row["id"]))
    for case, dataset_id in asked:
        row = checked(client, dataset_id, deadline, READY, REJECTED)
        totals = {name: sum(counts.values()) for name, counts in (row["classes"] or {}).items()}
        if row["status"] != case.confirmed or (totals and totals != dict(case.classes)):
            wrong[case.name] = [f"confirmed, it is {row['status']}: {row['problem'] or totals}"]
    assert wrong == {}, service.logs()
    _nothing_shows_a_planted_name(service)


def _nothing_shows_a_planted_name(service: Service) -> None:
    """Look through all that the portal keeps; archives of datasets that are not ready are there."""
    planted = [word.encode() for case in CASES for word in case.planted]
    for path in sorted(service.data_dir.rglob("*")):
        if path.is_file() and not path.name.startswith("archive") and path.suffix != ".zip":
            content = path.read_bytes()
            assert [word for word in planted if word in content] == [], path
