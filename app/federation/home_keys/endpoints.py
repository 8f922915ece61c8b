from fastapi import APIRouter

from app.auth.dependencies import Anybody, Manager, Sharer
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.schemas import problems
from app.federation.home_keys import service
from app.federation.home_keys.schemas import HomeKeyConfirm, HomeKeyRead
from app.federation.schemas import SignedDocument

router = APIRouter(prefix="/home-key", tags=["federation"], responses=problems(401, 403, 422))


@router.get("", responses=problems(404))
def get_home_key(session: ReadSession, caller: Anybody) -> HomeKeyRead:
    """The key that the caller's organisation signs with in its own portal."""
    return service.read(session, caller)


@router.put("", responses=problems(400, 409, 413))
def send_home_key(
    body: SignedDocument, session: WriteSession, portal: PortalDep, caller: Sharer
) -> HomeKeyRead:
    """For the organisation's own portal: name its key, signed with it.

    A first key, and one that no statement of the key before leads to, waits for a person.
    """
    return service.read_key(service.register(portal, session, caller, body))


@router.post("/confirm", responses=problems(400, 404, 409, 413))
def confirm_home_key(body: HomeKeyConfirm, session: WriteSession, caller: Manager) -> HomeKeyRead:
    """Trust the key, after its fingerprint was compared with the one of the own portal."""
    return service.read_key(service.confirm(session, caller, body.fingerprint))
