"""The sample cohort, and versions of a dataset, as real workers leave them."""

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from app.core.queue import Task
from app.core.security import Caller, Role
from app.datasets import service
from app.datasets.sample import IMAGES_PER_CLASS, LARGEST_BYTES, make_sample
from app.datasets.schemas import DatasetCreate
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness


def steward(harness: "WorkerHarness") -> Caller:
    return Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")


def checked(harness: "WorkerHarness", dataset_id: str, seconds: float = 120) -> Dataset:
    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    harness.until(
        lambda: row().status != DatasetStatus.CHECKING, f"{dataset_id} is checked", seconds
    )
    found = row()
    assert found.status == DatasetStatus.READY, f"{found.problem}\n{harness.logs()}"
    return found


def quality(harness: "WorkerHarness", row: Dataset) -> Any:
    return json.loads(harness.stored(row.quality_key))


@pytest.mark.slow
def test_a_worker_draws_the_sample_and_checks_it_like_any_archive(harness: "WorkerHarness") -> None:
    with harness.database.transaction() as session:
        sample, made = make_sample(session, steward(harness))
    assert made

    row = checked(harness, sample.id)

    assert row.classes is not None
    assert {sum(splits.values()) for splits in row.classes.values()} == {IMAGES_PER_CLASS}
    assert len(row.classes) == 4
    assert 0 < row.size <= LARGEST_BYTES
    assert len(row.sha256) == 64
    assert quality(harness, row)["refused_count"] == 0


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def uploaded(harness: "WorkerHarness", previous_id: str | None, **classes: range) -> Dataset:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, numbers in classes.items():
            for number in numbers:
                archive.writestr(f"{name}/{number}.png", picture(number))
    with harness.database.transaction() as session:
        body = DatasetCreate(name="ward", previous_id=previous_id)
        dataset = service.create(session, steward(harness), body)
        dataset.status, dataset.archive_key = DatasetStatus.CHECKING, f"datasets/{dataset.id}/a"
    harness.storage.put(f"datasets/{dataset.id}/a", file.getvalue())
    harness.send(Task.CHECK_DATASET, dataset.id)
    return checked(harness, dataset.id)


@pytest.mark.slow
def test_the_quality_report_of_a_version_counts_what_changed(harness: "WorkerHarness") -> None:
    first = uploaded(harness, None, COVID=range(10), Normal=range(100, 112))
    second = uploaded(harness, first.id, COVID=range(4, 15), Normal=range(100, 112))

    assert quality(harness, first)["changes"] is None
    changes = quality(harness, second)["changes"]
    assert changes.pop("previous_id") == first.id
    assert changes == {
        "kept": 18,
        "added": 5,
        "removed": 4,
        "relabelled": 0,
        "classes": {
            "COVID": {"kept": 6, "added": 5, "removed": 4, "relabelled": 0},
            "Normal": {"kept": 12, "added": 0, "removed": 0, "relabelled": 0},
        },
    }
