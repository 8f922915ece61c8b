from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.core.dependencies import PortalDep, ReadSession
from app.core.schemas import problems
from app.sessions import service
from app.sessions.callers import Anybody
from app.sessions.cookies import cookie_of, delete_cookie, set_cookie
from app.sessions.schemas import SessionCreate, SessionRead
from app.sessions.who import read_caller, read_signed_in

router = APIRouter(prefix="/session", tags=["session"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 413, 429))
def sign_in(
    body: SessionCreate, request: Request, response: Response, portal: PortalDep
) -> SessionRead:
    """Sign in with address and password: a cookie for browsers, and the session's CSRF token."""
    address = request.client.host if request.client else "unknown"
    portal.limiter.count(portal.settings.sign_in_limit, "sign in", address)
    portal.limiter.count(portal.settings.sign_in_limit, "sign in to", body.email.lower())
    signed_in = service.sign_in(
        portal.database,
        body.email,
        body.password.get_secret_value(),
        lasts=portal.settings.session_length,
    )
    set_cookie(response, portal.settings, signed_in.secret)
    return read_signed_in(signed_in)


@router.get("")
def get_session(request: Request, session: ReadSession, caller: Anybody) -> SessionRead:
    """Who I am, and what I may do: for a session as for a token."""
    return read_caller(session, caller, cookie_of(request))


@router.delete("", status_code=204)
def sign_out(
    request: Request,
    portal: PortalDep,
    caller: Anybody,
    everywhere: Annotated[bool, Query(description="End all my sessions, on every device.")] = False,
) -> Response:
    """End the session of the cookie. Tokens stay."""
    secret = cookie_of(request)
    if secret is not None and caller.token_id is None:
        service.sign_out(portal.database, secret, everywhere=everywhere)
    response = Response(status_code=204)
    delete_cookie(response, portal.settings)
    return response
