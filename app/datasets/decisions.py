"""What a steward decides about the findings of a quality report."""

import json
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.errors import Conflict, Invalid, NotFound
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.core.storage import Storage
from app.core.stored import find_json
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.datasets.schemas import DecisionCreate
from app.datasets.service import refuse_while_in_use
from app.models.dataset import Dataset, DatasetStatus

BEFORE = "before"
"""Decisions that a dataset was composed with before the present ones."""


class FindingNotFound(NotFound):
    code = "finding-not-found"
    title = "No such finding"


class CannotDecide(Conflict):
    code = "dataset-cannot-change"
    title = "The images of this dataset cannot change any more"


class DecisionInvalid(Invalid):
    code = "decision-invalid"
    title = "This decision does not fit the finding"


def decide(
    session: Session,
    storage: Storage,
    caller: Caller,
    dataset_id: str,
    code: str,
    body: DecisionCreate,
) -> Dataset:
    """Write a decision down. What changes images has the dataset composed anew.

    Raises DatasetNotFound, FindingNotFound, DecisionInvalid, CannotDecide, DatasetInUse.
    """
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id, lock=True)
    finding = _finding(storage, dataset, code)
    if body.action == "accept":
        _accept(dataset, code)
    else:
        refuse_while_in_use(session, dataset)
        may_change(session, dataset)
        decisions = _decisions(dataset)
        if body.action == "merge":
            _merge(decisions, dataset, body.merge)
        else:
            if body.action not in (finding["action"], "leave_out"):
                raise DecisionInvalid(
                    f"`{body.action}` is not offered for {code}. Nothing was changed. Offered are "
                    f"`{finding['action']}`, `leave_out` and `accept`."
                )
            _apply(decisions, body.action, _files(storage, dataset, code))
        compose_anew(session, dataset, decisions)
    record(session, caller, Action.FINDING_DECIDED, dataset.id, finding=code, decision=body.action)
    return dataset


def reset(session: Session, caller: Caller, dataset_id: str) -> Dataset:
    """Take all decisions about a dataset back and compose it anew.

    Raises DatasetNotFound, CannotDecide, DatasetInUse.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    refuse_while_in_use(session, dataset)
    may_change(session, dataset)
    compose_anew(session, dataset, {})
    record(session, caller, Action.DECISIONS_RESET, dataset.id)
    return dataset


def compose_anew(session: Session, dataset: Dataset, decisions: JsonObject) -> None:
    """`ready → checking` with other decisions.

    The present ones are kept beside them: where the new ones leave nothing that a classifier can
    learn from, the dataset stays as it is.
    """
    before = {name: value for name, value in (dataset.decisions or {}).items() if name != BEFORE}
    dataset.decisions = {**decisions, BEFORE: before}
    dataset.status, dataset.problem = DatasetStatus.CHECKING, None
    session.flush()
    enqueue_after_commit(session, Task.CHECK_DATASET, dataset.id)


def settled(decisions: JsonObject | None) -> JsonObject:
    """The decisions of a dataset that was composed with them."""
    return {name: value for name, value in (decisions or {}).items() if name != BEFORE}


def _finding(storage: Storage, dataset: Dataset, code: str) -> JsonObject:
    report = None if dataset.quality_key is None else find_json(storage, dataset.quality_key)
    for finding in (report or {}).get("findings", []):
        if finding["code"] == code:
            found: JsonObject = finding
            return found
    raise FindingNotFound(
        f"The quality report has no finding `{code}`. Nothing was changed. "
        f"GET /api/v1/datasets/{dataset.id}/quality lists its findings."
    )


def may_change(session: Session, dataset: Dataset) -> None:
    """Raises CannotDecide where the images of a dataset must stay as they are."""
    if dataset.status != DatasetStatus.READY or dataset.read_key is None:
        raise CannotDecide(
            f"The dataset is {dataset.status.value}, or was read by an older version of this "
            "portal. Nothing was changed. Upload the archive as its next version."
        )
    if DatasetRepository(session).distillations(dataset.id):
        raise CannotDecide(
            "Images were distilled from it already, and their reports describe it as it is. "
            "Nothing was changed. Upload the archive as its next version and decide there, or "
            "withdraw the files."
        )


def _decisions(dataset: Dataset) -> JsonObject:
    return json.loads(json.dumps(dataset.decisions or {}))  # type: ignore[no-any-return]


def _accept(dataset: Dataset, code: str) -> None:
    decisions = _decisions(dataset)
    decisions["accepted"] = sorted({*decisions.get("accepted", ()), code})
    dataset.decisions = decisions
    dataset.open_holds = {
        name: count for name, count in (dataset.open_holds or {}).items() if name != code
    }


def _merge(decisions: JsonObject, dataset: Dataset, merge: dict[str, str]) -> None:
    classes = set(dataset.classes or {})
    if not merge or not {*merge, *merge.values()} <= classes or set(merge) & set(merge.values()):
        raise DecisionInvalid(
            "`merge` names for each class the class that it becomes part of: both must be classes "
            "of this dataset, and no class may be on both sides. Nothing was changed."
        )
    # A class that others were merged into before takes them along.
    before = {name: merge.get(into, into) for name, into in decisions.get("merge", {}).items()}
    decisions["merge"] = {**before, **merge}


def _files(storage: Storage, dataset: Dataset, code: str) -> Sequence[str]:
    files: dict[str, list[str]] = find_json(storage, finding_files_key(dataset.id)) or {}
    if not files.get(code):
        raise DecisionInvalid(
            f"{code} names no pictures that this could be done to; accept it instead. Nothing was "
            "changed."
        )
    return files[code]


def _apply(decisions: JsonObject, action: str, files: Sequence[str]) -> None:
    decided = set(decisions.get(action, ()))
    # To turn a picture twice is to leave it as it was.
    decisions[action] = sorted(decided ^ set(files) if action == "turn" else decided | set(files))


def open_holds(findings: Sequence[JsonObject], accepted: Sequence[str]) -> JsonObject:
    """The findings that hold a release, with their counts."""
    return {
        finding["code"]: finding["count"]
        for finding in findings
        if finding["severity"] == "hold" and finding["code"] not in accepted
    }


def finding_files_key(dataset_id: str) -> str:
    return f"datasets/{dataset_id}/finding-files.json"
