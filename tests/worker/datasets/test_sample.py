"""The sample cohort, and versions of a dataset, as real workers leave them."""

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from app.core.queue import Task
from app.core.security import Caller, Role
from app.datasets import service
from app.datasets.sample import IMAGES_PER_CLASS, LARGEST_BYTES, make_sample
from app.datasets.schemas import DatasetCreate
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from conftest import Bench


def steward(bench: "Bench") -> Caller:
    return Caller.on_behalf(bench.organisation_id, Role.STEWARD, "Dr. Grey")


def checked(bench: "Bench", dataset_id: str, seconds: float = 120) -> Dataset:
    def row() -> Dataset:
        with bench.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    bench.until(lambda: row().status != DatasetStatus.CHECKING, f"{dataset_id} is checked", seconds)
    found = row()
    assert found.status == DatasetStatus.READY, f"{found.problem}\n{bench.logs()}"
    return found


def quality(bench: "Bench", row: Dataset) -> Any:
    return json.loads(bench.stored(row.quality_key))


def test_a_worker_draws_the_sample_and_checks_it_like_any_archive(bench: "Bench") -> None:
    with bench.database.transaction() as session:
        sample, made = make_sample(session, steward(bench))
    assert made

    row = checked(bench, sample.id)

    assert row.classes is not None
    assert {sum(splits.values()) for splits in row.classes.values()} == {IMAGES_PER_CLASS}
    assert len(row.classes) == 4
    archive = bench.stored(row.archive_key)
    assert row.size == len(archive) <= LARGEST_BYTES
    assert row.sha256 == hashlib.sha256(archive).hexdigest()
    assert quality(bench, row)["refused_count"] == 0


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (40, 40), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def uploaded(bench: "Bench", previous_id: str | None, **classes: range) -> Dataset:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, numbers in classes.items():
            for number in numbers:
                archive.writestr(f"{name}/{number}.png", picture(number))
    with bench.database.transaction() as session:
        body = DatasetCreate(name="ward", previous_id=previous_id)
        dataset = service.create(session, steward(bench), body)
        dataset.status, dataset.archive_key = DatasetStatus.CHECKING, f"datasets/{dataset.id}/a"
    bench.storage.put(f"datasets/{dataset.id}/a", file.getvalue())
    bench.send(Task.CHECK_DATASET, dataset.id)
    return checked(bench, dataset.id)


def test_the_quality_report_of_a_version_counts_what_changed(bench: "Bench") -> None:
    first = uploaded(bench, None, COVID=range(10), Normal=range(100, 112))
    second = uploaded(bench, first.id, COVID=range(4, 15), Normal=range(100, 112))

    assert quality(bench, first)["changes"] is None
    changes = quality(bench, second)["changes"]
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
