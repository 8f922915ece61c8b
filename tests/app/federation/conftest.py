"""A hospital's portal and a hub, each with its own database, folder and port."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.core.clock import utc_now
from app.core.settings import PortalRole
from app.federation.shares.courier import carry
from app.models import Share


@dataclass
class Pair:
    """St. Anna's own portal, and a hub where St. Anna has a token.

    The portals run in this process; what they say to each other goes over HTTP.
    """

    home: Any
    hub: Any

    @property
    def token(self) -> str:
        """Of a steward of St. Anna at the hub."""
        return str(self.hub.steward.token)

    def connect(self, **changes: Any) -> Any:
        body = {"name": "The hub", "url": str(self.hub.client.base_url), "token": self.token}
        return self.home.admin.post("/connections", json=body | changes)

    def connected(self) -> dict[str, Any]:
        """Connected, with both fingerprints compared."""
        made = self.connect()
        assert made.status_code == 201, made.text
        connection: dict[str, Any] = made.json()
        path = f"/connections/{connection['id']}/confirm"
        confirmed = self.home.admin.post(path, json={"fingerprint": connection["fingerprint"]})
        assert confirmed.status_code == 200, confirmed.text
        compared = {"fingerprint": connection["own_fingerprint"]}
        there = self.hub.admin.post("/home-key/confirm", json=compared)
        assert there.status_code == 200, there.text
        return connection

    def share(self, release_id: str, connection: dict[str, Any]) -> dict[str, Any]:
        asked = self.home.steward.post(
            f"/releases/{release_id}/shares", json={"connection_id": connection["id"]}
        )
        assert asked.status_code == 201, asked.text
        share: dict[str, Any] = asked.json()
        return share

    def carry(self) -> bool:
        """One round of the courier, whatever it has put off; whether all arrived."""
        with self.home.database.transaction() as session:
            session.execute(update(Share).values(due_at=utc_now()))
        return carry(self.home.services)

    def shared(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """A release of St. Anna's that the hub shows, and the connection."""
        connection, release = self.connected(), self.home.release()
        self.share(release["id"], connection)
        assert self.carry(), self.shares(release["id"])
        return release, connection

    def shares(self, release_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.home.steward.get(
            f"/releases/{release_id}/shares"
        ).json()["items"]
        return found


@pytest.fixture
def pair(
    portal_with: Callable[..., Any], fresh_database: Callable[[str], str], tmp_path: Path
) -> Pair:
    home = portal_with(webhook_networks="127.0.0.0/8")
    folder = tmp_path / "hub"
    folder.mkdir()
    hub = portal_with(
        role=PortalRole.HUB,
        data_dir=folder,
        database_url=fresh_database("hub") or f"sqlite:///{folder / 'exchange.db'}",
        storage_url=f"file://{folder / 'objects'}",
    )
    return Pair(home, hub)
