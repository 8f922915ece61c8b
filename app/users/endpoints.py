from fastapi import APIRouter, Request, Response

from app.auth import password_change
from app.auth.dependencies import Anybody, Manager, Once
from app.core.dependencies import Cursor, Limit, PortalDep, ReadSession, WriteSession
from app.core.etags import IfMatchDep, etag_of
from app.core.schemas import PageRead, problems
from app.users import service
from app.users.repository import UserRepository
from app.users.schemas import PasswordChange, UserChange, UserCreate, UserRead

router = APIRouter(prefix="/users", tags=["users"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 409, 413))
def create_user(body: UserCreate, session: WriteSession, caller: Manager, once: Once) -> UserRead:
    """An account in the caller's organisation, with a first password.

    Mostly POST /api/v1/invitations is better: nobody else then ever knows the password.
    """
    # Before the first statement, with which the transaction begins.
    password_hash = service.hash_new_password(body.password.get_secret_value(), body.email)
    return once(
        UserRead,
        lambda: service.create(session, caller, body, password_hash),
        folder="/api/v1/users",
    )


@router.get("")
def list_users(
    session: ReadSession, caller: Manager, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[UserRead]:
    """The people of the caller's organisation, newest first."""
    page = UserRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[UserRead].of(page)


@router.put("/me/password", status_code=204, responses=problems(400, 413, 429))
async def change_password(
    body: PasswordChange, request: Request, portal: PortalDep, caller: Anybody
) -> Response:
    """My own password. My other sessions end, and my other tokens are deleted."""
    await password_change.change_password(request, portal, caller, body)
    return Response(status_code=204)


@router.get("/{user_id}", responses=problems(404))
def get_user(user_id: str, session: ReadSession, caller: Manager, response: Response) -> UserRead:
    user = UserRepository(session).readable_by(caller).get(user_id)
    response.headers["ETag"] = etag_of(user)
    return UserRead.of(user)


@router.patch("/{user_id}", responses=problems(400, 404, 409, 412, 413))
def change_user(
    user_id: str,
    body: UserChange,
    session: WriteSession,
    caller: Manager,
    if_match: IfMatchDep,
    response: Response,
) -> UserRead:
    """Name, roles, and whether the account works. It takes effect with the next request."""
    user = UserRepository(session).readable_by(caller).get(user_id, lock=True)
    if_match.check(user)
    service.change(session, caller, user, body)
    response.headers["ETag"] = etag_of(user)
    return UserRead.of(user)
