from fastapi import APIRouter

from app.auth.dependencies import Sharer
from app.core.dependencies import ReadSession, WriteSession
from app.core.schemas import problems
from app.federation.shares import service
from app.federation.shares.schemas import ShareCreate, ShareRead, SharesRead

router = APIRouter(tags=["federation"], responses=problems(401, 403, 404, 422))


@router.post("/releases/{release_id}/shares", status_code=201, responses=problems(400, 409, 413))
def create_share(
    release_id: str, body: ShareCreate, session: WriteSession, caller: Sharer
) -> ShareRead:
    """Have a release carried to a hub. The portal tries until the hub has answered.

    Asked twice it is one; one that the hub refused is sent again.
    """
    return service.share(session, caller, release_id, body.connection_id)


@router.get("/releases/{release_id}/shares")
def list_shares(release_id: str, session: ReadSession, caller: Sharer) -> SharesRead:
    """Where a release was shared, and what became of it."""
    return SharesRead(items=list(service.of_release(session, caller, release_id)))
