from fastapi import APIRouter

from app.auth.dependencies import Manager, Once, Sharer
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.schemas import PageRead, problems
from app.distillations.repository import DistillationRepository
from app.releases.overrides import service
from app.releases.overrides.repository import OverrideRepository
from app.releases.overrides.schemas import OverrideCreate, OverrideRead

router = APIRouter(tags=["releases"], responses=problems(401, 403, 422))


@router.post(
    "/distillations/{distillation_id}/release-overrides",
    status_code=201,
    responses=problems(400, 404, 409, 413),
)
def create_release_override(
    distillation_id: str,
    body: OverrideCreate,
    portal: PortalDep,
    session: WriteSession,
    caller: Sharer,
    once: Once,
) -> OverrideRead:
    """Ask a second person to allow one release that the release policy objects to."""
    return once(
        OverrideRead,
        lambda: service.read(service.ask(session, portal.storage, caller, distillation_id, body)),
        folder="/api/v1/release-overrides",
    )


@router.get("/distillations/{distillation_id}/release-overrides", responses=problems(404))
def list_release_overrides(
    distillation_id: str, session: ReadSession, caller: Sharer
) -> PageRead[OverrideRead]:
    """The overrides of a distillation, newest first."""
    DistillationRepository(session).readable_by(caller).get(distillation_id)
    rows = OverrideRepository(session).readable_by(caller).of_distillation(distillation_id)
    return PageRead(items=[service.read(row) for row in rows], next_cursor=None)


@router.get("/release-overrides")
def list_own_release_overrides(
    session: ReadSession, caller: Sharer, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[OverrideRead]:
    """The overrides of the caller's organisation, newest first."""
    page = OverrideRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead(items=[service.read(row) for row in page.items], next_cursor=page.next_cursor)


@router.get("/release-overrides/{override_id}", responses=problems(404))
def get_release_override(override_id: str, session: ReadSession, caller: Sharer) -> OverrideRead:
    return service.read(OverrideRepository(session).readable_by(caller).get(override_id))


@router.post("/release-overrides/{override_id}/approve", responses=problems(400, 404, 409))
def approve_release_override(
    override_id: str, session: WriteSession, caller: Manager, once: Once
) -> OverrideRead:
    """Allow the release, as another person than the one who asked."""
    return once(
        OverrideRead,
        lambda: service.read(service.decide(session, caller, override_id, approve=True)),
    )


@router.post("/release-overrides/{override_id}/decline", responses=problems(400, 404, 409))
def decline_release_override(
    override_id: str, session: WriteSession, caller: Manager, once: Once
) -> OverrideRead:
    """Refuse it, as another person than the one who asked."""
    return once(
        OverrideRead,
        lambda: service.read(service.decide(session, caller, override_id, approve=False)),
    )
