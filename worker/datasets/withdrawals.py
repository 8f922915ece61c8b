"""Removes withdrawn images from the archive of a dataset, before it is checked anew.

Every step can be repeated: the archive without them lies under a key that follows from the
withdrawal's id, and the number of removed files beside it. Only when both are stored is the old
archive deleted, with all that was computed from its images.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import problem_dict
from app.core.storage import Storage
from app.core.types import JsonObject
from app.datasets.purge import purge_derived
from app.models import Dataset
from app.withdrawals.service import files_key, is_named
from worker.datasets.remove_files import write_without
from worker.jobs.lease import ClaimedRow
from worker.services import Services

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemovedFiles:
    """Result of a removal.

    Attributes:
        images: Number of removed files; at 0 the archive is the old one.
        columns: Columns of the dataset's row about the new archive: key, size and hash.
    """

    images: int
    columns: JsonObject


NOTHING_NAMED = problem_dict(
    code="files-not-found",
    title="None of these files is in the dataset",
    status=422,
    detail="No file of the archive has one of these names, so nothing was removed, and nobody was "
    "notified. The quality report lists names as the archive has them; a folder ends in `/`.",
)


def remove_files(
    services: Services, claimed: ClaimedRow, dataset: Dataset, scratch: Path
) -> RemovedFiles:
    """Store the archive without the withdrawn files, and delete the one with them.

    Raises FileNotFoundError when the archive is no longer stored.
    """
    storage, withdrawal_id = services.storage, dataset.withdrawal_id
    assert withdrawal_id is not None, "only a withdrawal leads here"
    key = f"datasets/{dataset.id}/archive-{withdrawal_id}"
    record_key = f"withdrawals/{withdrawal_id}/taken-out.json"
    stored = storage.find(record_key)
    if stored is None:
        removed = _write(services, claimed, dataset, scratch, key)
        if removed.images == 0:
            storage.delete_folder(f"withdrawals/{withdrawal_id}")
            return removed
        stored = json.dumps({"images": removed.images, "columns": removed.columns}).encode()
        storage.put(record_key, stored)
    _delete_others(storage, dataset.id, key)
    purge_derived(services.database, storage, dataset.id)
    document = json.loads(stored)
    return RemovedFiles(document["images"], document["columns"])


def forget_names(storage: Storage, withdrawal_id: str) -> None:
    """Delete the names of patients' files once they are no longer needed."""
    storage.delete_folder(f"withdrawals/{withdrawal_id}")


def _write(
    services: Services, claimed: ClaimedRow, dataset: Dataset, scratch: Path, key: str
) -> RemovedFiles:
    if dataset.archive_key is None or dataset.withdrawal_id is None:
        raise FileNotFoundError(f"{dataset.id} has no archive")
    files = set(json.loads(services.storage.get(files_key(dataset.withdrawal_id))))
    old, new = scratch / "old", scratch / "new"
    services.storage.download(dataset.archive_key, old)
    claimed.check()
    images = write_without(old, new, lambda name: is_named(name, files), on_entry=claimed.check)
    old.unlink()
    if images:
        services.storage.put(key, new)
    with new.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    columns = {"archive_key": key, "size": new.stat().st_size, "sha256": digest}
    new.unlink()
    return RemovedFiles(images, columns if images else {})


def _delete_others(storage: Storage, dataset_id: str, key: str) -> None:
    kept = key.rpartition("/")[2]
    for info in list(storage.list(f"datasets/{dataset_id}")):
        name = info.key.rpartition("/")[2]
        if name.startswith("archive-") and name != kept:
            storage.delete(info.key)
