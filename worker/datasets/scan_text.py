"""Looks for burned-in text in a dataset's pictures, a slice at a time.

Between two slices the row is free: other checks get their turn, and a worker that stops or dies
costs one slice.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.core import leases
from app.core.errors import problem_dict
from app.core.queue import Task, enqueue_after_commit
from app.core.types import JsonObject
from app.datasets.archives import forget_archive
from app.datasets.texts import (
    TEXT,
    found_texts,
    hold_for_texts,
    looked_at,
    picture_key,
    store_texts,
)
from app.models import Dataset, Organisation, TextScan, TextScanStatus
from iadd.intake.quality.findings import Finding
from iadd.intake.read import RECORDS
from iadd.runtime.progress import Progress
from worker.datasets.reader_process import run_reader
from worker.jobs.lease import ClaimedRow
from worker.jobs.progress import Throttle
from worker.jobs.runner import JobKind, run_job
from worker.services import Services

logger = logging.getLogger(__name__)

SLICE_SECONDS = 60.0


class ArchiveGoneError(RuntimeError):
    """The archive is gone although pictures are left that nobody looked at."""


def scan(scan_id: str) -> bool:
    """Look at the next slice if no other worker does."""
    return run_job(_KIND, scan_id, _scan)


def _scan(services: Services, claimed: ClaimedRow, row: TextScan) -> Callable[[], None]:
    with services.database.reading() as session:
        dataset = session.get_one(Dataset, row.dataset_id)
        key = session.get_one(Organisation, dataset.organisation_id).intake_key
    if dataset.archive_key is None or dataset.read_key is None:
        raise ArchiveGoneError
    storage = services.storage
    throttle = Throttle(1.0)

    def report(progress: Progress) -> None:
        claimed.check()
        if throttle.lets_through(at_once=False):
            claimed.write(done=progress.done, total=progress.total)

    with services.scratch() as scratch:
        try:
            storage.download(dataset.archive_key, scratch / "archive")
        except FileNotFoundError as error:
            raise ArchiveGoneError from error
        storage.download(f"{dataset.read_key}/{RECORDS}", scratch / RECORDS)
        start, known = _looked_at(services, dataset.id)
        outcome = run_reader(
            {
                "task": "scan",
                "key": key,
                "source": str(scratch / "archive"),
                "records": str(scratch / RECORDS),
                "out": str(scratch),
                "mapping": dataset.mapping,
                "start": start,
                "seconds": SLICE_SECONDS,
            },
            on_progress=report,
            check=claimed.check,
        )
        for one in outcome["found"]:
            storage.put(picture_key(dataset.id, one["path"]), scratch / f"{one['path']}.png")
    found = [*known, *outcome["found"]]
    # Last: what it says was looked at is stored by then.
    store_texts(storage, dataset.id, outcome["done"], found)
    if outcome["done"] < outcome["total"]:
        return lambda: _go_on(services, claimed, outcome, len(found))
    return lambda: _end(services, claimed, row, found=len(found), total=outcome["total"])


def _looked_at(services: Services, dataset_id: str) -> tuple[int, list[JsonObject]]:
    """How many pictures earlier slices looked at, and those with text."""
    return looked_at(services.storage, dataset_id), found_texts(services.storage, dataset_id)


def _go_on(services: Services, claimed: ClaimedRow, outcome: JsonObject, found: int) -> None:
    """Leave the next slice to whoever is free."""
    with services.database.transaction() as session:
        leases.release(
            session,
            TextScan,
            claimed.row_id,
            fence=claimed.fencing_token,
            done=outcome["done"],
            total=outcome["total"],
            found=found,
        )
        enqueue_after_commit(session, Task.SCAN_TEXT, claimed.row_id)


def _end(services: Services, claimed: ClaimedRow, row: TextScan, *, found: int, total: int) -> None:
    """Write down that every picture was looked at, and what holds a release from now on."""
    with services.database.transaction() as session:
        leases.release(
            session,
            TextScan,
            claimed.row_id,
            fence=claimed.fencing_token,
            status=TextScanStatus.DONE,
            found=found,
            done=total,
            total=total,
        )
        waiting = hold_for_texts(session, services.storage, row.dataset_id)
        quality_key = session.get_one(Dataset, row.dataset_id).quality_key
    if quality_key is not None and waiting:
        _report(services, quality_key, waiting)
    forget_archive(services.settings, services.database, services.storage, row.dataset_id)
    logger.info("%s: %d pictures with text", row.dataset_id, found)


def _report(services: Services, quality_key: str, waiting: list[JsonObject]) -> None:
    """Add the finding to the quality report, as composing anew would."""
    quality: dict[str, Any] = json.loads(services.storage.get(quality_key))
    others = [one for one in quality["findings"] if one["code"] != TEXT]
    names = tuple(one["shown"] for one in waiting)
    finding = {**Finding(TEXT, len(waiting), names).to_dict(), "has_picture": False}
    quality["findings"] = [finding, *others]
    services.storage.put(quality_key, json.dumps(quality).encode())


def _problem(error: Exception) -> dict[str, Any]:
    if isinstance(error, ArchiveGoneError):
        return problem_dict(
            code="archive-gone",
            title="The search for text was not finished",
            status=409,
            detail="The archive was deleted before all its pictures were searched, as it is when "
            "files are withdrawn. The dataset can be used, and nothing distilled from it is "
            "released. Upload the archive again, without withdrawn files, as its next version.",
        )
    return problem_dict(
        code="text-scan-failed",
        title="The pictures could not be searched for text",
        status=500,
        detail=f"An unexpected error ({type(error).__name__}) ended the search. The dataset is as "
        "it was, the archive is kept, and nothing distilled from it is released. Start the search "
        "again; if that fails too, give the operator the id of this dataset.",
    )


def _fail(session: Session, claimed: ClaimedRow, problem: JsonObject) -> None:
    leases.release(
        session,
        TextScan,
        claimed.row_id,
        fence=claimed.fencing_token,
        status=TextScanStatus.FAILED,
        problem=problem,
    )


_KIND = JobKind(
    model=TextScan,
    task=Task.SCAN_TEXT,
    claim=lambda session, row_id, **lease: leases.claim(
        session, TextScan, row_id, statuses=(TextScanStatus.WAITING,), **lease
    ),
    problem=_problem,
    fail=_fail,
)
