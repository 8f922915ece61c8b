from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.concurrency import run_in_threadpool

from app.auth.dependencies import Sharer
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.schemas import problems
from app.federation.publications import service
from app.federation.publications.repository import PublicationRepository
from app.federation.publications.schemas import (
    PublicationBegin,
    PublicationRead,
)
from app.federation.schemas import SignedDocument

router = APIRouter(prefix="/publications", tags=["federation"], responses=problems(401, 403, 422))

Offset = Annotated[int, Header(ge=0, description="Bytes before this part.")]


@router.post("", status_code=201, responses=problems(400, 404, 409, 413))
def begin_publication(
    body: PublicationBegin, session: WriteSession, portal: PortalDep, caller: Sharer
) -> PublicationRead:
    """For an organisation's own portal: a release that it signed there. Its bundle follows.

    The same twice is one.
    """
    return PublicationRead.of(service.begin(portal, session, caller, body))


@router.get("/{release_id}", responses=problems(404))
def get_publication(release_id: str, session: ReadSession, caller: Sharer) -> PublicationRead:
    row = PublicationRepository(session).readable_by(caller).get(release_id)
    return PublicationRead.of(row)


@router.patch(
    "/{release_id}/bundle",
    responses=problems(404, 409, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def append_to_publication(
    release_id: str, request: Request, portal: PortalDep, caller: Sharer, upload_offset: Offset
) -> PublicationRead:
    """The next part of the bundle, of 512 KiB at most.

    After the last one the bundle is checked, and shown or refused.
    """
    part = await request.body()
    row = await run_in_threadpool(service.append, portal, caller, release_id, upload_offset, part)
    return PublicationRead.of(row)


@router.post("/withdraw", status_code=204, responses=problems(400, 404, 409, 413))
def withdraw_publication(
    body: SignedDocument, session: WriteSession, portal: PortalDep, caller: Sharer
) -> Response:
    """Leave a tombstone of a release, in words that the organisation signed at home."""
    service.withdraw(portal, session, caller, body)
    return Response(status_code=204)
