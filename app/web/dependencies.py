"""Dependencies by which pages authenticate visitors and check their permissions.

A visitor is known by the session's cookie alone. What changes something also needs the session's
CSRF token, which every form of a page carries, and has to come from a page of this portal.
"""

from typing import Annotated

from fastapi import Depends, Request

from app.auth.cookies import cookie_of
from app.auth.dependencies import SAFE_METHODS, require
from app.auth.identity import read_caller
from app.auth.origins import refuse_other_sites
from app.auth.sessions import service as sessions
from app.core.dependencies import PortalDep
from app.core.errors import Unauthenticated
from app.core.log_context import add_to_log
from app.core.security import Caller, Permission

CSRF_FIELD = "csrf_token"


async def get_csrf_token(request: Request, portal: PortalDep) -> str | None:
    """The request's CSRF token; None for a safe method. Raises CsrfFailed."""
    if request.method in SAFE_METHODS:
        return None
    refuse_other_sites(request, portal)
    if (header := request.headers.get("x-csrf-token")) is not None:
        return header
    return str((await request.form()).get(CSRF_FIELD, ""))


def get_visitor(
    request: Request,
    portal: PortalDep,
    csrf_token: Annotated[str | None, Depends(get_csrf_token)],
) -> Caller:
    """The caller, also in `request.state.visitor` for templates. Raises Unauthenticated."""
    secret = cookie_of(request, portal.settings)
    if secret is None:
        raise Unauthenticated("Sign in to see this page.")
    caller = sessions.authenticate(
        portal.database, secret, csrf_token=csrf_token, idle=portal.settings.session_idle
    )
    add_to_log(organisation_id=caller.organisation_id)
    with portal.database.reading() as session:
        request.state.visitor = read_caller(session, caller, secret)
    return caller


def of_page(permission: Permission) -> object:
    return Depends(require(permission, known_by=get_visitor))


def get_visitor_if_any(request: Request, portal: PortalDep) -> Caller | None:
    """For pages that everybody may read: who is signed in sees them with their own bar."""
    try:
        return get_visitor(request, portal, None)
    except Unauthenticated:
        return None


Visitor = Annotated[Caller, Depends(get_visitor)]
VisitorIfAny = Annotated[Caller | None, Depends(get_visitor_if_any)]
Reader = Annotated[Caller, of_page(Permission.READ)]
Uploader = Annotated[Caller, of_page(Permission.UPLOAD)]
Distiller = Annotated[Caller, of_page(Permission.DISTILL)]
Deleter = Annotated[Caller, of_page(Permission.DELETE)]
Sharer = Annotated[Caller, of_page(Permission.SHARE)]
Requester = Annotated[Caller, of_page(Permission.REQUEST)]
Manager = Annotated[Caller, of_page(Permission.MANAGE)]
Auditor = Annotated[Caller, of_page(Permission.AUDIT)]
Operator = Annotated[Caller, of_page(Permission.OPERATE)]
