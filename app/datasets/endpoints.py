from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from app.auth.dependencies import Deleter, Once, Reader, Uploader
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.portal import Portal
from app.core.schemas import PageRead, problems
from app.core.security import Caller
from app.core.storage import StorageError
from app.datasets import decisions, layout, quality, service, texts
from app.datasets.purge import purge_dataset
from app.datasets.repository import DatasetRepository
from app.datasets.sample import make_sample
from app.datasets.schemas import (
    DatasetCreate,
    DatasetRead,
    DecisionCreate,
    LayoutRead,
    RefusedFilesRead,
    TextDecisionsCreate,
    TextsRead,
    ThumbnailsRead,
    VersionsRead,
)
from app.organisations.quotas import no_room

router = APIRouter(prefix="/datasets", tags=["datasets"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 404, 409, 413))
def create_dataset(
    body: DatasetCreate, session: WriteSession, caller: Uploader, once: Once
) -> DatasetRead:
    """A row that awaits its archive."""
    return once(
        DatasetRead, lambda: service.create(session, caller, body), folder="/api/v1/datasets"
    )


@router.post(
    "/sample",
    status_code=201,
    responses={
        200: {"model": DatasetRead, "description": "The existing one"},
        **problems(409, 413),
    },
)
def create_sample_dataset(
    session: WriteSession, caller: Uploader, once: Once, response: Response
) -> DatasetRead:
    """A dataset of X-rays that the portal generates, for a first try: no patients are in it.

    An organisation has one at a time.
    """

    def make() -> DatasetRead:
        sample, made = make_sample(session, caller)
        if not made:
            response.status_code = 200
        return DatasetRead.of(sample)

    return once(DatasetRead, make, folder="/api/v1/datasets")


@router.get("")
def list_datasets(
    session: ReadSession, caller: Reader, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[DatasetRead]:
    """The datasets of the caller's organisation, newest first."""
    page = DatasetRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[DatasetRead].of(page)


@router.get("/{dataset_id}", responses=problems(404))
def get_dataset(dataset_id: str, session: ReadSession, caller: Reader) -> DatasetRead:
    return DatasetRead.of(DatasetRepository(session).readable_by(caller).get(dataset_id))


@router.get("/{dataset_id}/versions", responses=problems(404))
def list_dataset_versions(dataset_id: str, session: ReadSession, caller: Reader) -> VersionsRead:
    """The line of versions that a dataset is in, the oldest first."""
    line = service.versions(session, caller, dataset_id)
    return VersionsRead(items=[DatasetRead.of(dataset) for dataset in line])


@router.put(
    "/{dataset_id}/archive",
    status_code=202,
    responses=problems(404, 409, 413, 507),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A zip or tar(.gz) file: one folder of images per class.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_archive(
    dataset_id: str,
    request: Request,
    portal: PortalDep,
    caller: Uploader,
    # A part of HTTP itself, not of this operation: clients send it anyway.
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> DatasetRead:
    """The archive, streamed; its check begins with the last byte.

    A dataset that was rejected takes another archive. A connection that breaks changes nothing.
    """
    room = await run_in_threadpool(_expect_archive, portal, caller, dataset_id)
    limit = portal.settings.max_archive_bytes
    too_large = service.archive_too_large(limit) if limit <= room else no_room(room)
    limit = min(limit, room)
    if content_length is not None and content_length > limit:
        raise too_large
    await run_in_threadpool(portal.reserve.expect, content_length or 0)
    try:
        archive = await service.store_archive(
            portal.storage,
            dataset_id,
            request.stream(),
            limit=limit,
            too_large=too_large,
            reserve=portal.reserve,
        )
    except StorageError:
        # The folder goes away under an upload when the dataset is deleted: then say that.
        await run_in_threadpool(_expect_archive, portal, caller, dataset_id)
        raise
    return await run_in_threadpool(_accept_archive, portal, caller, dataset_id, archive)


def _expect_archive(portal: Portal, caller: Caller, dataset_id: str) -> int:
    """The most bytes that the organisation's quota leaves for it."""
    with portal.database.reading() as session:
        return service.expect_archive(session, caller, dataset_id)


def _accept_archive(
    portal: Portal, caller: Caller, dataset_id: str, archive: service.StoredArchive
) -> DatasetRead:
    try:
        with portal.database.transaction() as session:
            dataset, replaced = service.accept_archive(session, caller, dataset_id, archive)
    except BaseException:
        # Deleted or filled by another request in the meantime: this archive belongs to no row.
        portal.storage.delete(archive.key)
        raise
    if replaced is not None:
        portal.storage.delete(replaced)
    return DatasetRead.of(dataset)


@router.post("/{dataset_id}/check", status_code=202, responses=problems(400, 404, 409))
def check_dataset_again(
    dataset_id: str, session: WriteSession, caller: Uploader, once: Once
) -> DatasetRead:
    """Check the kept archive again: after a fault of the service, or where it was cancelled."""
    return once(DatasetRead, lambda: service.check_again(session, caller, dataset_id))


@router.post("/{dataset_id}/check/cancel", status_code=202, responses=problems(400, 404, 409))
def cancel_dataset_check(
    dataset_id: str, session: WriteSession, caller: Uploader, once: Once
) -> DatasetRead:
    """End the check of an archive within seconds. The archive is kept."""
    return once(DatasetRead, lambda: service.cancel_check(session, caller, dataset_id))


@router.get("/{dataset_id}/quality", responses=problems(404, 409))
def get_quality_report(dataset_id: str, portal: PortalDep, caller: Reader) -> dict[str, Any]:
    """The quality report: images per class and split, and why files were left out.

    `…/quality/files` lists them.
    """
    return quality.see_report(portal.database, portal.storage, caller, dataset_id)


@router.get("/{dataset_id}/quality/files", responses=problems(404, 409))
def list_refused_files(
    dataset_id: str,
    portal: PortalDep,
    caller: Reader,
    code: Annotated[str, Query(max_length=60, description="Of the reason; empty for any.")] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> RefusedFilesRead:
    """The files that were left out, a hundred at a time, with the reason of each."""
    found = quality.see_refused_files(
        portal.database, portal.storage, caller, dataset_id, code=code, page=page
    )
    return RefusedFilesRead(
        items=[dict(file) for file in found.files],
        total=found.total,
        page=found.page,
        pages=found.pages,
    )


@router.post("/{dataset_id}/findings/{code}", status_code=202, responses=problems(400, 404, 409))
def decide_finding(
    dataset_id: str,
    code: str,
    body: DecisionCreate,
    session: WriteSession,
    portal: PortalDep,
    caller: Uploader,
    once: Once,
) -> DatasetRead:
    """Decide what becomes of a finding. Unless it is accepted, the dataset is checked again."""
    return once(
        DatasetRead,
        lambda: decisions.decide(session, portal.storage, caller, dataset_id, code, body),
    )


@router.delete("/{dataset_id}/decisions", status_code=202, responses=problems(404, 409))
def reset_decisions(dataset_id: str, session: WriteSession, caller: Uploader) -> DatasetRead:
    """Take all decisions about findings back; the dataset is composed anew."""
    return DatasetRead.of(decisions.reset(session, caller, dataset_id))


@router.get(
    "/{dataset_id}/findings/{code}/picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404)},
)
def get_finding_picture(dataset_id: str, code: str, portal: PortalDep, caller: Reader) -> Response:
    """Some of the pictures that a finding is about; near-duplicates side by side."""
    content = service.see_finding_picture(portal.database, portal.storage, caller, dataset_id, code)
    return _png(content)


@router.get("/{dataset_id}/texts", responses=problems(404))
def list_texts(
    dataset_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> TextsRead:
    """Pictures with burned-in text that may name a patient, and how far the search is."""
    return texts.read(session, portal.storage, caller, dataset_id)


@router.post("/{dataset_id}/texts", status_code=202, responses=problems(400, 404, 409))
def decide_texts(
    dataset_id: str,
    body: TextDecisionsCreate,
    session: WriteSession,
    portal: PortalDep,
    caller: Uploader,
    once: Once,
) -> DatasetRead:
    """Keep, blank or leave out pictures with text. Nothing is released while some are open."""
    return once(
        DatasetRead,
        lambda: texts.decide(session, portal.storage, caller, dataset_id, body.decisions),
    )


@router.post("/{dataset_id}/texts/search", status_code=202, responses=problems(400, 404, 409))
def search_texts_again(
    dataset_id: str, session: WriteSession, portal: PortalDep, caller: Uploader, once: Once
) -> TextsRead:
    """Search for text again where a search failed; what was searched before is kept."""

    def search() -> TextsRead:
        texts.search_again(session, portal.storage, caller, dataset_id)
        return texts.read(session, portal.storage, caller, dataset_id)

    return once(TextsRead, search)


@router.get(
    "/{dataset_id}/texts/{file}/picture",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404)},
)
def get_text_picture(dataset_id: str, file: str, portal: PortalDep, caller: Uploader) -> Response:
    """A picture with text, as it may name a patient: for those who decide about it."""
    content = texts.see_picture(portal.database, portal.storage, caller, dataset_id, file)
    return _png(content)


@router.get("/{dataset_id}/layout", responses=problems(404, 409))
def get_layout(dataset_id: str, session: ReadSession, caller: Uploader) -> LayoutRead:
    """What was found in the archive, and what its folders and tables mean."""
    return layout.read(session, caller, dataset_id)


@router.put("/{dataset_id}/layout", status_code=202, responses=problems(400, 404, 409))
def confirm_layout(
    dataset_id: str,
    body: Annotated[dict[str, Any], Body(description="The mapping; docs/intake.md explains it.")],
    session: WriteSession,
    caller: Uploader,
    archive_sha256: Annotated[
        str | None,
        Query(max_length=64, description="Of the archive whose layout was read; 409 if replaced."),
    ] = None,
) -> DatasetRead:
    """Confirm what the folders and tables mean; the archive is then read."""
    return DatasetRead.of(
        layout.confirm(session, caller, dataset_id, body, archive_sha256=archive_sha256)
    )


@router.get("/{dataset_id}/thumbnails", responses=problems(404))
def list_thumbnails(
    dataset_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> ThumbnailsRead:
    """Small pictures of some of the images, for the owner's eyes."""
    return ThumbnailsRead(items=service.thumbnails(session, portal.storage, caller, dataset_id))


@router.get(
    "/{dataset_id}/thumbnails/{name}",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **problems(404)},
)
def get_thumbnail(dataset_id: str, name: str, portal: PortalDep, caller: Reader) -> Response:
    content = service.see_thumbnail(portal.database, portal.storage, caller, dataset_id, name)
    return _png(content)


@router.delete("/{dataset_id}", status_code=204, responses=problems(404, 409))
def delete_dataset(dataset_id: str, portal: PortalDep, caller: Deleter) -> Response:
    """Delete the archive, the images, the trajectories and what distillations keep for themselves.

    Finished bundles and reports stay; DELETE their distillations to remove them too.
    """
    with portal.reserve.opened():
        with portal.database.transaction() as session:
            service.delete(session, caller, dataset_id)
        # A portal that dies here has hidden the dataset already; the sweeper finishes the removal.
        purge_dataset(portal.database, portal.storage, dataset_id)
    return Response(status_code=204)


def _png(content: bytes) -> Response:
    return Response(content, media_type="image/png")
