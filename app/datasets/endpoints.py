from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response

from app.auth.dependencies import Deleter, ExpectStill, Once, Reader, Uploader
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.core.security import Permission
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
from app.datasets.uploads.streamed import receive_archive

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
    responses=problems(404, 408, 409, 413, 507),
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
    expect_still: ExpectStill,
    # A part of HTTP itself, not of this operation: clients send it anyway.
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> DatasetRead:
    """The archive, streamed; its check begins with the last byte.

    A dataset that was rejected takes another archive. A connection that breaks or falls silent
    changes nothing; large archives are better sent in pieces (POST /api/v1/uploads).
    """
    sender_goes_on = partial(expect_still, Permission.UPLOAD)
    return DatasetRead.of(
        await receive_archive(
            request, portal, caller, dataset_id, length=content_length, expect_sender=sender_goes_on
        )
    )


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
