"""Who calls: the dependencies that endpoints name to say who may use them.

The caller is looked up in a transaction of its own that is over before the endpoint's begins.
On SQLite a writing transaction takes the database's only write lock with its first statement, so
that lock is taken while the endpoint's thread runs, never while the request waits for a thread.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.core.dependencies import PortalDep
from app.core.errors import Forbidden, Unauthenticated
from app.core.security import PERMISSIONS, Caller, Permission, Role
from app.organisations import service

bearer = HTTPBearer(auto_error=False, description="A token of `exchange admin create-token`.")


def get_caller(
    portal: PortalDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Caller:
    if credentials is None:
        raise Unauthenticated(
            "Send `Authorization: Bearer TOKEN`. The operator of this portal makes tokens with "
            "`exchange admin create-token`.",
            headers={"WWW-Authenticate": 'Bearer realm="iadd-exchange"'},
        )
    return service.authenticate(portal.database, credentials.credentials)


def require(permission: Permission) -> Callable[[Caller], Awaitable[Caller]]:
    roles = [role.value for role in Role if permission in PERMISSIONS[role]]

    async def allowed(caller: Annotated[Caller, Depends(get_caller)]) -> Caller:
        if not caller.may(permission):
            raise Forbidden(
                f"Your token has the role {caller.role.value}; this needs {' or '.join(roles)}. "
                "Ask an admin of your organisation for such a token.",
                roles=roles,
            )
        return caller

    return allowed


Reader = Annotated[Caller, Depends(require(Permission.READ))]
Uploader = Annotated[Caller, Depends(require(Permission.UPLOAD))]
Distiller = Annotated[Caller, Depends(require(Permission.DISTILL))]
Deleter = Annotated[Caller, Depends(require(Permission.DELETE))]
Manager = Annotated[Caller, Depends(require(Permission.MANAGE))]
