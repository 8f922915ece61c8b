"""A job is followed from its request to its bundle: by ids in the logs, and by one trace."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.test_planted_names import zipped
from tests.fixtures.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.fixtures.planted import planted_in, write_source
from tests.fixtures.service import Service, start_service
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery-staple-0123456789"


@dataclass
class Followed:
    """A service that took an archive with planted names all the way to a bundle."""

    service: Service
    receiver: OtlpReceiver
    dataset_id: str
    distillation_id: str

    def lines(self, process: str) -> list[dict[str, Any]]:
        """What a process has logged: each line is an object."""
        text = (self.service.data_dir / "logs" / f"{process}.log").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("observed")
    with otlp_receiver() as receiver:
        service = start_service(
            folder / "data",
            EXCHANGE_LOG_FORMAT="json",
            EXCHANGE_OTLP_ENDPOINT=receiver.url,
            EXCHANGE_SECRET_KEY=SECRET,
            OTEL_BSP_SCHEDULE_DELAY="200",
        )
        try:
            dataset_id = _upload(service, zipped(write_source(folder / "source", each=6)))
            distillation_id = service.distill(dataset_id)
            service.wait_for(distillation_id, "ready")
            wait_until(lambda: receiver.named("distillation"), "the last span has arrived")
            service.result(distillation_id, "bundle")
            yield Followed(service, receiver, dataset_id, distillation_id)
        finally:
            service.stop()


def _upload(service: Service, archive: bytes) -> str:
    dataset_id: str = service.client.post("/datasets", json={"name": "ward"}).json()["id"]
    address = f"/datasets/{dataset_id}"
    service.client.put(f"{address}/archive", content=archive)

    def settled() -> str | None:
        status: str = service.client.get(address).json()["status"]
        return status if status != "checking" else None

    if wait_until(settled, "the archive was listed") == "awaiting_mapping":
        layout = service.client.get(f"{address}/layout").json()["layout"]
        mapping = layout["readings"][0]["mapping"]
        assert service.client.put(f"{address}/layout", json=mapping).status_code == 202
    assert wait_until(settled, "the archive was read") == "ready"
    return dataset_id


def test_each_line_of_a_request_carries_its_id_and_organisation(followed: Followed) -> None:
    lines = followed.lines("portal")
    asked = f"/datasets/{followed.dataset_id}/distillations"
    [access] = [line for line in lines if f"POST /api/v1{asked}" in line["message"]]
    assert re.fullmatch(r"rq_[0-9a-f]{24}", access["request_id"])
    assert access["organisation_id"].startswith("org_")

    same = [line for line in lines if line.get("request_id") == access["request_id"]]
    [queued] = [line for line in same if line.get("job_id") == followed.distillation_id]
    assert (queued["task"], queued["organisation_id"]) == (
        "start_distillation",
        access["organisation_id"],
    )
    reply = followed.service.client.get("/datasets")
    assert reply.headers["X-Request-ID"] not in {line.get("request_id") for line in lines}


def test_each_line_of_a_job_carries_its_id_its_worker_and_its_trace(followed: Followed) -> None:
    lines = [*followed.lines("worker-gpu"), *followed.lines("worker-cpu")]
    of_jobs = [line for line in lines if line["logger"].startswith("worker.jobs")]
    assert {line["task"] for line in of_jobs} >= {
        *("check_dataset", "start_distillation", "record_trajectory", "distill"),
        *("evaluate", "audit", "package"),
    }
    [organisation_id] = {line["organisation_id"] for line in of_jobs}
    [trace_id] = {line["trace_id"] for line in of_jobs}
    assert organisation_id.startswith("org_")
    assert trace_id == followed.receiver.named("package")[0].trace_id
    workers = {
        worker["id"] for worker in _operations(followed, "workers")
    }  # the rows that their heartbeats keep
    assert {line["worker"] for line in of_jobs} <= workers
    assert followed.distillation_id in {line["job_id"] for line in of_jobs}


def _operations(followed: Followed, command: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "app.cli", "admin", command, "--json"),
            *("--data-dir", str(followed.service.data_dir)),
        ],
        capture_output=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_no_line_and_no_span_names_a_patient_a_file_or_a_secret(followed: Followed) -> None:
    token = (followed.service.data_dir / "token").read_bytes().strip()
    written = {
        **{path.name: path.read_bytes() for path in followed.service.data_dir.glob("logs/*")},
        "spans": b"".join(followed.receiver.bodies),
    }
    assert {"portal.log", "worker-gpu.log", "worker-cpu.log"} <= written.keys()
    for name, content in written.items():
        assert planted_in(content) == [], name
        for secret in (SECRET.encode(), token, b"ward", b"Hospital"):
            assert secret not in content, name


def test_one_trace_leads_from_the_upload_to_the_bundle(followed: Followed) -> None:
    spans = followed.receiver.spans()
    assert len({span.trace_id for span in spans}) == 1
    [whole] = followed.receiver.named("distillation")
    steps = [span for span in spans if span.parent_id == whole.span_id]
    # Under load a step may lose its lease and be repeated: it is in the trace all the same.
    assert {span.name for span in steps if span.service == "iadd-exchange-worker"} == {
        *("start_distillation", "record_trajectory", "distill"),
        *("evaluate", "audit", "package"),
    }
    teachers = [span for span in steps if span.name == "record_trajectory"]
    assert len({span.attributes["exchange.job_id"] for span in teachers}) == 2
    assert "create_distillation" in {span.name for span in steps}
    on_top = [span for span in spans if not span.parent_id]
    assert {span.name for span in on_top} >= {"upload_archive", "check_dataset", "distillation"}
    assert all(whole.started_at - 1e9 <= step.started_at <= whole.ended_at for step in steps)
    assert {span.attributes["exchange.dataset_id"] for span in spans} == {followed.dataset_id}
    assert len({span.span_id for span in spans}) == len(spans)


def test_the_operator_sees_the_whole_service_on_one_screen(followed: Followed) -> None:
    command = [*(sys.executable, "-P", "-m", "app.cli", "admin", "status")]
    shown = subprocess.run(
        [*command, "--data-dir", str(followed.service.data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "database ok, broker ok, objects ok, disc ok" in shown.stdout
    assert shown.stdout.count(" cpu ") >= 3  # three worker processes, and the queue
    assert shown.stdout.endswith("Everything works.\n")
    assert max(map(len, shown.stdout.splitlines())) <= 80
