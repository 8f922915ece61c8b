"""Pages of the visitor's organisation: name and contact, release policy, limits and use."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.core.dependencies import ReadSession, WriteSession
from app.core.etags import IfMatch, etag_of
from app.core.security import Caller
from app.organisations import service as organisations
from app.organisations.repository import OrganisationRepository
from app.organisations.schemas import OrganisationChange
from app.web.dependencies import Manager
from app.web.forms import Sent, checked
from app.web.render import go_to, page

router = APIRouter(prefix="/organisation")


class FactsForm(BaseModel):
    seen: str = ""
    """Version that the form was made from, so that no unseen change is overwritten."""
    name: str = ""
    contact: str = ""


class PolicyForm(BaseModel):
    seen: str = ""
    proven_only: bool = False
    real_starts: bool = False
    largest_leak: str = ""
    largest_power: str = ""
    largest_epsilon: str = ""
    metrics_without_power: str = ""
    fewest_images_per_class: str = ""


@router.get("")
def show_organisation(request: Request, session: ReadSession, caller: Manager) -> Response:
    organisation = OrganisationRepository(session).get(caller.organisation_id)
    return page(
        request,
        "organisation/organisation.html",
        organisation=organisations.read(session, organisation),
        seen=etag_of(organisation),
    )


@router.post("")
def change_facts(
    request: Request, session: WriteSession, caller: Manager, form: Sent[FactsForm]
) -> Response:
    body = checked(OrganisationChange, name=form.name, contact=form.contact)
    _change(session, caller, body, form.seen)
    return go_to(request, "/organisation", note="note-organisation-changed")


@router.post("/policy")
def change_policy(
    request: Request, session: WriteSession, caller: Manager, form: Sent[PolicyForm]
) -> Response:
    body = checked(OrganisationChange, policy=form.model_dump(exclude={"seen"}))
    _change(session, caller, body, form.seen)
    return go_to(request, "/organisation", note="note-policy-changed")


def _change(session: WriteSession, caller: Caller, body: OrganisationChange, seen: str) -> None:
    organisation = OrganisationRepository(session).get(caller.organisation_id, lock=True)
    IfMatch(seen).check(organisation)
    organisations.change(session, caller, organisation, body)
