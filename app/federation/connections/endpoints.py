from fastapi import APIRouter, Response

from app.auth.dependencies import Manager, Sharer
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.schemas import problems
from app.federation.connections import service
from app.federation.connections.repository import ConnectionRepository
from app.federation.connections.schemas import (
    ConnectionConfirm,
    ConnectionCreate,
    ConnectionRead,
    ConnectionsRead,
)

router = APIRouter(prefix="/connections", tags=["federation"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 413, 502))
def create_connection(body: ConnectionCreate, portal: PortalDep, caller: Manager) -> ConnectionRead:
    """Connect with a hub. The same address again keeps a new token for it."""
    return service.connect(portal, caller, body)


@router.get("")
def list_connections(session: ReadSession, caller: Sharer) -> ConnectionsRead:
    """The hubs of the caller's organisation."""
    rows = ConnectionRepository(session).readable_by(caller).all()
    return ConnectionsRead(items=service.read(session, *rows))


@router.get("/{connection_id}", responses=problems(404))
def get_connection(connection_id: str, session: ReadSession, caller: Sharer) -> ConnectionRead:
    row = ConnectionRepository(session).readable_by(caller).get(connection_id)
    return service.read(session, row)[0]


@router.post("/{connection_id}/confirm", responses=problems(400, 404, 409, 413))
def confirm_connection(
    connection_id: str, body: ConnectionConfirm, session: WriteSession, caller: Manager
) -> ConnectionRead:
    """Trust the hub's key, after its fingerprint was compared by another way."""
    row = service.confirm(session, caller, connection_id, body.fingerprint)
    return service.read(session, row)[0]


@router.post("/{connection_id}/pause", responses=problems(404))
def pause_connection(connection_id: str, session: WriteSession, caller: Manager) -> ConnectionRead:
    """Send nothing there for now; what is shared meanwhile waits."""
    return service.read(session, service.pause(session, caller, connection_id, paused=True))[0]


@router.post("/{connection_id}/resume", responses=problems(404))
def resume_connection(connection_id: str, session: WriteSession, caller: Manager) -> ConnectionRead:
    return service.read(session, service.pause(session, caller, connection_id, paused=False))[0]


@router.delete("/{connection_id}", status_code=204, responses=problems(404))
def delete_connection(connection_id: str, session: WriteSession, caller: Manager) -> Response:
    """Forget the hub and its token. Releases that it shows stay there: withdraw them before."""
    service.remove(session, caller, connection_id)
    return Response(status_code=204)
