"""Password sign-in over REST and on the page: rate-limited, every refusal after the same time."""

from collections.abc import Callable
from typing import Any

import anyio
from fastapi import Request

from app.auth.cookies import cookie_of
from app.auth.devices import sender_of
from app.auth.sessions import service
from app.auth.sessions.schemas import SessionCreate
from app.core.portal import Portal
from app.core.ratelimit import address_of

REFUSAL_SECONDS = 1.0
"""Time until a wrong password is answered, known address or not: longer than any check takes."""


async def sign_in_with_password(
    request: Request, portal: Portal, body: SessionCreate
) -> service.SignedIn:
    """Begin a session if the password is right, and the code where the account asks for one.

    Raises WrongCredentials, SecondFactorNeeded, WrongCode, TooManyRequests.
    """
    code = None if body.code is None else body.code.get_secret_value()
    return await _counted(
        request, portal, service.sign_in, body.email, body.password.get_secret_value(), code
    )


async def finish_with_code(
    request: Request, portal: Portal, begun: service.BegunSignIn, code: str
) -> service.SignedIn:
    """Begin the session of a sign-in whose code was missing.

    Raises WrongCode, WrongCredentials, TooManyRequests.
    """
    return await _counted(request, portal, service.finish_sign_in, begun, code)


async def _counted(
    request: Request, portal: Portal, sign_in: Callable[..., service.SignedIn], *sent: Any
) -> service.SignedIn:
    # Not by the account: then anybody could keep its person out.
    portal.limiter.count(portal.settings.sign_in_limit, "sign in", address_of(request))
    answer_at = anyio.current_time() + REFUSAL_SECONDS
    try:
        with portal.reserve.opened():
            return await portal.passwords.run(
                sign_in,
                portal.database,
                portal.vault,
                *sent,
                source_for=sender_of(request, portal).source_for,
                lasts=portal.settings.session_length,
                replaces=cookie_of(request, portal.settings),
            )
    except (service.WrongCredentials, service.WrongCode):
        await anyio.sleep_until(answer_at)
        raise
