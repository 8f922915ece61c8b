"""Removes withdrawn images from what is stored of a dataset, before it is composed anew.

Every step can be repeated: the pictures without them lie in a folder that follows from the
withdrawal's id, and the number of removed images beside the names. Only when both are stored are
the old pictures deleted, with the archive and all that was computed from them.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import problem_dict
from app.core.storage import Storage
from app.core.types import JsonObject
from app.datasets.purge import purge_derived
from app.datasets.texts import forget_texts
from app.models import Dataset
from app.withdrawals.service import files_key
from iadd.intake.read import READ_FILES, RECORDS
from iadd.intake.records import read_records
from iadd.intake.withdraw import withdraw
from worker.datasets.reader_process import run_reader
from worker.jobs.lease import ClaimedRow
from worker.services import Services


@dataclass(frozen=True)
class RemovedFiles:
    """Result of a removal.

    Attributes:
        images: Number of removed images; at 0 nothing has changed.
        read_key: Folder of the pictures without them.
    """

    images: int
    read_key: str


NOTHING_NAMED = problem_dict(
    code="files-not-found",
    title="None of these files is in the dataset",
    status=422,
    detail="No image of the dataset has one of these names, so nothing was removed, and nobody was "
    "notified. Name files as the archive does or as the quality report shows them; a folder ends "
    "in `/`.",
)


def remove_files(
    services: Services,
    claimed: ClaimedRow,
    dataset: Dataset,
    scratch: Path,
    request: JsonObject,
) -> RemovedFiles:
    """Store the pictures without the withdrawn files, and delete those with them.

    Args:
        services: Of this process.
        claimed: The dataset's row.
        dataset: It names the withdrawal.
        scratch: A folder.
        request: For `run_reader`, where an archive of version 0.2 is to be read.

    Raises:
        FileNotFoundError: Neither pictures nor an archive are stored.
    """
    storage, withdrawal_id = services.storage, dataset.withdrawal_id
    assert withdrawal_id is not None, "only a withdrawal leads here"
    key = f"datasets/{dataset.id}/read-{withdrawal_id}"
    record_key = f"withdrawals/{withdrawal_id}/taken-out.json"
    stored = storage.find(record_key)
    if stored is None:
        left = scratch / "left"
        left.mkdir()
        images = _take_out(services, claimed, dataset, scratch, left, request)
        if images == 0:
            storage.delete_folder(f"withdrawals/{withdrawal_id}")
            return RemovedFiles(0, key)
        for name in READ_FILES:
            storage.put(f"{key}/{name}", left / name)
        stored = json.dumps({"images": images}).encode()
        storage.put(record_key, stored)
    _delete_others(storage, dataset.id, key)
    storage.download(f"{key}/{RECORDS}", scratch / "kept")
    forget_texts(storage, dataset.id, {record.path for record in read_records(scratch / "kept")})
    purge_derived(services.database, storage, dataset.id)
    return RemovedFiles(json.loads(stored)["images"], key)


def forget_names(storage: Storage, withdrawal_id: str) -> None:
    """Delete the names of patients' files once they are no longer needed."""
    storage.delete_folder(f"withdrawals/{withdrawal_id}")


def _take_out(
    services: Services,
    claimed: ClaimedRow,
    dataset: Dataset,
    scratch: Path,
    left: Path,
    request: JsonObject,
) -> int:
    storage = services.storage
    named = json.loads(storage.get(files_key(dataset.withdrawal_id or "")))
    if dataset.read_key is not None:
        before = scratch / "before"
        before.mkdir()
        for name in READ_FILES:
            storage.download(f"{dataset.read_key}/{name}", before / name)
        claimed.check()
        return withdraw(before, left, hashes=named["hashes"], shown=named["shown"])
    if dataset.archive_key is None:
        raise FileNotFoundError(f"{dataset.id} has neither pictures nor an archive")
    archive = scratch / "old"
    storage.download(dataset.archive_key, archive)
    outcome = run_reader(
        {**request, "source": str(archive), "out": str(left), "withdrawn": named["hashes"]},
        on_progress=lambda _: None,
        check=claimed.check,
    )
    archive.unlink()
    ignored = {one["reason"]: one["count"] for one in (outcome["quality"] or {}).get("ignored", ())}
    return int(ignored.get("withdrawn", 0))


def _delete_others(storage: Storage, dataset_id: str, key: str) -> None:
    """Delete archives and earlier pictures of the dataset."""
    for info in list(storage.list(f"datasets/{dataset_id}")):
        name = info.key.removeprefix(f"datasets/{dataset_id}/")
        if name.startswith(("archive-", "read")) and not info.key.startswith(f"{key}/"):
            storage.delete(info.key)
