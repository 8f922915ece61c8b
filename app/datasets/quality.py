"""The quality report of a dataset, and the files that were left out.

Reports are read and searched before the audit log is written, so that no reader holds up a writer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from app.audit.log import Action, record
from app.core.db import Database
from app.core.errors import Conflict
from app.core.security import Caller
from app.core.storage import Storage
from app.core.stored import damaged, find_json, parse_json
from app.datasets.findings import PAGE, FoundFiles, group, search
from app.datasets.repository import DatasetRepository
from app.datasets.service import refused_key
from app.models.dataset import Dataset, DatasetStatus
from app.models.organisation import Organisation
from iadd.intake.deidentify.names import mask_path


class QualityNotReady(Conflict):
    code = "quality-report-not-ready"
    title = "There is no quality report yet"


def see_report(
    database: Database, storage: Storage, caller: Caller, dataset_id: str
) -> dict[str, Any]:
    """Read the report, and write down that it was seen. It lists no more than a page of files.

    Raises DatasetNotFound, QualityNotReady.
    """
    report = _report(database, storage, caller, dataset_id)
    if len(report.get("refused", ())) > PAGE:
        groups = [asdict(one) for one in group(report)]
        report |= {"refused_groups": groups, "refused": report["refused"][:PAGE]}
    _write_down(database, caller, dataset_id)
    return report


def see_refused_files(
    database: Database,
    storage: Storage,
    caller: Caller,
    dataset_id: str,
    *,
    code: str = "",
    text: str = "",
    page: int = 1,
) -> FoundFiles:
    """One page of the files that were left out. Raises as above."""
    report = _report(database, storage, caller, dataset_id)
    files: Iterable[Mapping[str, str]]
    try:
        key = refused_key(dataset_id)
        files = (parse_json(key, line) for line in storage.lines(key))
    except FileNotFoundError:
        # Reports of version 0.2 list every file themselves.
        files = report.get("refused", [])
    found = search(files, code=code, words=_words(database, caller, text), page=page)
    _write_down(database, caller, dataset_id)
    return found


def _report(
    database: Database, storage: Storage, caller: Caller, dataset_id: str
) -> dict[str, Any]:
    with database.reading() as session:
        dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    report = None if dataset.quality_key is None else find_json(storage, dataset.quality_key)
    if report is None:
        raise _not_ready(dataset)
    if not isinstance(report, dict):
        raise damaged(dataset.quality_key or "", "it is no object")
    return report


def _not_ready(dataset: Dataset) -> QualityNotReady:
    advice = {
        DatasetStatus.AWAITING_UPLOAD: "PUT the archive first.",
        DatasetStatus.AWAITING_MAPPING: "Confirm its layout first: GET "
        f"/api/v1/datasets/{dataset.id}/layout.",
        DatasetStatus.CHECKING: "Ask again when the dataset is ready.",
        DatasetStatus.REJECTED: "The archive could not be read far enough to list its files; the "
        "dataset's `problem` says why.",
    }
    return QualityNotReady(
        f"The dataset is {dataset.status.value}. {advice.get(dataset.status, '')}",
        dataset_status=dataset.status.value,
    )


def _write_down(database: Database, caller: Caller, dataset_id: str) -> None:
    with database.transaction() as session:
        record(session, caller, Action.QUALITY_SEEN, dataset_id)


def _words(database: Database, caller: Caller, text: str) -> list[str]:
    """A name as it was typed, and as it is stored: what could name a patient is hashed there."""
    typed = text.strip()
    if not typed:
        return []
    with database.reading() as session:
        key = session.get_one(Organisation, caller.organisation_id).intake_key
    return [typed, mask_path(tuple(typed.split("/")), set(), bytes.fromhex(key))]
