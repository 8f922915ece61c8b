"""Pages for operators: organisations and their limits."""

from decimal import Decimal
from typing import NamedTuple

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.etags import IfMatch, etag_of
from app.core.portal import Portal
from app.core.security import Caller
from app.models.organisation import Organisation
from app.operations import service as operations
from app.organisations import service as organisations
from app.organisations.onboarding import onboard
from app.organisations.quotas import Quota
from app.organisations.repository import OrganisationRepository
from app.organisations.schemas import OrganisationCreate, OrganisationOperate
from app.web.dependencies import Operator
from app.web.forms import Sent, checked, confirmed
from app.web.render import go_to, is_fragment, page

router = APIRouter(prefix="/operations/organisations")

GIGABYTE = 10**9


class NewForm(BaseModel):
    name: str = ""
    contact: str = ""
    admin_email: str = ""


class QuotaForm(BaseModel):
    seen: str = ""
    stored_gigabytes: Decimal = Field(ge=0, le=10**7, max_digits=20)
    datasets: str = ""
    running: str = ""
    gpu_hours: str = ""


class Made(NamedTuple):
    organisation: Organisation
    link: str | None


@router.get("")
def show_organisations(
    request: Request,
    session: ReadSession,
    portal: PortalDep,
    caller: Operator,
    cursor: Cursor = None,
) -> Response:
    return _organisations(request, portal, session, caller, cursor=cursor)


@router.post("")
def create_organisation(
    request: Request,
    session: WriteSession,
    portal: PortalDep,
    caller: Operator,
    form: Sent[NewForm],
) -> Response:
    """The link for its first admin is in this answer, and in a mail where the portal sends any."""
    body = checked(
        OrganisationCreate,
        name=form.name,
        contact=form.contact,
        admin_email=form.admin_email.strip() or None,
    )
    made = Made(*onboard(portal, session, caller, body))
    return _organisations(request, portal, session, caller, made=made)


@router.get("/{organisation_id}")
def show_organisation(
    request: Request, organisation_id: str, session: ReadSession, _caller: Operator
) -> Response:
    row = OrganisationRepository(session).get(organisation_id)
    return page(
        request,
        "operations/organisation.html",
        organisation=organisations.read(session, row),
        gigabytes=_gigabytes(row),
        seen=etag_of(row),
    )


@router.post("/{organisation_id}/quota")
def change_quota(
    request: Request,
    organisation_id: str,
    session: WriteSession,
    caller: Operator,
    form: Sent[QuotaForm],
) -> Response:
    quota = checked(
        Quota,
        stored_bytes=int(form.stored_gigabytes * GIGABYTE),
        datasets=form.datasets,
        running=form.running,
        gpu_hours=form.gpu_hours.strip() or None,
    )
    row = OrganisationRepository(session).get(organisation_id, lock=True)
    IfMatch(form.seen).check(row)
    organisations.operate(session, caller, row, OrganisationOperate(quota=quota))
    return go_to(request, f"/operations/organisations/{organisation_id}", note="note-quota-changed")


@router.post("/{organisation_id}/disable")
def disable_organisation(
    request: Request,
    organisation_id: str,
    session: WriteSession,
    caller: Operator,
    confirm: Sent[str] = "",
) -> Response:
    row = OrganisationRepository(session).get(organisation_id, lock=True)
    confirmed(confirm, row.name)
    organisations.operate(session, caller, row, OrganisationOperate(disabled=True))
    return go_to(
        request, f"/operations/organisations/{organisation_id}", note="note-organisation-disabled"
    )


@router.post("/{organisation_id}/enable")
def enable_organisation(
    request: Request, organisation_id: str, session: WriteSession, caller: Operator
) -> Response:
    row = OrganisationRepository(session).get(organisation_id, lock=True)
    organisations.operate(session, caller, row, OrganisationOperate(disabled=False))
    return go_to(
        request, f"/operations/organisations/{organisation_id}", note="note-organisation-enabled"
    )


def _organisations(
    request: Request,
    portal: Portal,
    session: Session,
    caller: Caller,
    *,
    made: Made | None = None,
    cursor: str | None = None,
) -> Response:
    stored = operations.storage(portal, session, caller, cursor=cursor, limit=50)
    return page(
        request,
        "operations/organisation_list.html"
        if is_fragment(request)
        else "operations/organisations.html",
        organisations=stored,
        made=made,
    )


def _gigabytes(organisation: Organisation) -> str:
    """The limit as its form has it, exactly: saving what was not touched changes nothing."""
    quota = Quota.model_validate(organisation.quota)
    whole, rest = divmod(quota.stored_bytes, GIGABYTE)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")
