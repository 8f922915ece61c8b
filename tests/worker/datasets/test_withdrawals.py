"""Withdrawn images leave the archive, the dataset and all that was computed from them."""

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from app.core.queue import Task
from app.core.security import Caller, Role
from app.models import Dataset, DatasetStatus, Withdrawal, WithdrawalStatus
from app.withdrawals import service
from app.withdrawals.schemas import WithdrawalCreate
from worker.datasets.remove_files import write_without

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

PATIENT = "COVID/patient-7/"


def picture(number: int) -> bytes:
    """No two alike: a gradient that begins elsewhere."""
    image = Image.new("L", (40, 40))
    image.putdata([(x * 5 + y * 3 + number * 11) % 251 for x in range(40) for y in range(40)])
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "xrays.zip"
    with zipfile.ZipFile(path, "w") as written:
        for number in range(24):
            folder = "COVID" if number % 2 else "Normal"
            written.writestr(f"{folder}/{number:02d}.png", picture(number))
        for number in (100, 101):
            written.writestr(f"{PATIENT}{number}.png", picture(number))
        written.writestr("README.txt", "about this set")
    return path


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return opened.namelist()


def test_an_archive_is_written_without_the_named_files(tmp_path: Path, archive: Path) -> None:
    target = tmp_path / "left.zip"

    removed = write_without(archive, target, lambda name: name.startswith(PATIENT))

    assert removed == 2
    left = names(target.read_bytes())
    assert len(left) == 25
    assert "README.txt" in left
    assert not [name for name in left if "patient-7" in name]
    with zipfile.ZipFile(target) as opened, zipfile.ZipFile(archive) as before:
        assert all(opened.read(name) == before.read(name) for name in left)


def uploaded(harness: "WorkerHarness", archive: Path) -> str:
    """A dataset that the worker has checked."""
    with harness.database.transaction() as session:
        dataset = Dataset(
            organisation_id=harness.organisation_id, name="xrays", status=DatasetStatus.CHECKING
        )
        session.add(dataset)
        session.flush()
        dataset.archive_key = f"datasets/{dataset.id}/archive-first"
    harness.storage.put(f"datasets/{dataset.id}/archive-first", archive)
    harness.send(Task.CHECK_DATASET, dataset.id)
    checked(harness, dataset.id)
    return dataset.id


def checked(harness: "WorkerHarness", dataset_id: str) -> Dataset:
    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    harness.until(lambda: row().status != DatasetStatus.CHECKING, "the archive is checked")
    return row()


def withdraw(harness: "WorkerHarness", dataset_id: str, *files: str) -> str:
    caller = Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")
    body = WithdrawalCreate(files=list(files), reason="Consent was withdrawn.")
    with harness.database.transaction() as session:
        return service.withdraw(session, harness.storage, caller, dataset_id, body).id


def withdrawal(harness: "WorkerHarness", withdrawal_id: str) -> Withdrawal:
    with harness.database.reading() as session:
        return session.get_one(Withdrawal, withdrawal_id)


def test_a_patients_images_are_gone_from_everything_that_is_stored(
    own_harness: "WorkerHarness", archive: Path
) -> None:
    harness = own_harness
    harness.start_worker()
    dataset_id = uploaded(harness, archive)
    harness.storage.put("trajectories/none/of-it", b"stays")

    withdrawal_id = withdraw(harness, dataset_id, PATIENT)
    dataset = checked(harness, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert dataset.withdrawal_id is None
    assert sum(sum(splits.values()) for splits in (dataset.classes or {}).values()) == 24
    done = withdrawal(harness, withdrawal_id)
    assert (done.status, done.images) == (WithdrawalStatus.DONE, 2)
    harness.drained()
    stored = {info.key for info in harness.storage.list(f"datasets/{dataset_id}")}
    assert f"datasets/{dataset_id}/archive-first" not in stored
    assert not [name for name in names(harness.stored(dataset.archive_key)) if PATIENT in name]
    harness.until(
        lambda: not list(harness.storage.list(f"withdrawals/{withdrawal_id}")),
        "the names are forgotten",
    )
    assert "patient-7" not in json.dumps(json.loads(harness.stored(dataset.quality_key)))
    assert "patient-7" not in harness.logs()


def test_names_that_are_not_there_change_nothing(
    own_harness: "WorkerHarness", archive: Path
) -> None:
    harness = own_harness
    harness.start_worker()
    dataset_id = uploaded(harness, archive)
    before = checked(harness, dataset_id)

    withdrawal_id = withdraw(harness, dataset_id, "COVID/nobody.png")
    dataset = checked(harness, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert (dataset.archive_key, dataset.classes) == (before.archive_key, before.classes)
    failed = withdrawal(harness, withdrawal_id)
    assert failed.status == WithdrawalStatus.FAILED
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":files-not-found")
    assert not list(harness.storage.list(f"withdrawals/{withdrawal_id}"))


def test_a_removal_that_was_killed_halfway_is_finished_by_the_next_worker(
    own_harness: "WorkerHarness", archive: Path
) -> None:
    harness = own_harness
    first = harness.start_worker()
    dataset_id = uploaded(harness, archive)
    harness.kill_worker(first)
    withdrawal_id = withdraw(harness, dataset_id, PATIENT)
    # As a worker leaves it that dies after the old archive is gone.
    left = archive.with_name("left.zip")
    write_without(archive, left, lambda name: name.startswith(PATIENT))
    key = f"datasets/{dataset_id}/archive-{withdrawal_id}"
    harness.storage.put(key, left)
    taken = {"images": 2, "columns": {"archive_key": key, "size": 1, "sha256": "0" * 64}}
    harness.storage.put(f"withdrawals/{withdrawal_id}/taken-out.json", json.dumps(taken).encode())
    harness.storage.delete(f"datasets/{dataset_id}/archive-first")

    harness.start_worker()
    dataset = checked(harness, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert withdrawal(harness, withdrawal_id).images == 2
    assert dataset.archive_key == key
