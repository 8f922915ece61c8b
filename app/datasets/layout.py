"""How an archive is read: what was found in it, and what a person says its folders mean."""

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.errors import Conflict, Invalid
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.datasets.schemas import LayoutRead
from app.models.dataset import Dataset, DatasetStatus
from iadd.intake.layout.mapping import Mapping, MappingError


class NoLayout(Conflict):
    code = "layout-not-known"
    title = "There is no layout yet"


class NotAwaitingMapping(Conflict):
    code = "dataset-not-awaiting-mapping"
    title = "The dataset does not await a mapping"


class MappingInvalid(Invalid):
    code = "mapping-invalid"
    title = "The layout cannot be used"


class LayoutOfAnotherArchive(Conflict):
    code = "layout-of-another-archive"
    title = "Another archive has arrived since"


def read(session: Session, caller: Caller, dataset_id: str) -> LayoutRead:
    """What was found, and how it is read. Raises DatasetNotFound, NoLayout."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    if dataset.layout is None and dataset.mapping is None:
        raise NoLayout(
            f"The dataset is {dataset.status.value}: its archive was not listed yet. Ask again "
            "when it is `awaiting_mapping` or `ready`.",
            dataset_status=dataset.status.value,
        )
    return LayoutRead(
        status=dataset.status,
        archive_sha256=dataset.sha256,
        layout=dataset.layout,
        mapping=dataset.mapping,
        confirmed_by=dataset.mapping_confirmed_by,
    )


def confirm(
    session: Session,
    caller: Caller,
    dataset_id: str,
    body: JsonObject,
    *,
    archive_sha256: str | None = None,
) -> Dataset:
    """`awaiting_mapping → checking`, with the mapping that a person confirmed.

    The same mapping a second time changes nothing.

    Raises DatasetNotFound, MappingInvalid, NotAwaitingMapping, LayoutOfAnotherArchive.
    """
    try:
        mapping = Mapping.from_dict(body).to_dict()
    except MappingError as error:
        raise MappingInvalid(f"{error} The dataset still awaits its mapping.") from None
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id, lock=True)
    if archive_sha256 is not None and archive_sha256 != dataset.sha256:
        raise LayoutOfAnotherArchive(
            "The layout belongs to an archive that another one has replaced. Nothing was "
            f"changed. Read the layout again: GET /api/v1/datasets/{dataset_id}/layout."
        )
    if dataset.status == DatasetStatus.CHECKING and dataset.mapping == mapping:
        return dataset
    if not may_be_mapped(dataset):
        raise NotAwaitingMapping(_advice(dataset), dataset_status=dataset.status.value)
    dataset.status = DatasetStatus.CHECKING
    dataset.mapping = mapping
    dataset.mapping_confirmed_by = caller.name
    dataset.problem = None
    session.flush()
    enqueue_after_commit(session, Task.CHECK_DATASET, dataset.id)
    # The mapping itself may hold names of folders.
    record(session, caller, Action.LAYOUT_CONFIRMED, dataset.id)
    return dataset


def may_be_mapped(dataset: Dataset) -> bool:
    """True while it waits for a mapping, and after one that led to no dataset."""
    if dataset.archive_key is None or dataset.is_sample:
        return False
    tried = dataset.status == DatasetStatus.REJECTED and dataset.layout is not None
    return tried or dataset.status == DatasetStatus.AWAITING_MAPPING


def _advice(dataset: Dataset) -> str:
    advice = {
        DatasetStatus.AWAITING_UPLOAD: "Upload its archive first.",
        DatasetStatus.CHECKING: "It is being read with the mapping that was confirmed before.",
        DatasetStatus.READY: "It was read already; make a new version to read it in another way.",
        DatasetStatus.REJECTED: "Upload another archive.",
    }
    return f"The dataset is {dataset.status.value}. Nothing was changed. " + advice.get(
        dataset.status, ""
    )
