"""The cookie by which a browser proves that it has signed in to an account before.

It lets nobody in. It keeps wrong passwords that strangers send from locking the person out of the
devices that they use: see `app.auth.failures`.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request, Response

from app.auth.failures import Source
from app.auth.sealed_cookie import SealedCookie
from app.core.portal import Portal
from app.core.ratelimit import address_of
from app.core.vault import Purpose


@dataclass(frozen=True)
class Device:
    """A browser that has signed in to an account."""

    user_id: str
    id: str


COOKIE = SealedCookie("exchange_device", Purpose.DEVICE, timedelta(days=180), Device)


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
    return Sender(address_of(request), COOKIE.read(request, portal))


def set_device(request: Request, response: Response, portal: Portal, user_id: str) -> None:
    """Let the browser prove later that it has signed in to this account."""
    device = sender_of(request, portal).device
    if device is None or device.user_id != user_id:
        device = Device(user_id, secrets.token_hex(16))
    COOKIE.set(response, portal, device)
