"""Withdrawn images leave the archive, the dataset and all that was computed from them."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from app.core.security import Caller, Role
from app.models import Dataset, DatasetStatus, Withdrawal, WithdrawalStatus
from app.withdrawals import service
from app.withdrawals.schemas import WithdrawalCreate
from iadd.intake.read import READ_FILES
from iadd.intake.withdraw import withdraw as withdraw_pictures

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


def uploaded(harness: "WorkerHarness", archive: Path) -> str:
    """A dataset that the worker has checked."""
    dataset_id = harness.upload(archive)
    checked(harness, dataset_id)
    return dataset_id


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
    harness: "WorkerHarness", archive: Path
) -> None:
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
    assert not [key for key in stored if "/archive-" in key or "/read/" in key]
    assert dataset.archive_key is None
    records = gzip.decompress(harness.stored(f"{dataset.read_key}/records.jsonl.gz"))
    assert len(records.splitlines()) == 24
    harness.until(
        lambda: not list(harness.storage.list(f"withdrawals/{withdrawal_id}")),
        "the names are forgotten",
    )
    assert "patient-7" not in json.dumps(json.loads(harness.stored(dataset.quality_key)))
    assert "patient-7" not in harness.logs()


def test_names_that_are_not_there_change_nothing(harness: "WorkerHarness", archive: Path) -> None:
    dataset_id = uploaded(harness, archive)
    before = checked(harness, dataset_id)

    withdrawal_id = withdraw(harness, dataset_id, "COVID/nobody.png")
    dataset = checked(harness, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert (dataset.read_key, dataset.classes) == (before.read_key, before.classes)
    failed = withdrawal(harness, withdrawal_id)
    assert failed.status == WithdrawalStatus.FAILED
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":files-not-found")
    assert not list(harness.storage.list(f"withdrawals/{withdrawal_id}"))


@pytest.mark.slow
def test_a_removal_that_was_killed_halfway_is_finished_by_the_next_worker(
    own_harness: "WorkerHarness", archive: Path, tmp_path: Path
) -> None:
    harness = own_harness
    first = harness.start_worker()
    dataset_id = uploaded(harness, archive)
    harness.kill_worker(first)
    withdrawal_id = withdraw(harness, dataset_id, PATIENT)
    # As a worker leaves it that dies after the old pictures are gone.
    before, left = tmp_path / "before", tmp_path / "left"
    before.mkdir()
    left.mkdir()
    for name in READ_FILES:
        harness.storage.download(f"datasets/{dataset_id}/read/{name}", before / name)
    named = json.loads(harness.stored(f"withdrawals/{withdrawal_id}/files.json"))
    assert withdraw_pictures(before, left, hashes=named["hashes"]) == 2
    key = f"datasets/{dataset_id}/read-{withdrawal_id}"
    for name in READ_FILES:
        harness.storage.put(f"{key}/{name}", left / name)
    harness.storage.put(f"withdrawals/{withdrawal_id}/taken-out.json", b'{"images": 2}')
    harness.storage.delete_folder(f"datasets/{dataset_id}/read")

    harness.start_worker()
    dataset = checked(harness, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert withdrawal(harness, withdrawal_id).images == 2
    assert dataset.read_key == key


def test_an_archive_of_an_older_version_is_read_without_the_withdrawn_files(
    harness: "WorkerHarness", archive: Path
) -> None:
    dataset_id = uploaded(harness, archive)
    # Version 0.2 kept the archive and no pictures.
    harness.storage.put(f"datasets/{dataset_id}/archive-first", archive)
    harness.storage.delete_folder(f"datasets/{dataset_id}/read")
    with harness.database.transaction() as session:
        row = session.get_one(Dataset, dataset_id)
        row.archive_key, row.read_key = f"datasets/{dataset_id}/archive-first", None

    withdrawal_id = withdraw(harness, dataset_id, PATIENT)
    dataset = checked(harness, dataset_id)

    assert withdrawal(harness, withdrawal_id).images == 2
    assert sum(sum(splits.values()) for splits in (dataset.classes or {}).values()) == 24
    assert dataset.archive_key is None
    assert not harness.storage.exists(f"datasets/{dataset_id}/archive-first")
