from collections.abc import Sequence

from pydantic import BaseModel

from app.client.addresses import id_of
from app.client.errors import PortalError
from app.client.models import HomeKey, Hub, Share
from app.client.transport import Transport


class _Hubs(BaseModel):
    items: list[Hub]


class _Shares(BaseModel):
    items: list[Share]


class Hubs:
    """Hubs that the caller's organisation shares releases with."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def connect(self, name: str, url: str, token: str) -> Hub:
        """Connect the portal with a hub; nothing is sent before `confirm`.

        Args:
            name: What you call the hub.
            url: Its root.
            token: Of your organisation at the hub, with the permission to share.

        Raises:
            PortalError: As `hub-unreachable`, `hub-token-not-usable` or `hub-address-refused`.
        """
        body = {"name": name, "url": url, "token": token}
        return self._transport.post("/connections", Hub, body, once=False)

    def list(self) -> Sequence[Hub]:
        return self._transport.read("/connections", _Hubs).items

    def find(self, name: str) -> Hub:
        """By name, address or id. Raises PortalError."""
        wanted = name.strip().rstrip("/").casefold()
        for hub in self.list():
            if wanted in (hub.id, hub.name.casefold(), hub.url.casefold()):
                return hub
        raise PortalError(
            f"Your organisation has no hub {name!r}. Nothing was changed. `exchange hub list` "
            "lists them, and `exchange hub connect` connects with one.",
            code="connection-not-found",
        )

    def confirm(self, hub_id: str, fingerprint: str) -> Hub:
        """Trust the hub's key. Raises PortalError, as `other-fingerprint`."""
        path = f"/connections/{id_of(hub_id)}/confirm"
        return self._transport.post(path, Hub, {"fingerprint": fingerprint}, once=False)

    def pause(self, hub_id: str) -> Hub:
        return self._transport.post(f"/connections/{id_of(hub_id)}/pause", Hub, once=False)

    def resume(self, hub_id: str) -> Hub:
        return self._transport.post(f"/connections/{id_of(hub_id)}/resume", Hub, once=False)

    def remove(self, hub_id: str) -> None:
        self._transport.request("DELETE", f"/connections/{id_of(hub_id)}")

    def share(self, release_id: str, hub_id: str) -> Share:
        """Have the portal carry a release to a hub.

        Raises:
            PortalError: As `connection-not-confirmed` or `release-not-shareable`.
        """
        path = f"/releases/{id_of(release_id)}/shares"
        return self._transport.post(path, Share, {"connection_id": hub_id}, once=False)

    def shares(self, release_id: str) -> Sequence[Share]:
        """Where a release was shared, and what became of it."""
        return self._transport.read(f"/releases/{id_of(release_id)}/shares", _Shares).items

    def home_key(self) -> HomeKey:
        """At a hub: the key of the organisation's own portal. Raises PortalError."""
        return self._transport.read("/home-key", HomeKey)

    def confirm_home_key(self, fingerprint: str) -> HomeKey:
        """At a hub: trust that key. Raises PortalError, as `other-fingerprint`."""
        body = {"fingerprint": fingerprint}
        return self._transport.post("/home-key/confirm", HomeKey, body, once=False)
