from typing import Annotated

from fastapi import APIRouter, Query

from app.core.dependencies import PortalDep
from app.core.schemas import problems
from app.federation import identity
from app.federation.schemas import Challenge, PortalIdentity

router = APIRouter(prefix="/portal", tags=["federation"], responses=problems(401, 403, 422))


@router.get("")
def get_portal_identity(
    portal: PortalDep, challenge: Annotated[Challenge | None, Query()] = None
) -> PortalIdentity:
    """The portal's role, version and key, for other portals. Anybody may ask."""
    return identity.identity(portal, challenge)
