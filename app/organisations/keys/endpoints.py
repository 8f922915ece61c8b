from fastapi import APIRouter

from app.auth.dependencies import Anybody, Manager, Once
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.schemas import problems
from app.models.organisation_key import OrganisationKey
from app.organisations.keys import service
from app.organisations.keys.repository import KeyRepository
from app.organisations.keys.schemas import KeyRead, KeyRotate, KeysRead
from app.organisations.repository import OrganisationRepository
from app.signing.keys import fingerprint

router = APIRouter(prefix="/organisations", tags=["keys"], responses=problems(401, 403, 422))


@router.get("/{organisation_id}/keys", responses=problems(404))
def list_keys(organisation_id: str, session: ReadSession, caller: Anybody) -> KeysRead:
    """An organisation's public keys, the present one first. `mine` is the caller's own.

    A key that comes from the portal proves as much as the portal is trusted: compare its
    fingerprint with the organisation by another way.
    """
    wanted = caller.organisation_id if organisation_id == "mine" else organisation_id
    organisation = OrganisationRepository(session).get(wanted)
    rows = KeyRepository(session).of_organisation(organisation.id)
    return KeysRead(items=[_read(row) for row in rows])


@router.post("/mine/keys", status_code=201, responses=problems(400, 413))
def rotate_key(
    body: KeyRotate, session: WriteSession, portal: PortalDep, caller: Manager, once: Once
) -> KeyRead:
    """Sign with a new key from now on. What was signed before stays valid."""
    return once(
        KeyRead,
        lambda: _read(service.rotate(session, portal.vault, caller, compromised=body.compromised)),
    )


def _read(key: OrganisationKey) -> KeyRead:
    return KeyRead.of(key, fingerprint=fingerprint(key.public_key))
