"""The cookie of a session: opaque, out of reach of scripts, sent by this site's own pages alone."""

from fastapi import Request, Response

from app.core.settings import Settings

COOKIE = "exchange_session"
SECURE_COOKIE = "__Host-exchange_session"
"""Over HTTPS: browsers take a cookie of this name from no other host and over no plain line."""


def cookie_of(request: Request) -> str | None:
    return request.cookies.get(SECURE_COOKIE) or request.cookies.get(COOKIE)


def set_cookie(response: Response, settings: Settings, secret: str) -> None:
    response.set_cookie(
        SECURE_COOKIE if settings.is_https else COOKIE,
        secret,
        max_age=round(settings.session_hours * 3600),
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )


def delete_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(
        SECURE_COOKIE if settings.is_https else COOKIE,
        path="/",
        secure=settings.is_https,
        httponly=True,
        samesite="lax",
    )
