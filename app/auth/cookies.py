"""Session cookies: opaque, hidden from scripts, sent only by this site's own pages."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fastapi import Request, Response

from app.auth.sessions.service import BegunSignIn
from app.core.oidc_client import Attempt
from app.core.settings import Settings
from app.core.vault import Purpose, Vault

COOKIE = "exchange_session"
"""Over HTTPS with `__Host-` before it: browsers then take it from no other host."""

ATTEMPT_COOKIE = "exchange_sign_in"
ATTEMPT_LASTS = timedelta(minutes=10)
"""To come back from the identity provider."""

CODE_COOKIE = "exchange_code"
CODE_LASTS = timedelta(minutes=10)
"""To type the code of a second factor."""


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


def set_attempt(response: Response, settings: Settings, vault: Vault, attempt: Attempt) -> None:
    """Set the encrypted state that a single sign-on has to come back with."""
    response.set_cookie(
        name_of(settings, ATTEMPT_COOKIE),
        vault.seal(json.dumps(asdict(attempt)).encode(), Purpose.SIGN_IN),
        max_age=round(ATTEMPT_LASTS.total_seconds()),
        **kept_from_others(settings),
    )


def attempt_of(request: Request, settings: Settings, vault: Vault) -> Attempt | None:
    sealed = request.cookies.get(name_of(settings, ATTEMPT_COOKIE), "")
    opened = vault.open_recent(sealed, Purpose.SIGN_IN, ATTEMPT_LASTS)
    return None if opened is None else Attempt(**json.loads(opened))


def delete_attempt(response: Response, settings: Settings) -> None:
    response.delete_cookie(name_of(settings, ATTEMPT_COOKIE), **kept_from_others(settings))


def set_begun(response: Response, settings: Settings, vault: Vault, begun: BegunSignIn) -> None:
    """Set the encrypted state of a sign-in that a code has to end."""
    response.set_cookie(
        name_of(settings, CODE_COOKIE),
        vault.seal(json.dumps(asdict(begun)).encode(), Purpose.SECOND_STEP),
        max_age=round(CODE_LASTS.total_seconds()),
        **kept_from_others(settings),
    )


def begun_of(request: Request, settings: Settings, vault: Vault) -> BegunSignIn | None:
    sealed = request.cookies.get(name_of(settings, CODE_COOKIE), "")
    opened = vault.open_recent(sealed, Purpose.SECOND_STEP, CODE_LASTS)
    return None if opened is None else BegunSignIn(**json.loads(opened))


def delete_begun(response: Response, settings: Settings) -> None:
    response.delete_cookie(name_of(settings, CODE_COOKIE), **kept_from_others(settings))
