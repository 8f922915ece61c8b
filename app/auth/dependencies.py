"""Dependencies by which endpoints authenticate callers and check their permissions.

A caller is known by a bearer token, or by the cookie of a session together with its CSRF token
wherever something is changed.

The caller is looked up in a transaction of its own that is over before the endpoint's begins.
On SQLite a writing transaction takes the database's only write lock with its first statement, so
that lock is taken while the endpoint's thread runs, never while the request waits for a thread.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request, Response
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.audit.log import Action, record
from app.auth.cookies import COOKIE, cookie_of
from app.auth.sessions import service as sessions
from app.auth.tokens import service as tokens
from app.core.dependencies import PortalDep, WriteSession
from app.core.errors import Forbidden, Unauthenticated
from app.core.log_context import add_to_log
from app.core.portal import Portal
from app.core.schemas import ReplyModel
from app.core.security import PERMISSIONS, Caller, Permission, Role
from app.idempotency import Repeatable, RepeatableDep
from app.models.audit_entry import Outcome

Reply = TypeVar("Reply", bound=ReplyModel)

bearer = HTTPBearer(auto_error=False, description="A token: `POST /api/v1/tokens`.")
cookie = APIKeyCookie(
    name=COOKIE, auto_error=False, description="A browser's session: `POST /api/v1/session`."
)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def get_caller(
    request: Request,
    portal: PortalDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    _described: Annotated[str | None, Depends(cookie)],
    csrf_token: Annotated[
        str | None,
        Header(
            alias="X-CSRF-Token",
            max_length=200,
            description="The session's CSRF token, for cookie requests that change something.",
        ),
    ] = None,
) -> Caller:
    safe = request.method in SAFE_METHODS
    caller = _authenticate(request, portal, credentials, None if safe else csrf_token or "")
    add_to_log(organisation_id=caller.organisation_id)
    return caller


def _authenticate(
    request: Request,
    portal: Portal,
    credentials: HTTPAuthorizationCredentials | None,
    csrf_token: str | None,
) -> Caller:
    if credentials is not None:
        return tokens.authenticate(portal.database, credentials.credentials)
    secret = cookie_of(request, portal.settings)
    if secret is None:
        raise Unauthenticated(
            "Send `Authorization: Bearer TOKEN`, or sign in. Tokens are made with POST "
            "/api/v1/tokens, or by the operator of this portal.",
            headers={"WWW-Authenticate": 'Bearer realm="iadd-exchange"'},
        )
    return sessions.authenticate(
        portal.database, secret, csrf_token=csrf_token, idle=portal.settings.session_idle
    )


def get_expect_still(
    request: Request,
    portal: PortalDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Callable[[Permission], None]:
    """Repeat the check during long requests: a role, token or session may end meanwhile.

    What it gives raises Unauthenticated, or Forbidden where the permission is gone.
    """

    def expect(permission: Permission) -> None:
        if not _authenticate(request, portal, credentials, None).may(permission):
            raise Forbidden(
                f"Your roles no longer have the scope {permission.value}. What was done before is "
                "kept. Ask an admin of your organisation.",
                scope=permission.value,
            )

    return expect


def require(
    permission: Permission, known_by: Callable[..., Any] = get_caller
) -> Callable[..., Awaitable[Caller]]:
    """A dependency: the caller, who may do this.

    Args:
        permission: The required permission.
        known_by: The dependency that authenticates the caller.

    Raises:
        Forbidden: The caller's roles or scopes do not allow it; it is logged.
    """
    roles = [role.value for role in Role if permission in PERMISSIONS[role]]

    # async: a plain function would cost a trip through the thread pool.
    async def allowed(
        request: Request, portal: PortalDep, caller: Annotated[Caller, Depends(known_by)]
    ) -> Caller:
        if caller.may(permission):
            return caller
        operation = request.scope["route"].name
        await run_in_threadpool(_record_refusal, portal, caller, operation, permission)
        held = ", ".join(role.value for role in caller.roles)
        raise Forbidden(
            f"You have the role {held}, and this needs {' or '.join(roles)} with the scope "
            f"{permission.value}. Nothing was changed. Ask an admin of your organisation.",
            roles=roles,
            scope=permission.value,
        )

    return allowed


def _record_refusal(portal: Portal, caller: Caller, operation: str, permission: Permission) -> None:
    with portal.database.transaction() as session:
        record(
            session,
            caller,
            Action.REFUSED,
            outcome=Outcome.REFUSED,
            operation=operation,
            needed=permission.value,
        )


ExpectStill = Annotated[Callable[[Permission], None], Depends(get_expect_still)]
Anybody = Annotated[Caller, Depends(get_caller)]
Reader = Annotated[Caller, Depends(require(Permission.READ))]
Uploader = Annotated[Caller, Depends(require(Permission.UPLOAD))]
Distiller = Annotated[Caller, Depends(require(Permission.DISTILL))]
Deleter = Annotated[Caller, Depends(require(Permission.DELETE))]
Sharer = Annotated[Caller, Depends(require(Permission.SHARE))]
Requester = Annotated[Caller, Depends(require(Permission.REQUEST))]
Manager = Annotated[Caller, Depends(require(Permission.MANAGE))]
Auditor = Annotated[Caller, Depends(require(Permission.AUDIT))]
Operator = Annotated[Caller, Depends(require(Permission.OPERATE))]


@dataclass(frozen=True)
class OnceOnly:
    """Does the work of a POST once, however often the request is sent, and reads its reply."""

    session: Session
    caller: Caller
    repeatable: Repeatable
    response: Response

    def __call__(
        self, reply_type: type[Reply], work: Callable[[], object], *, folder: str | None = None
    ) -> Reply:
        """The reply, with its address in `folder` as `Location`. Raises KeyReused."""
        reply = self.repeatable.once(
            self.session, self.caller, reply_type, lambda: reply_type.model_validate(work())
        )
        return self._located(reply, folder)

    def secret(self, work: Callable[[], Reply], *, shown: str, folder: str | None = None) -> Reply:
        """Like a call, for a reply that must not be stored: a repetition raises SecretShown."""
        reply = self.repeatable.once_secret(self.session, self.caller, work, shown=shown)
        return self._located(reply, folder)

    def _located(self, reply: Reply, folder: str | None) -> Reply:
        if folder is not None:
            self.response.headers["Location"] = f"{folder}/{vars(reply)['id']}"
        return reply


# async, as above.
async def get_once(
    session: WriteSession, caller: Anybody, repeatable: RepeatableDep, response: Response
) -> OnceOnly:
    return OnceOnly(session, caller, repeatable, response)


Once = Annotated[OnceOnly, Depends(get_once)]
