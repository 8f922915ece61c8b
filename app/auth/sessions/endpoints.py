from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from app.auth import oidc
from app.auth.cookies import cookie_of, delete_cookie, set_cookie
from app.auth.dependencies import Anybody
from app.auth.devices import set_device
from app.auth.identity import read_caller, read_signed_in
from app.auth.origins import refuse_other_sites
from app.auth.password_login import sign_in_with_password
from app.auth.sealed_cookie import SealedCookie
from app.auth.sessions import service
from app.auth.sessions.schemas import SessionCreate, SessionRead
from app.core.dependencies import PortalDep, ReadSession
from app.core.oidc_client import Attempt, Provider
from app.core.portal import Portal
from app.core.ratelimit import address_of
from app.core.schemas import problems
from app.core.security import same_secret
from app.core.vault import Purpose

ATTEMPT = SealedCookie("exchange_sign_in", Purpose.SIGN_IN, timedelta(minutes=10), Attempt)
"""What a single sign-on has to come back with from the identity provider."""

router = APIRouter(prefix="/session", tags=["session"], responses=problems(401, 403, 422))


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(refuse_other_sites)],
    responses=problems(400, 413, 429),
)
async def sign_in(
    body: SessionCreate, request: Request, response: Response, portal: PortalDep
) -> SessionRead:
    """Sign in with address and password: a cookie for browsers, and the session's CSRF token."""
    signed_in = await sign_in_with_password(request, portal, body)
    set_cookie(response, portal.settings, signed_in.secret)
    set_device(request, response, portal, signed_in.user.id)
    return read_signed_in(signed_in)


@router.get(
    "/oidc",
    status_code=303,
    response_class=RedirectResponse,
    responses=problems(404, 429, 502, 503),
)
async def start_oidc_sign_in(request: Request, portal: PortalDep) -> RedirectResponse:
    """For browsers: to the identity provider, which leads back to the callback."""
    portal.limiter.count(portal.settings.sign_in_limit, "sign in", address_of(request))
    attempt = Attempt()
    response = RedirectResponse(await _provider(portal).address_for(attempt), 303)
    ATTEMPT.set(response, portal, attempt)
    return response


@router.get(
    "/oidc/callback",
    status_code=303,
    response_class=RedirectResponse,
    responses=problems(400, 404, 429, 502, 503),
)
async def finish_oidc_sign_in(
    request: Request,
    portal: PortalDep,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200, description="Why there is no code.")] = "",
    iss: Annotated[str, Query(max_length=500, description="The provider (RFC 9207).")] = "",
) -> RedirectResponse:
    """Callback of the identity provider: begins a session and redirects to the first page."""
    # The server writes down the address of each request, and this one has a code in it.
    request.scope["query_string"] = b""
    portal.limiter.count(portal.settings.sign_in_limit, "sign in", address_of(request))
    provider = _provider(portal)
    attempt = ATTEMPT.read(request, portal)
    if attempt is None or not same_secret(state, attempt.state) or iss not in ("", provider.issuer):
        raise oidc.NotBegun("You were not signed in. Begin again at the sign-in.")
    if error or not code:
        raise oidc.ProviderRefused(
            "You were not signed in. Begin again, or sign in with your password."
        )
    identity = await provider.identify(code, attempt)
    with portal.reserve.opened():
        signed_in = await run_in_threadpool(
            oidc.sign_in,
            portal.database,
            identity,
            lasts=portal.settings.session_length,
            replaces=cookie_of(request, portal.settings),
        )
    response = RedirectResponse("/", 303)
    set_cookie(response, portal.settings, signed_in.secret)
    set_device(request, response, portal, signed_in.user.id)
    ATTEMPT.delete(response, portal)
    return response


def _provider(portal: Portal) -> Provider:
    if portal.provider is None:
        raise oidc.NoProvider("Sign in with your password (POST /api/v1/session).")
    return portal.provider


@router.get("")
def get_session(
    request: Request, session: ReadSession, portal: PortalDep, caller: Anybody
) -> SessionRead:
    """The caller's identity and permissions, for sessions and tokens."""
    return read_caller(session, caller, cookie_of(request, portal.settings))


@router.delete("", status_code=204)
def sign_out(
    request: Request,
    portal: PortalDep,
    caller: Anybody,
    everywhere: Annotated[bool, Query(description="End all my sessions, on every device.")] = False,
) -> Response:
    """End the session of the cookie. Tokens stay."""
    secret = cookie_of(request, portal.settings)
    if secret is not None and caller.token_id is None:
        service.sign_out(portal.database, secret, everywhere=everywhere)
    response = Response(status_code=204)
    delete_cookie(response, portal.settings)
    return response
