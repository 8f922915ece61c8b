"""Text that is burned into pictures: what was found, and what a steward decides about each."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.db import Database
from app.core.errors import Conflict, Invalid, NotFound
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.core.storage import Storage
from app.core.stored import parse_json
from app.core.types import JsonObject
from app.datasets.decisions import compose_anew, may_change
from app.datasets.repository import DatasetRepository
from app.datasets.schemas import TextFoundRead, TextsRead
from app.datasets.service import refuse_while_in_use
from app.models.dataset import Dataset, DatasetStatus
from app.models.text_scan import TextScan, TextScanStatus

NOT_SCANNED = "text_not_scanned"
"""Holds a release while pictures are left that nobody looked at for text."""
TEXT = "text_in_picture"

Decision = Literal["keep", "blank", "leave_out"]


class TextNotFound(NotFound):
    code = "text-not-found"
    title = "No such picture with text"


class TextsNotDecidable(Conflict):
    code = "texts-not-decidable"
    title = "Nothing can be decided about these texts now"


class NoFailedSearch(Conflict):
    code = "text-search-not-failed"
    title = "There is no search to repeat"


class ArchiveGone(Conflict):
    code = "archive-gone"
    title = "The search for text cannot be repeated"


class TextDecisionInvalid(Invalid):
    code = "text-decision-invalid"
    title = "This decision names unknown pictures"


def found_key(dataset_id: str) -> str:
    """JSON lines: how many were looked at, then each picture with text (`FoundText.to_dict`)."""
    return f"datasets/{dataset_id}/texts/found.jsonl"


def picture_key(dataset_id: str, path: str) -> str:
    return f"datasets/{dataset_id}/texts/{path}.png"


def scan_of(session: Session, dataset_id: str) -> TextScan | None:
    return session.scalar(select(TextScan).where(TextScan.dataset_id == dataset_id))


def begin_scan(session: Session, dataset_id: str) -> None:
    """Look for text in a dataset that was read from a new archive."""
    scan = scan_of(session, dataset_id)
    if scan is None:
        scan = TextScan(dataset_id=dataset_id)
        session.add(scan)
    scan.status, scan.done, scan.total, scan.found = TextScanStatus.WAITING, 0, None, 0
    scan.problem, scan.takeovers = None, 0
    session.flush()
    enqueue_after_commit(session, Task.SCAN_TEXT, scan.id)


def search_again(session: Session, storage: Storage, caller: Caller, dataset_id: str) -> TextScan:
    """`failed → waiting`: what was searched is kept, and the search goes on after it.

    Raises DatasetNotFound, NoFailedSearch, ArchiveGone.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    scan = scan_of(session, dataset_id)
    if scan is None or scan.status != TextScanStatus.FAILED:
        raise NoFailedSearch(
            "No search for text in this dataset has failed. Nothing was changed. "
            f"GET /api/v1/datasets/{dataset_id}/texts says how far it is.",
            dataset_status=dataset.status.value,
        )
    if not has_archive(storage, dataset):
        raise ArchiveGone(
            "The archive of this dataset was deleted, and text is searched in its pictures alone. "
            "Nothing was changed. Upload the archive again as the dataset's next version.",
            dataset_status=dataset.status.value,
        )
    scan.status, scan.problem, scan.takeovers = TextScanStatus.WAITING, None, 0
    session.flush()
    enqueue_after_commit(session, Task.SCAN_TEXT, scan.id)
    record(session, caller, Action.TEXT_SEARCH_REPEATED, dataset_id)
    return scan


def has_archive(storage: Storage, dataset: Dataset) -> bool:
    """True while text can be searched: pictures were read, and are still there at full size."""
    return (
        dataset.read_key is not None
        and dataset.archive_key is not None
        and storage.exists(dataset.archive_key)
    )


def found_texts(storage: Storage, dataset_id: str) -> list[JsonObject]:
    """Every picture with text that was found so far."""
    key = found_key(dataset_id)
    content = storage.find(key)
    return [] if content is None else [parse_json(key, line) for line in content.splitlines()[1:]]


def looked_at(storage: Storage, dataset_id: str) -> int:
    """Count the pictures that were looked at so far."""
    key = found_key(dataset_id)
    content = storage.find(key)
    return 0 if content is None else int(parse_json(key, content.splitlines()[0])["done"])


def decided(dataset: Dataset) -> Mapping[str, Decision]:
    """The decision about each picture, by its hash."""
    decisions = dataset.decisions or {}
    return {
        **dict.fromkeys(decisions.get("keep_text", ()), "keep"),
        **dict.fromkeys(decisions.get("blank", ()), "blank"),
        **dict.fromkeys(decisions.get("leave_out", ()), "leave_out"),
    }


def read(session: Session, storage: Storage, caller: Caller, dataset_id: str) -> TextsRead:
    """The state of the scan, and each picture with text. Raises DatasetNotFound."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    scan = scan_of(session, dataset_id)
    failed = scan is not None and scan.status == TextScanStatus.FAILED
    known = decided(dataset)
    return TextsRead(
        status="not_scanned" if scan is None else scan.status.value,
        done=0 if scan is None else scan.done,
        total=None if scan is None else scan.total,
        problem=scan.problem if failed and scan is not None else None,
        may_search_again=failed and has_archive(storage, dataset),
        items=[
            TextFoundRead(
                file=one["path"],
                name=one["shown"],
                boxes=one["boxes"],
                picture=f"/api/v1/datasets/{dataset_id}/texts/{one['path']}/picture",
                decision=known.get(one["path"]),
            )
            for one in found_texts(storage, dataset_id)
        ],
    )


def see_picture(
    database: Database, storage: Storage, caller: Caller, dataset_id: str, file: str
) -> bytes:
    """A PNG of a picture with text, for the person who decides. Raises as above, TextNotFound."""
    with database.reading() as session:
        dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    content = None
    if file.isalnum() and len(file) <= 64:
        content = storage.find(picture_key(dataset.id, file))
    if content is None:
        raise TextNotFound(
            "There is no picture of this id, or it was decided about and forgotten. "
            f"GET /api/v1/datasets/{dataset_id}/texts lists those that are left."
        )
    with database.transaction() as session:
        record(session, caller, Action.IMAGES_SEEN, dataset_id)
    return content


def decide(
    session: Session,
    storage: Storage,
    caller: Caller,
    dataset_id: str,
    choices: Mapping[str, Decision],
) -> Dataset:
    """Decide about pictures with text; to blank or leave out composes the dataset anew.

    Raises DatasetNotFound, TextDecisionInvalid, TextsNotDecidable, CannotDecide, DatasetInUse.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    found = {one["path"]: one for one in found_texts(storage, dataset_id)}
    if unknown := choices.keys() - found.keys():
        raise TextDecisionInvalid(
            f"{len(unknown)} of these pictures are none in which text was found. Nothing was "
            f"changed. GET /api/v1/datasets/{dataset_id}/texts lists them."
        )
    if dataset.status != DatasetStatus.READY:
        raise TextsNotDecidable(
            f"The dataset is {dataset.status.value}. Nothing was changed. Try again when it is "
            "`ready`.",
            dataset_status=dataset.status.value,
        )
    changes_images = any(choice != "keep" for choice in choices.values())
    if changes_images:
        refuse_while_in_use(session, dataset)
        may_change(session, dataset)
    decisions = _with(dataset, found, choices)
    if changes_images:
        compose_anew(session, dataset, decisions)
    else:
        dataset.decisions = decisions
        session.flush()
        hold_for_texts(session, storage, dataset_id)
    made = list(choices.values())
    record(
        session,
        caller,
        Action.FINDING_DECIDED,
        dataset.id,
        finding=TEXT,
        keep=made.count("keep"),
        blank=made.count("blank"),
        leave_out=made.count("leave_out"),
    )
    return dataset


def _with(
    dataset: Dataset, found: Mapping[str, JsonObject], choices: Mapping[str, Decision]
) -> JsonObject:
    """The decisions of a dataset with these; the last one about a picture counts."""
    decisions: dict[str, Any] = json.loads(json.dumps(dataset.decisions or {}))
    keep, left = set(decisions.get("keep_text", ())), set(decisions.get("leave_out", ()))
    blank = dict(decisions.get("blank", {}))
    for path, choice in choices.items():
        keep.discard(path)
        left.discard(path)
        blank.pop(path, None)
        if choice == "keep":
            keep.add(path)
        elif choice == "leave_out":
            left.add(path)
        else:
            blank[path] = found[path]["boxes"]
    return {**decisions, "keep_text": sorted(keep), "leave_out": sorted(left), "blank": blank}


def hold_for_texts(session: Session, storage: Storage, dataset_id: str) -> list[JsonObject]:
    """Write into the row which texts hold a release, and whether pictures are left to look at.

    Returns:
        The pictures whose text nobody has decided about.
    """
    # Composing and the search for text both end here: the row is theirs one after the other.
    dataset = session.get_one(Dataset, dataset_id, with_for_update=True, populate_existing=True)
    scan = scan_of(session, dataset_id)
    known = decided(dataset)
    waiting = [one for one in found_texts(storage, dataset_id) if one["path"] not in known]
    holds = {
        code: count
        for code, count in (dataset.open_holds or {}).items()
        if code not in (TEXT, NOT_SCANNED)
    }
    if waiting:
        holds[TEXT] = len(waiting)
    if scan is not None and scan.status != TextScanStatus.DONE:
        holds[NOT_SCANNED] = sum(
            sum(splits.values()) for splits in (dataset.classes or {}).values()
        )
    dataset.open_holds = holds
    session.flush()
    return waiting


def forget_texts(storage: Storage, dataset_id: str, kept: Collection[str]) -> None:
    """Delete what was found in pictures that are no longer among these; safe to repeat."""
    found = found_texts(storage, dataset_id)
    gone = [one["path"] for one in found if one["path"] not in kept]
    if gone:
        left = [one for one in found if one["path"] in kept]
        storage.delete(*(picture_key(dataset_id, path) for path in gone))
        store_texts(storage, dataset_id, looked_at(storage, dataset_id), left)


def store_texts(storage: Storage, dataset_id: str, done: int, found: Sequence[JsonObject]) -> None:
    """Store how many pictures were looked at, and those with text."""
    lines = [json.dumps({"done": done}), *map(json.dumps, found)]
    storage.put(found_key(dataset_id), "\n".join(lines).encode())
