from fastapi import APIRouter, Response

from app.auth.dependencies import Anybody, Manager
from app.auth.second_factor import service
from app.auth.second_factor.schemas import (
    RecoveryCodes,
    SecondFactorBegin,
    SecondFactorBegun,
    SecondFactorConfirm,
    SecondFactorRead,
    SecondFactorRemove,
)
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.schemas import problems
from app.users.repository import UserRepository

router = APIRouter(prefix="/users", tags=["users"], responses=problems(401, 403, 422))


@router.get("/me/second-factor")
def get_second_factor(session: ReadSession, caller: Anybody) -> SecondFactorRead:
    """Whether my sign-ins with a password ask for a code too."""
    return service.read(session, caller)


@router.post("/me/second-factor", status_code=201, responses=problems(400, 409, 413, 429))
async def begin_second_factor(
    body: SecondFactorBegin, portal: PortalDep, caller: Anybody
) -> SecondFactorBegun:
    """A secret for my authenticator app (RFC 6238).

    Nothing asks for the app's codes before `confirm` has had a right one.
    """
    return await service.begin(portal, caller, body)


@router.post("/me/second-factor/confirm", responses=problems(400, 404, 409, 413, 429))
def confirm_second_factor(
    body: SecondFactorConfirm, session: WriteSession, portal: PortalDep, caller: Anybody
) -> RecoveryCodes:
    """Switch it on with a first code. The reply has the recovery codes."""
    made = service.confirm(session, portal, caller, body.code.get_secret_value())
    return RecoveryCodes(recovery_codes=made)


@router.post("/me/second-factor/remove", status_code=204, responses=problems(400, 404, 413, 429))
async def remove_second_factor(
    body: SecondFactorRemove, portal: PortalDep, caller: Anybody
) -> Response:
    """Ask for no code any more, with my password and a code."""
    await service.remove(portal, caller, body)
    return Response(status_code=204)


@router.delete("/{user_id}/second-factor", status_code=204, responses=problems(404))
def reset_second_factor(user_id: str, session: WriteSession, caller: Manager) -> Response:
    """Remove that of a person who has lost the app and the recovery codes."""
    user = UserRepository(session).readable_by(caller).get(user_id, lock=True)
    service.reset(session, caller, user)
    return Response(status_code=204)
