"""Pages of an organisation's hubs."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.security import Caller
from app.federation.connections import service
from app.federation.connections.repository import ConnectionRepository
from app.federation.connections.schemas import ConnectionCreate
from app.organisations.keys.repository import KeyRepository
from app.web.dependencies import Manager
from app.web.forms import ComparedForm, Sent, checked
from app.web.render import go_to, page

router = APIRouter(prefix="/organisation/connections")
HERE = "/organisation/connections"


class ConnectForm(BaseModel):
    name: str = ""
    url: str = ""
    token: SecretStr = SecretStr("")


@router.get("")
def show_connections(request: Request, session: ReadSession, caller: Manager) -> Response:
    return _connections(request, session, caller)


@router.post("")
def connect(
    request: Request, portal: PortalDep, caller: Manager, form: Sent[ConnectForm]
) -> Response:
    token = form.token.get_secret_value()
    body = checked(ConnectionCreate, name=form.name, url=form.url, token=token)
    made = service.connect(portal, caller, body)
    note = "note-connection-made" if made.confirmed_at is None else "note-connection-again"
    return go_to(request, HERE, note=note)


@router.post("/{connection_id}/confirm")
def confirm(
    request: Request,
    connection_id: str,
    session: WriteSession,
    caller: Manager,
    form: Sent[ComparedForm],
) -> Response:
    connection = ConnectionRepository(session).readable_by(caller).get(connection_id)
    form.expect_compared()
    service.confirm(session, caller, connection.id, form.fingerprint)
    return go_to(request, HERE, note="note-connection-confirmed")


@router.post("/{connection_id}/pause")
def pause(request: Request, connection_id: str, session: WriteSession, caller: Manager) -> Response:
    service.pause(session, caller, connection_id, paused=True)
    return go_to(request, HERE, note="note-connection-paused")


@router.post("/{connection_id}/resume")
def resume(
    request: Request, connection_id: str, session: WriteSession, caller: Manager
) -> Response:
    service.pause(session, caller, connection_id, paused=False)
    return go_to(request, HERE, note="note-connection-resumed")


@router.post("/{connection_id}/remove")
def remove(
    request: Request, connection_id: str, session: WriteSession, caller: Manager
) -> Response:
    service.remove(session, caller, connection_id)
    return go_to(request, HERE, note="note-connection-removed")


def _connections(request: Request, session: Session, caller: Caller) -> Response:
    rows = ConnectionRepository(session).readable_by(caller).all()
    return page(
        request,
        "connections/connections.html",
        connections=service.read(session, *rows),
        own_key=KeyRepository(session).present(caller.organisation_id).public_key,
    )
