"""Normalised portal addresses, so that a token only goes to its own portal."""

import ipaddress
import re
from urllib.parse import urlsplit

from app.client.errors import AddressError, PortalError

LOCAL_PORTAL = "http://127.0.0.1:8000"
"""Address of `exchange up`."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def portal_address(text: str) -> str:
    """The one form of a portal's address. Raises AddressError where it is none."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https"):
        raise AddressError(
            "The portal's address begins with https:// (or http://), as in "
            "https://exchange.example. Nothing was sent."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise AddressError(
            "The portal's address has no name, password or question in it. Nothing was sent."
        )
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        shown = f"{shown}:{port}"
    return f"{parts.scheme}://{shown}{parts.path.rstrip('/')}"


def is_safe(address: str) -> bool:
    """True if nobody can read the traffic: TLS, or this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def id_of(text: str) -> str:
    """An id that may stand in a path. Raises PortalError, as the portal would."""
    if _ID.fullmatch(text):
        return text
    raise PortalError(
        "That is not an id. Ids look like ds_0123abcd: letters, digits and _.",
        404,
        code="not-found",
    )
