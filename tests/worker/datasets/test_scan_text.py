"""Text in pictures is found slice by slice, and holds a release until somebody has decided."""

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import select

from app.core.queue import Task
from app.core.security import Caller, Role
from app.datasets import texts
from app.datasets.schemas import TextsRead
from app.models import Dataset, DatasetStatus, TextScan, TextScanStatus
from iadd.cohort import CLASSES, draw_image
from iadd.intake.read import RECORDS

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

SIDE = 256


def picture(number: int, text: str = "") -> bytes:
    x_ray = draw_image(CLASSES[number % 2], number, image_size=SIDE)
    image = Image.fromarray(np.asarray(x_ray))
    if text:
        font = ImageFont.load_default(size=14)
        ImageDraw.Draw(image).text((6, 4), text, fill=255, font=font)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def archive() -> bytes:
    """Eight X-rays, of which two carry a name, and one the marker of a side."""
    said = {1: "MUELLER HANS 12.03.1954", 2: "ERECT", 6: "DOE JANE 4711"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        for number in range(8):
            name = f"{'AB'[number % 2]}/{number}.png"
            written.writestr(name, picture(number, said.get(number, "")))
    return file.getvalue()


def steward(harness: "WorkerHarness") -> Caller:
    return Caller.on_behalf(harness.organisation_id, Role.STEWARD, "Dr. Grey")


def uploaded(harness: "WorkerHarness") -> str:
    """A dataset that a worker with the search for text checks."""
    return harness.upload(archive())


@pytest.fixture
def scanned(own_harness: "WorkerHarness") -> tuple["WorkerHarness", str]:
    """A dataset whose pictures were looked at."""
    harness = own_harness
    harness.environment["EXCHANGE_SCAN_TEXT"] = "true"
    harness.start_worker()
    dataset_id = uploaded(harness)
    harness.until(
        lambda: scan(harness, dataset_id).status == TextScanStatus.DONE, "all was looked at", 120
    )
    return harness, dataset_id


def scan(harness: "WorkerHarness", dataset_id: str) -> TextScan:
    with harness.database.reading() as session:
        found = session.scalar(select(TextScan).where(TextScan.dataset_id == dataset_id))
    return found or TextScan(status=TextScanStatus.WAITING, done=0)


def row(harness: "WorkerHarness", dataset_id: str) -> Dataset:
    with harness.database.reading() as session:
        return session.get_one(Dataset, dataset_id)


@pytest.mark.slow
def test_pictures_with_a_name_are_found_decided_about_and_forgotten(
    scanned: tuple["WorkerHarness", str],
) -> None:
    harness, dataset_id = scanned
    found = texts.found_texts(harness.storage, dataset_id)
    assert sorted(one["shown"] for one in found) == ["A/6.png", "B/1.png"]
    assert "MUELLER" not in json.dumps(found)
    assert (
        scan(harness, dataset_id).done,
        scan(harness, dataset_id).total,
        scan(harness, dataset_id).found,
    ) == (8, 8, 2)

    dataset = row(harness, dataset_id)
    assert dataset.status == DatasetStatus.READY
    assert dataset.open_holds == {"text_in_picture": 2}
    quality = json.loads(harness.stored(dataset.quality_key))
    assert quality["findings"][0]["code"] == "text_in_picture"
    harness.until(lambda: row(harness, dataset_id).archive_key is None, "the archive is deleted")

    choices: dict[str, texts.Decision] = {found[0]["path"]: "keep", found[1]["path"]: "blank"}
    with harness.database.transaction() as session:
        texts.decide(session, harness.storage, steward(harness), dataset_id, choices)
    harness.until(
        lambda: row(harness, dataset_id).status == DatasetStatus.READY, "it is composed anew"
    )

    assert row(harness, dataset_id).open_holds == {}
    quality = json.loads(harness.stored(row(harness, dataset_id).quality_key))
    assert "text_in_picture" not in [one["code"] for one in quality["findings"]]
    assert quality["images"] == 8
    assert "MUELLER" not in harness.logs()


@pytest.mark.slow
def test_a_worker_that_dies_while_it_looks_leaves_the_rest_to_the_next(
    own_harness: "WorkerHarness",
) -> None:
    harness = own_harness
    harness.environment["EXCHANGE_SCAN_TEXT"] = "true"
    first = harness.start_worker()
    dataset_id = uploaded(harness)
    harness.until(lambda: scan(harness, dataset_id).done > 0, "some pictures were looked at", 120)
    harness.kill_worker(first)
    assert row(harness, dataset_id).open_holds == {"text_not_scanned": 8}

    harness.start_worker()
    with harness.database.transaction() as session:
        session.get_one(TextScan, scan(harness, dataset_id).id).lease_expires_at = None
    harness.send(Task.SCAN_TEXT, scan(harness, dataset_id).id)
    harness.until(
        lambda: scan(harness, dataset_id).status == TextScanStatus.DONE, "the rest too", 120
    )
    assert len(texts.found_texts(harness.storage, dataset_id)) == 2


def test_an_archive_that_is_gone_before_it_was_searched_is_asked_for_again(
    harness: "WorkerHarness",
) -> None:
    with harness.database.transaction() as session:
        dataset = Dataset(
            organisation_id=harness.organisation_id,
            name="xrays",
            status=DatasetStatus.READY,
            classes={"A": {"train": 8}},
            archive_key="datasets/lost/archive-first",
            read_key="datasets/lost/read",
        )
        session.add(dataset)
        session.flush()
        texts.begin_scan(session, dataset.id)
        texts.hold_for_texts(session, harness.storage, dataset.id)
    harness.until(lambda: scan(harness, dataset.id).status == TextScanStatus.FAILED, "it is missed")

    shown = seen(harness, steward(harness), dataset.id)
    assert shown.problem is not None
    assert shown.problem["type"].endswith(":archive-gone")
    assert "as its next version" in shown.problem["detail"]
    assert not shown.may_search_again
    assert row(harness, dataset.id).open_holds == {"text_not_scanned": 8}
    with harness.database.transaction() as session, pytest.raises(texts.ArchiveGone):
        texts.search_again(session, harness.storage, steward(harness), dataset.id)


@pytest.mark.slow
def test_a_search_that_failed_is_repeated_and_the_archive_deleted_after_it(
    own_harness: "WorkerHarness",
) -> None:
    harness = own_harness
    harness.environment["EXCHANGE_KEEP_ARCHIVES"] = "true"
    keeping = harness.start_worker()
    dataset_id = uploaded(harness)
    harness.until(lambda: row(harness, dataset_id).status == DatasetStatus.READY, "it is read")
    harness.kill_worker(keeping)
    dataset = row(harness, dataset_id)
    records = f"{dataset.read_key}/{RECORDS}"
    content = harness.stored(records)
    harness.storage.delete(records)
    with harness.database.transaction() as session:
        texts.begin_scan(session, dataset_id)
        texts.hold_for_texts(session, harness.storage, dataset_id)

    harness.environment["EXCHANGE_KEEP_ARCHIVES"] = "false"
    harness.start_worker()
    harness.until(lambda: scan(harness, dataset_id).status == TextScanStatus.FAILED, "it fails")
    shown = seen(harness, steward(harness), dataset_id)
    assert shown.problem is not None
    assert "Start the search again" in shown.problem["detail"]
    assert shown.may_search_again
    assert harness.storage.exists(dataset.archive_key or "")

    harness.storage.put(records, content)
    with harness.database.transaction() as session:
        texts.search_again(session, harness.storage, steward(harness), dataset_id)
    harness.until(
        lambda: scan(harness, dataset_id).status == TextScanStatus.DONE, "all was looked at", 120
    )
    harness.until(lambda: row(harness, dataset_id).archive_key is None, "the archive is deleted")
    assert not harness.storage.exists(dataset.archive_key or "")
    assert seen(harness, steward(harness), dataset_id).problem is None
    assert row(harness, dataset_id).open_holds == {"text_in_picture": 2}
    with harness.database.transaction() as session, pytest.raises(texts.NoFailedSearch):
        texts.search_again(session, harness.storage, steward(harness), dataset_id)


def seen(harness: "WorkerHarness", caller: Caller, dataset_id: str) -> TextsRead:
    with harness.database.reading() as session:
        return texts.read(session, harness.storage, caller, dataset_id)
