"""A hospital's portal and a hub, each with its own database, folder and port."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from app.core.clock import utc_now
from app.core.settings import PortalRole
from app.federation.shares.courier import carry
from app.models import Share
from tests.fixtures.database import migrate
from tests.fixtures.portal import (
    PortalHarness,
    add_hospitals,
    empty,
    make_app,
    make_settings,
    serving,
)


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


@pytest.fixture(scope="session")
def pair_of_apps(
    tmp_path_factory: pytest.TempPathFactory,
    broker_process: Any,
    fresh_database: Callable[[str], str],
    migrated_sqlite: Path,
) -> Iterator[list[tuple[FastAPI, str]]]:
    """Two portals for all tests, each with its address; `pair` empties them for each."""
    with contextlib.ExitStack() as opened:
        apps = []
        for name, changes in (
            ("home", {"webhook_networks": "127.0.0.0/8"}),
            ("hub", {"role": PortalRole.HUB}),
        ):
            folder = tmp_path_factory.mktemp(name)
            settings = make_settings(folder, broker_process, fresh_database(name))
            app = make_app(settings.model_copy(update=changes))
            migrate(app.state.portal.database, migrated_sqlite)
            apps.append((app, opened.enter_context(serving(app))))
        yield apps


@pytest.fixture
def pair(pair_of_apps: list[tuple[FastAPI, str]], broker: Any) -> Iterator[Pair]:
    with contextlib.ExitStack() as opened:
        portals = []
        for app, url in pair_of_apps:
            empty(app)
            client = opened.enter_context(httpx.Client(base_url=url, timeout=20))
            portals.append(PortalHarness(app, client, add_hospitals(app.state.portal)))
            opened.callback(portals[-1].close)
        yield Pair(*portals)
