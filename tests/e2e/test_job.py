"""A hospital's archive goes in, a bundle comes out: over REST, with real workers."""

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import iadd

if TYPE_CHECKING:
    from tests.fixtures.service import Service

# The service alone takes ten seconds to start. The quick run has the same way by workers, in
# tests/worker/test_tasks.py.
pytestmark = pytest.mark.slow

WHOLE_WAY = ["queued", "teaching", "distilling", "evaluating", "auditing", "packaging", "ready"]


def test_an_archive_goes_in_and_a_verified_bundle_comes_out(
    service: "Service", archive: bytes, tmp_path: Path
) -> None:
    dataset = service.upload(archive)
    assert dataset["status"] == "ready", dataset["problem"]
    assert {name: sum(splits.values()) for name, splits in dataset["classes"].items()} == {
        "COVID": 30,
        "Normal": 30,
    }
    job = service.distill(dataset["id"], cross_networks=["resnet18"])
    row = service.wait_for(job, "ready")
    assert row["verdict"] in ("refuted", "inconclusive")  # seconds give no power
    assert row["problem"] is None
    assert row["phases"]["distilling"] == {"done": 5, "total": 5, "unit": "iterations"}

    events = service.events(row["id"])
    assert [data["status"] for kind, data in events if kind == "status"] == WHOLE_WAY
    assert {kind for kind, _ in events} >= {"status", "progress", "metric"}

    path = tmp_path / "bundle.zip"
    path.write_bytes(service.result(row["id"], "bundle"))
    verified = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", "verify", str(path)], check=False
    )
    assert verified.returncode == 0
    bundle = iadd.load_bundle(path)
    assert bundle.images.shape == (4, 1, 112, 112)
    assert bundle.labels.tolist() == [0, 0, 1, 1]
    assert bundle.importance_weights is None

    report = json.loads(service.result(row["id"], "report.json"))
    assert (report["randomness"], report["image_format"]) == ("secret", "8bit")
    assert set(report["utility"]) == {"distilled", "start", "random", "full"}
    assert report["utility"]["full"]["balanced_accuracy"]["n"] == 2
    assert list(report["networks"]) == ["convnet", "resnet18"]
    assert report["networks"]["resnet18"]["utility"]["balanced_accuracy"]["n"] == 2
    assert report["networks"]["resnet18"]["random"]["balanced_accuracy"]["n"] == 2
    assert report["privacy"]["verdict"] == row["verdict"]
    page = service.result(row["id"], "report.html").decode()
    assert "<html" in page
    assert "Networks that this set was not made for." in page
    assert "anonym" not in page.lower()


def tarred(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("archive", "code"),
    [
        (b"these are no X-rays", "not-an-archive"),
        (zipped(), "no-images"),
        (zipped(("a/readme.txt", b"hello")), "no-images"),
        (tarred(*((f"{c}/{i}.png", b"\x89PNG cut off") for c in "ab" for i in "123")), "no-images"),
    ],
    ids=["no archive", "empty", "no image", "only broken images"],
)
def test_a_bad_archive_is_rejected_with_a_reason(
    service: "Service", archive: bytes, code: str
) -> None:
    row = service.upload(archive)
    assert row["status"] == "rejected"
    assert row["problem"]["type"].rpartition(":")[2] == code
    assert row["problem"]["detail"]
    refused = service.client.post(
        f"/datasets/{row['id']}/distillations", json={"preset": "cpu_demo"}
    )
    assert refused.status_code == 409


def test_an_archive_of_one_class_is_rejected(service: "Service", archive: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        one = [(name, whole.read(name)) for name in whole.namelist() if "/COVID/" in name]
    row = service.upload(zipped(*one))
    assert row["status"] == "rejected"
    assert row["problem"]["type"].endswith("one-class")


def test_a_cancelled_job_is_retried_to_the_end(service: "Service", archive: bytes) -> None:
    dataset = service.upload(archive)
    job = service.distill(dataset["id"], iterations=60)
    service.wait_for(job, "distilling")
    assert service.client.post(f"/distillations/{job}/cancel").status_code in (200, 202)
    row = service.wait_for(job, "cancelled", seconds=30)
    assert row["progress"]["done"] < 60
    again = service.client.post(f"/distillations/{job}/retry")
    assert again.status_code in (200, 202), again.text
    assert service.wait_for(job, "ready")["attempt"] == 2
