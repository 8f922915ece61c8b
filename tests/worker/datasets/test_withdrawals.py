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
    from conftest import Bench

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


def uploaded(bench: "Bench", archive: Path) -> str:
    """A dataset that the worker has checked."""
    with bench.database.transaction() as session:
        dataset = Dataset(
            organisation_id=bench.organisation_id, name="xrays", status=DatasetStatus.CHECKING
        )
        session.add(dataset)
        session.flush()
        dataset.archive_key = f"datasets/{dataset.id}/archive-first"
    bench.storage.put(f"datasets/{dataset.id}/archive-first", archive)
    bench.send(Task.CHECK_DATASET, dataset.id)
    checked(bench, dataset.id)
    return dataset.id


def checked(bench: "Bench", dataset_id: str) -> Dataset:
    def row() -> Dataset:
        with bench.database.reading() as session:
            return session.get_one(Dataset, dataset_id)

    bench.until(lambda: row().status != DatasetStatus.CHECKING, "the archive is checked")
    return row()


def withdraw(bench: "Bench", dataset_id: str, *files: str) -> str:
    caller = Caller.on_behalf(bench.organisation_id, Role.STEWARD, "Dr. Grey")
    body = WithdrawalCreate(files=list(files), reason="Consent was withdrawn.")
    with bench.database.transaction() as session:
        return service.withdraw(session, bench.storage, caller, dataset_id, body).id


def withdrawal(bench: "Bench", withdrawal_id: str) -> Withdrawal:
    with bench.database.reading() as session:
        return session.get_one(Withdrawal, withdrawal_id)


def test_a_patients_images_are_gone_from_everything_that_is_stored(
    own_bench: "Bench", archive: Path
) -> None:
    bench = own_bench
    bench.start_worker()
    dataset_id = uploaded(bench, archive)
    bench.storage.put("trajectories/none/of-it", b"stays")

    withdrawal_id = withdraw(bench, dataset_id, PATIENT)
    dataset = checked(bench, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert dataset.withdrawal_id is None
    assert sum(sum(splits.values()) for splits in (dataset.classes or {}).values()) == 24
    done = withdrawal(bench, withdrawal_id)
    assert (done.status, done.images) == (WithdrawalStatus.DONE, 2)
    bench.drained()
    stored = {info.key for info in bench.storage.list(f"datasets/{dataset_id}")}
    assert f"datasets/{dataset_id}/archive-first" not in stored
    assert not [name for name in names(bench.stored(dataset.archive_key)) if PATIENT in name]
    bench.until(
        lambda: not list(bench.storage.list(f"withdrawals/{withdrawal_id}")),
        "the names are forgotten",
    )
    assert "patient-7" not in json.dumps(json.loads(bench.stored(dataset.quality_key)))
    assert "patient-7" not in bench.logs()


def test_names_that_are_not_there_change_nothing(own_bench: "Bench", archive: Path) -> None:
    bench = own_bench
    bench.start_worker()
    dataset_id = uploaded(bench, archive)
    before = checked(bench, dataset_id)

    withdrawal_id = withdraw(bench, dataset_id, "COVID/nobody.png")
    dataset = checked(bench, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert (dataset.archive_key, dataset.classes) == (before.archive_key, before.classes)
    failed = withdrawal(bench, withdrawal_id)
    assert failed.status == WithdrawalStatus.FAILED
    assert failed.problem is not None
    assert failed.problem["type"].endswith(":files-not-found")
    assert not list(bench.storage.list(f"withdrawals/{withdrawal_id}"))


def test_a_removal_that_was_killed_halfway_is_finished_by_the_next_worker(
    own_bench: "Bench", archive: Path
) -> None:
    bench = own_bench
    first = bench.start_worker()
    dataset_id = uploaded(bench, archive)
    bench.kill_worker(first)
    withdrawal_id = withdraw(bench, dataset_id, PATIENT)
    # As a worker leaves it that dies after the old archive is gone.
    left = archive.with_name("left.zip")
    write_without(archive, left, lambda name: name.startswith(PATIENT))
    key = f"datasets/{dataset_id}/archive-{withdrawal_id}"
    bench.storage.put(key, left)
    taken = {"images": 2, "columns": {"archive_key": key, "size": 1, "sha256": "0" * 64}}
    bench.storage.put(f"withdrawals/{withdrawal_id}/taken-out.json", json.dumps(taken).encode())
    bench.storage.delete(f"datasets/{dataset_id}/archive-first")

    bench.start_worker()
    dataset = checked(bench, dataset_id)

    assert dataset.status == DatasetStatus.READY
    assert withdrawal(bench, withdrawal_id).images == 2
    assert dataset.archive_key == key
