"""Password sign-in over REST and on the page: rate-limited, every refusal after the same time."""

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
    """Begin a session if the password is right. Raises WrongCredentials, TooManyRequests."""
    # Not by the account: then anybody could keep its person out.
    portal.limiter.count(portal.settings.sign_in_limit, "sign in", address_of(request))
    answer_at = anyio.current_time() + REFUSAL_SECONDS
    try:
        with portal.reserve.opened():
            return await portal.passwords.run(
                service.sign_in,
                portal.database,
                body.email,
                body.password.get_secret_value(),
                source_for=sender_of(request, portal).source_for,
                lasts=portal.settings.session_length,
                replaces=cookie_of(request, portal.settings),
            )
    except service.WrongCredentials:
        await anyio.sleep_until(answer_at)
        raise
