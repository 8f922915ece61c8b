"""The cookie by which a browser proves that it has signed in to an account before.

It lets nobody in. It keeps wrong passwords that strangers send from locking the person out of the
devices that they use: see `app.auth.failures`.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta

from fastapi import Request, Response

from app.auth.cookies import kept_from_others, name_of
from app.auth.failures import Source
from app.core.portal import Portal
from app.core.ratelimit import address_of
from app.core.vault import Purpose

COOKIE = "exchange_device"
LASTS = timedelta(days=180)


@dataclass(frozen=True)
class Device:
    """A browser that has signed in to an account."""

    user_id: str
    id: str


@dataclass(frozen=True)
class Sender:
    """Who sends a password, as far as the request tells."""

    address: str
    device: Device | None = None

    def source_for(self, user_id: str) -> Source:
        """What a wrong password for this account is counted for."""
        if self.device is not None and self.device.user_id == user_id:
            return Source.device(self.device.id)
        return Source.address(self.address)


def sender_of(request: Request, portal: Portal) -> Sender:
    sealed = request.cookies.get(name_of(portal.settings, COOKIE), "")
    opened = portal.vault.open_recent(sealed, Purpose.DEVICE, LASTS)
    device = None if opened is None else Device(**json.loads(opened))
    return Sender(address_of(request), device)


def set_device(request: Request, response: Response, portal: Portal, user_id: str) -> None:
    """Let the browser prove later that it has signed in to this account."""
    device = sender_of(request, portal).device
    if device is None or device.user_id != user_id:
        device = Device(user_id, secrets.token_hex(16))
    response.set_cookie(
        name_of(portal.settings, COOKIE),
        portal.vault.seal(json.dumps(asdict(device)).encode(), Purpose.DEVICE),
        max_age=round(LASTS.total_seconds()),
        **kept_from_others(portal.settings),
    )
