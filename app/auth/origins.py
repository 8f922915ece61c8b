"""Whether a browser sends a request from a page of this portal."""

from urllib.parse import urlsplit

from fastapi import Request

from app.auth.sessions.service import CsrfFailed
from app.core.dependencies import PortalDep


def refuse_other_sites(request: Request, portal: PortalDep) -> None:
    """Raises CsrfFailed where the form was on another site's page, by the browser's headers."""
    if not is_of_this_site(request, portal.settings.public_url):
        raise CsrfFailed("A page of another site sent this form. Nothing was changed.")


def is_of_this_site(request: Request, public_url: str) -> bool:
    """True as well where a program sends it: only browsers carry somebody else's cookies."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    # Older browsers, and all of them over plain HTTP, send no more than this.
    origin = request.headers.get("origin")
    if origin is None:
        return True
    # A page of another site cannot choose the Host that the browser names.
    return origin == public_url or urlsplit(origin).netloc == request.headers.get("host", "")
