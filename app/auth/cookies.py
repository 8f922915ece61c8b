"""Session cookies: opaque, hidden from scripts, sent only by this site's own pages."""

from typing import Any

from fastapi import Request, Response

from app.core.settings import Settings

COOKIE = "exchange_session"
"""Over HTTPS with `__Host-` before it: browsers then take it from no other host."""


def cookie_of(request: Request, settings: Settings) -> str | None:
    """Read it under its exact name: a plain one may have been set by a page of another host."""
    return request.cookies.get(name_of(settings))


def name_of(settings: Settings, plain: str = COOKIE) -> str:
    return f"__Host-{plain}" if settings.is_https else plain


def kept_from_others(settings: Settings) -> Any:
    # Not "strict": the way back from an identity provider begins at the provider's page.
    return {"path": "/", "secure": settings.is_https, "httponly": True, "samesite": "lax"}


def set_cookie(response: Response, settings: Settings, secret: str) -> None:
    response.set_cookie(
        name_of(settings),
        secret,
        max_age=round(settings.session_hours * 3600),
        **kept_from_others(settings),
    )


def delete_cookie(response: Response, settings: Settings) -> None:
    response.delete_cookie(name_of(settings), **kept_from_others(settings))
