from fastapi import APIRouter, Response

from app.auth.dependencies import Anybody, Manager, Once, Operator
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.etags import IfMatchDep, etag_of
from app.core.schemas import PageRead, problems
from app.organisations import service
from app.organisations.onboarding import onboard
from app.organisations.repository import OrganisationRepository
from app.organisations.schemas import (
    OrganisationBrief,
    OrganisationChange,
    OrganisationCreate,
    OrganisationCreated,
    OrganisationOperate,
    OrganisationRead,
)

router = APIRouter(
    prefix="/organisations", tags=["organisations"], responses=problems(401, 403, 422)
)


@router.post("", status_code=201, responses=problems(400, 409, 413))
def create_organisation(
    body: OrganisationCreate, session: WriteSession, portal: PortalDep, caller: Operator, once: Once
) -> OrganisationCreated:
    """A new organisation, and the link for its first admin. Later ones are its own affair."""

    def create() -> OrganisationCreated:
        organisation, link = onboard(portal, session, caller, body)
        return OrganisationCreated.of(service.read(session, organisation), link=link)

    return once.secret(
        create,
        shown="This request made the organisation before; the link for its admin was in that reply "
        "alone. If it was lost, `exchange admin create-user` makes the first admin.",
        folder="/api/v1/organisations",
    )


@router.get("")
def list_organisations(
    session: ReadSession, _caller: Anybody, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[OrganisationBrief]:
    """Participating organisations, newest first: names and contacts only."""
    page = OrganisationRepository(session).page(cursor=cursor, limit=limit)
    return PageRead[OrganisationBrief].of(page)


@router.get("/mine")
def get_own_organisation(
    session: ReadSession, caller: Anybody, response: Response
) -> OrganisationRead:
    """The caller's own: policy, limits, and what of them is used."""
    organisation = OrganisationRepository(session).get(caller.organisation_id)
    response.headers["ETag"] = etag_of(organisation)
    return service.read(session, organisation)


@router.patch("/mine", responses=problems(400, 409, 412, 413))
def change_own_organisation(
    body: OrganisationChange,
    session: WriteSession,
    caller: Manager,
    if_match: IfMatchDep,
    response: Response,
) -> OrganisationRead:
    """Change name, contact and release policy."""
    organisation = OrganisationRepository(session).get(caller.organisation_id, lock=True)
    if_match.check(organisation)
    service.change(session, caller, organisation, body)
    response.headers["ETag"] = etag_of(organisation)
    return service.read(session, organisation)


@router.get("/{organisation_id}", responses=problems(404))
def get_organisation(
    organisation_id: str, session: ReadSession, _caller: Operator, response: Response
) -> OrganisationRead:
    """For the operator: limits and use. Nothing of what it stores."""
    organisation = OrganisationRepository(session).get(organisation_id)
    response.headers["ETag"] = etag_of(organisation)
    return service.read(session, organisation)


@router.patch("/{organisation_id}", responses=problems(400, 404, 409, 412, 413))
def operate_organisation(
    organisation_id: str,
    body: OrganisationOperate,
    session: WriteSession,
    caller: Operator,
    if_match: IfMatchDep,
    response: Response,
) -> OrganisationRead:
    """For the operator: limits, and whether its people get in at all."""
    organisation = OrganisationRepository(session).get(organisation_id, lock=True)
    if_match.check(organisation)
    service.operate(session, caller, organisation, body)
    response.headers["ETag"] = etag_of(organisation)
    return service.read(session, organisation)
