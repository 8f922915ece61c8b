"""Renders pages and fragments from templates, and redirects after a form."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from babel.core import Locale, UnknownLocaleError
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection
from starlette.responses import Response

from app.core.security import Permission
from app.signing.keys import fingerprint
from app.web import formats
from app.web.fingerprints import fingerprint_words
from app.web.markdown import markdown
from app.web.qr import qr_code
from app.web.static_files import asset
from app.web.texts import preferred, texts_in

TEMPLATES = Path(__file__).parent / "templates"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # the small signs within the style sheet
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    # Not "no-referrer", as for other replies: of the portal's own forms a browser then says that
    # they come from nowhere (`Origin: null`), like one of a page that hides what it is.
    "Referrer-Policy": "same-origin",
}

HOSPITAL_ONLY = ("/datasets", "/distillations")
"""Of the navigation, what a hub has no pages for."""
NAVIGATION = (
    ("/", "nav-home", None),
    ("/datasets", "nav-datasets", Permission.READ),
    ("/distillations", "nav-distillations", Permission.READ),
    ("/releases", "nav-releases", Permission.READ),
    ("/catalogue", "nav-catalogue", Permission.READ),
    ("/requests", "nav-requests", Permission.READ),
    ("/organisation", "nav-organisation", Permission.MANAGE),
    ("/audit", "nav-audit", Permission.AUDIT),
    ("/operations", "nav-operations", Permission.OPERATE),
)
"""Address, name of its text, and the permission that shows it."""

NOTE_COOKIE = "exchange_note"
"""The name of the text that the next page shows once: what was just done."""
NOTE_SECONDS = 60
URL_LETTERS = ":/%#?=@[]!$&'()*+,;"
"""Characters that need no escape in an address."""


@lru_cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(formats.FILTERS, markdown=markdown, fingerprint=fingerprint)
    made.globals.update(
        asset=asset, qr_code=qr_code, fingerprint_words=fingerprint_words, Permission=Permission
    )
    return made


def language_of(request: HTTPConnection) -> str:
    """The browser's preferred language among the available ones."""
    wanted = []
    for part in request.headers.get("accept-language", "").split(",")[:20]:
        try:
            wanted.append(Locale.parse(part.split(";")[0].strip(), sep="-").language)
        except (ValueError, UnknownLocaleError):
            continue
    return preferred(wanted)


def page(
    request: HTTPConnection,
    template: str,
    /,
    *,
    status_code: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """A page, or a fragment of one, as an answer.

    Args:
        request: Has `state.visitor` where somebody is signed in.
        template: Path below `templates/`.
        status_code: Status of the reply.
        headers: Headers of the reply; they may replace the policy of pages.
        context: Variables of the template.
    """
    texts = texts_in(language_of(request))
    visitor = getattr(request.state, "visitor", None)
    note = request.cookies.get(NOTE_COOKIE, "")
    is_hub = request.app.state.portal.settings.is_hub
    content = (
        environment()
        .get_template(template)
        .render(
            t=texts,
            request=request,
            visitor=visitor,
            may=frozenset(()) if visitor is None else frozenset(visitor.permissions),
            is_hub=is_hub,
            navigation=[each for each in NAVIGATION if not (is_hub and each[0] in HOSPITAL_ONLY)],
            note=note if note.startswith("note-") and texts.has(note) else None,
            **context,
        )
    )
    response = HTMLResponse(content, status_code, HEADERS | (headers or {}))
    if note and not is_fragment(request):
        response.delete_cookie(NOTE_COOKIE)
    return response


def is_fragment(request: HTTPConnection) -> bool:
    """True if htmx requests a part of a page."""
    return request.headers.get("hx-request") == "true"


def go_to(request: Request, address: str, note: str | None = None) -> Response:
    """The page that follows a form, which shows the text `note` once."""
    if is_fragment(request):
        # A header holds no letters beyond Latin ones; RedirectResponse does the same.
        response = Response(headers={"HX-Redirect": quote(address, safe=URL_LETTERS)})
    else:
        response = RedirectResponse(address, 303)
    if note is not None:
        response.set_cookie(
            NOTE_COOKIE,
            note,
            max_age=NOTE_SECONDS,
            secure=request.app.state.portal.settings.is_https,
            httponly=True,
            samesite="lax",
        )
    return response
