"""Pages of an organisation's signing keys."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.federation.home_keys import service as home_keys
from app.federation.identity import public_key_of
from app.organisations.keys import service as keys
from app.organisations.keys.repository import KeyRepository
from app.organisations.repository import OrganisationRepository
from app.signing.keys import fingerprint
from app.web.dependencies import Manager
from app.web.forms import ComparedForm, Sent, confirmed
from app.web.render import go_to, page

router = APIRouter(prefix="/organisation/keys")


class RotateForm(BaseModel):
    confirm: str = ""
    compromised: bool = False


@router.get("")
def show_keys(
    request: Request, session: ReadSession, portal: PortalDep, caller: Manager
) -> Response:
    rows = KeyRepository(session).of_organisation(caller.organisation_id)
    home = home_keys.find(session, caller.organisation_id)
    return page(
        request,
        "keys/keys.html",
        keys=[(row, fingerprint(row.public_key)) for row in rows],
        home_key=None if home is None else home_keys.read_key(home),
        portal_key=public_key_of(portal) if portal.settings.is_hub else None,
    )


@router.post("/home/confirm")
def confirm_home_key(
    request: Request, session: WriteSession, caller: Manager, form: Sent[ComparedForm]
) -> Response:
    """The key of the organisation's own portal, at a hub."""
    form.expect_compared()
    home_keys.confirm(session, caller, form.fingerprint)
    return go_to(request, "/organisation/keys", note="note-home-key-confirmed")


@router.post("/rotate")
def rotate_key(
    request: Request,
    session: WriteSession,
    portal: PortalDep,
    caller: Manager,
    form: Sent[RotateForm],
) -> Response:
    organisation = OrganisationRepository(session).get(caller.organisation_id)
    confirmed(form.confirm, organisation.name)
    keys.rotate(session, portal.vault, caller, compromised=form.compromised)
    return go_to(request, "/organisation/keys", note="note-key-rotated")
