"""A service is drained, stopped and started under the next version, and loses nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.service import exchange
from tests.fixtures.versions import as_version, minors_away
from tests.fixtures.waiting import wait_until

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.slow


def read(service: "Service", query: str) -> list[object]:
    """The first column, past the portal."""
    with closing(sqlite3.connect(service.data_dir / "exchange.db", timeout=30)) as database:
        return [row[0] for row in database.execute(query)]


def held(service: "Service") -> list[object]:
    """Ids of rows that a worker has."""
    return [
        row_id
        for name in ("dataset", "distillation", "teacher")
        for row_id in read(service, f"SELECT id FROM {name} WHERE lease_owner IS NOT NULL")
    ]


def refusals(service: "Service") -> list[object]:
    """Why each worker takes no work; None where it takes some."""
    return read(service, "SELECT refusal FROM worker_process")


def test_a_job_in_flight_is_drained_and_goes_on_under_the_next_version(
    make_service: "Callable[..., Service]", archive: bytes, tmp_path: Path
) -> None:
    service = make_service()
    dataset = service.upload(archive)
    job = service.distill(dataset["id"], iterations=100)
    service.wait_for(job, "distilling")

    said = exchange("drain", data_dir=service.data_dir)

    assert said.startswith("Drained: nothing runs")
    assert held(service) == []
    wait_until(lambda: refusals(service) == ["drained"] * 2, "both workers wait")
    stopped = service.row(job)
    assert stopped["status"] in ("distilling", "evaluating")
    assert service.client.get("/session").json()["drained_at"] is not None
    queued = service.distill(dataset["id"], iterations=6)
    service.stop()

    following = as_version(minors_away(+1), tmp_path)
    service = make_service(**following)

    assert service.client.get("/openapi.json").json()["info"]["version"] == minors_away(+1)
    wait_until(lambda: refusals(service) == ["drained"] * 2, "both workers wait")
    assert service.row(job)["progress"] == stopped["progress"]
    assert "drained" in "".join(service.said)
    assert exchange("drain", "--undo", data_dir=service.data_dir) == "Workers take work again."
    for each in (job, queued):
        assert service.wait_for(each, "ready")["problem"] is None


def test_a_backup_of_a_drained_service_ends_its_job_under_the_next_version_with_the_same_images(
    make_service: "Callable[..., Service]", archive: bytes, tmp_path: Path
) -> None:
    service = make_service()
    job = service.distill(service.upload(archive)["id"], iterations=40)
    service.wait_for(job, "distilling")
    exchange("drain", data_dir=service.data_dir)
    exchange("backup", str(tmp_path / "backup"), data_dir=service.data_dir)
    exchange("drain", "--undo", data_dir=service.data_dir)
    service.wait_for(job, "ready")
    images, token = service.images(job), (service.data_dir / "token").read_text()
    service.stop()

    following, restored = as_version(minors_away(+1), tmp_path), tmp_path / "restored"
    exchange("restore", str(tmp_path / "backup"), data_dir=restored, **following)
    (restored / "token").write_text(token)
    service = make_service(restored, **following)
    assert "drained" in "".join(service.said)
    exchange("drain", "--undo", data_dir=restored)

    assert service.wait_for(job, "ready")["problem"] is None
    assert service.images(job) == images


def test_a_service_that_is_killed_while_it_drains_stays_drained_and_keeps_the_job(
    make_service: "Callable[..., Service]", archive: bytes
) -> None:
    service = make_service()
    job = service.distill(service.upload(archive)["id"], iterations=60)
    service.wait_for(job, "distilling")
    # The mark is set, and the machine dies before anybody has given anything back.
    with pytest.raises(AssertionError, match="not at rest"):
        exchange("drain", "--seconds", "0", data_dir=service.data_dir)
    service.process.kill()
    service.process.wait()
    wait_until(lambda: service.pids() == {}, "everything died")

    service = make_service()
    assert exchange("drain", data_dir=service.data_dir).startswith("Drained: nothing runs")
    assert service.row(job)["status"] in ("distilling", "evaluating")
    exchange("drain", "--undo", data_dir=service.data_dir)

    assert service.wait_for(job, "ready")["problem"] is None
