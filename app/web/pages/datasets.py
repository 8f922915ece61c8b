"""Pages of datasets: list, create, show, delete."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.datasets import service, texts
from app.datasets.findings import group
from app.datasets.layout import may_be_mapped
from app.datasets.purge import purge_dataset
from app.datasets.repository import ACCEPTS_UPLOAD, DatasetRepository
from app.datasets.sample import make_sample
from app.datasets.schemas import DatasetCreate
from app.distillations.repository import DistillationRepository
from app.ledgers import service as ledgers
from app.models.dataset import DatasetStatus
from app.web.dependencies import Deleter, Reader, Uploader
from app.web.forms import Sent, checked, confirmed
from app.web.pages.checks import read_check
from app.web.pages.findings import quality_of
from app.web.pages.texts import can_change
from app.web.quality_view import accounting_of, cards_of, changed_files, charts_of, decided
from app.web.render import go_to, page
from app.withdrawals.lineage import newest_releases

router = APIRouter()

ROWS = 50
NEWEST = 10
"""Distillations and releases on the page of a dataset; their own lists have them all."""


@router.get("/datasets")
def show_datasets(
    request: Request, session: ReadSession, caller: Reader, cursor: Cursor = None
) -> Response:
    datasets = DatasetRepository(session).readable_by(caller).page(cursor=cursor, limit=ROWS)
    return page(request, "datasets/list.html", datasets=datasets, is_first=cursor is None)


@router.get("/datasets/new")
def show_new_dataset(
    request: Request, session: ReadSession, caller: Uploader, previous: str | None = None
) -> Response:
    follows = None
    if previous is not None:
        follows = DatasetRepository(session).readable_by(caller).get(previous)
    return page(request, "datasets/new.html", follows=follows)


@router.post("/datasets/new")
def create_dataset(
    request: Request,
    session: WriteSession,
    caller: Uploader,
    name: Sent[str] = "",
    description: Sent[str] = "",
    previous_id: Sent[str] = "",
) -> Response:
    body = checked(
        DatasetCreate, name=name, description=description, previous_id=previous_id or None
    )
    dataset = service.create(session, caller, body)
    return go_to(request, f"/datasets/{dataset.id}")


@router.post("/datasets/sample")
def create_sample(request: Request, session: WriteSession, caller: Uploader) -> Response:
    sample, made = make_sample(session, caller)
    return go_to(request, f"/datasets/{sample.id}", None if made else "note-sample-there")


@router.get("/datasets/{dataset_id}")
def show_dataset(
    request: Request, portal: PortalDep, session: ReadSession, caller: Reader, dataset_id: str
) -> Response:
    quality = quality_of(portal, caller, dataset_id)
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    is_ready = dataset.status == DatasetStatus.READY
    thumbnails = service.thumbnails(session, portal.storage, caller, dataset_id) if is_ready else []
    distillations = DistillationRepository(session).readable_by(caller)
    found = distillations.page(dataset_id=dataset_id, cursor=None, limit=NEWEST)
    changes = changed_files(portal.storage, dataset_id) if is_ready else {}
    cards = cards_of(quality, dataset, changes) if is_ready else []
    return page(
        request,
        "datasets/one.html",
        dataset=dataset,
        check=read_check(dataset),
        quality=quality,
        findings=[] if quality is None else group(quality),
        scan=texts.read(session, portal.storage, caller, dataset_id),
        accounting=accounting_of(quality),
        cards=cards,
        titles={card.code: card.title for card in cards},
        charts=charts_of(quality) if is_ready else None,
        decided=decided(dataset),
        can_change=can_change(dataset, bool(found.items)),
        # The worker drew one sheet a class, in the order of their names.
        sheets=list(zip(sorted(dataset.classes or {}), thumbnails, strict=False)),
        versions=service.versions(session, caller, dataset_id),
        distillations=found,
        ledger=ledgers.read(session, caller, dataset_id, delta=ledgers.USUAL_DELTA),
        releases=newest_releases(session, dataset, limit=NEWEST),
        may_be_mapped=may_be_mapped(dataset),
        may_cancel_check=service.may_cancel_check(dataset),
        may_check_again=service.may_check_again(dataset),
        keeps_archives=portal.settings.keep_archives,
        takes_archive=dataset.status in ACCEPTS_UPLOAD and not dataset.is_sample,
        most_bytes=portal.settings.max_archive_bytes,
    )


@router.get("/datasets/{dataset_id}/upload")
def show_upload(session: ReadSession, caller: Uploader, dataset_id: str) -> Response:
    """The upload is a part of the dataset's page."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    return RedirectResponse(f"/datasets/{dataset.id}#upload", 303)


@router.post("/datasets/{dataset_id}/delete")
def delete_dataset(
    request: Request, portal: PortalDep, caller: Deleter, dataset_id: str, confirm: Sent[str] = ""
) -> Response:
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
            confirmed(confirm, dataset.name)
            service.delete(session, caller, dataset_id)
        # A portal that dies here has hidden the dataset already; the sweeper finishes the removal.
        purge_dataset(portal.database, portal.storage, dataset_id)
    return go_to(request, "/datasets", note="note-dataset-deleted")
