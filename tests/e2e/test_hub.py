"""A release travels from a hospital's own service to a hub, over a network that fails.

Three real processes of the service: the hospital's, the hub, and a proxy between them that loses
requests and replies and keeps everything that passes.
"""

import io
import os
import random
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from app.standalone.supervisor import YOUNG_SECONDS
from tests.e2e.test_documented_commands import Page, last
from tests.fixtures.faulty_proxy import FaultyProxy, cut_after, hang_up, lose_reply, whole
from tests.fixtures.reports import clear
from tests.fixtures.service import Service, exchange
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.slow

PLANTED = "Meyer_Hans_1950"
SHARE_THAT_FAILS = 0.1


class Wire(FaultyProxy):
    """Loses and cuts a tenth of what passes, keeps all of it, and kills the hub at named requests.

    Attributes:
        passed: Everything that was sent and answered.
        failed: Number of messages that were lost or cut.
        deadly: Requests at which the hub is killed, each once: before it sees them, or after it has
            done what they ask for and before its answer arrives.
    """

    def __init__(self, hub: Service) -> None:
        super().__init__(hub.url)
        self.passed: list[bytes] = []
        self.failed = 0
        self.deadly: list[tuple[str, str, str]] = []
        self._hub = hub
        self._draws = random.Random(7)

    def handle(self, handler: Any) -> None:
        behaviour = self._deadly(handler.command, handler.path)
        if behaviour is None and self._draws.random() < SHARE_THAT_FAILS:
            self.failed += 1
            behaviour = self._draws.choice([hang_up, lose_reply, cut_after(20)])
        self.next(behaviour or whole)
        try:
            super().handle(handler)
        except (httpx.HTTPError, OSError):
            handler.close_connection = True  # the hub is dead at this moment

    def _deadly(self, method: str, path: str) -> Callable[..., None] | None:
        for step in self.deadly:
            when, asked, end = step
            if asked == method and path.endswith(end):
                self.deadly.remove(step)
                if when == "before":
                    kill_portal(self._hub)
                    return whole
                return self._lose_reply_and_hub
        return None

    def _lose_reply_and_hub(self, _: Any, handler: Any, headers: dict[str, str]) -> None:
        lose_reply(self, handler, headers)
        kill_portal(self._hub)

    def ask(self, handler: Any, headers: dict[str, str]) -> httpx.Response:
        sent = handler.rfile.read(int(headers.get("content-length", 0)))
        self.passed.append(f"{handler.command} {handler.path} {headers}".encode() + sent)
        handler.rfile = io.BytesIO(sent)
        handler.close_connection = True  # what follows on it can be read no longer
        reply: httpx.Response = super().ask(handler, headers)
        self.passed.append(str(reply.headers).encode() + reply.content)
        return reply


@pytest.fixture
def wire() -> Iterator[Callable[[Service], Wire]]:
    opened: list[Wire] = []

    def open_to(hub: Service) -> Wire:
        opened.append(Wire(hub))
        return opened[-1]

    yield open_to
    for one in opened:
        one.close()


def archive_with_names() -> tuple[bytes, list[bytes]]:
    """An archive whose files are named after a patient, and the pixels of each picture."""
    from tests.e2e.conftest import picture

    file, pixels = io.BytesIO(), []
    with zipfile.ZipFile(file, "w") as written:
        for label, name in enumerate(("COVID", "Normal")):
            for number in range(30):
                content = picture(label, number)
                pixels.append(Image.open(io.BytesIO(content)).tobytes())
                written.writestr(f"set/{name}/{PLANTED}_{label}_{number:03d}.png", content)
    return file.getvalue(), pixels


def kill_portal(hub: Service) -> None:
    """SIGKILL; the supervisor starts another one."""
    os.kill(hub.pid_of("app.cli portal"), signal.SIGKILL)


@pytest.mark.skipif(shutil.which("bash") is None, reason="the documentation is for a shell")
def test_a_release_travels_to_a_hub_that_dies_at_every_step(
    make_service: Callable[..., Service], wire: Callable[[Service], Wire], tmp_path: Path
) -> None:
    home = make_service(tmp_path / "home", EXCHANGE_HUB_SECONDS="0.2")
    hub = make_service(tmp_path / "hub", EXCHANGE_ROLE="hub")
    between = wire(hub)
    archive, pixels = archive_with_names()
    page = Page("docs/federation.md", tmp_path / "here", EXCHANGE_PORTAL_URL=home.url)

    # At the hub: an organisation, and its tokens.
    place = {"/srv/hub": str(hub.data_dir)}
    make, for_admin, for_steward = page.commands("exchange admin create-organisation", **place)
    page.shell(make)
    admin_there = last(page.shell(for_admin))
    (tmp_path / "here" / "token.txt").write_text(last(page.shell(for_steward)))

    # At home: a distillation that its audit cleared.
    dataset = home.upload(archive)
    distillation = home.distill(dataset["id"])
    home.wait_for(distillation, "ready")
    clear(home.data_dir, distillation)
    whose = ("--organisation", "Hospital", "--role", "admin")
    admin = exchange("admin", "create-token", *whose, data_dir=home.data_dir)
    page.environment["EXCHANGE_TOKEN"] = admin

    # Connect, and compare.
    connect, listed = page.commands("exchange hub connect", **{"https://hub.example": between.url})
    between.deadly = [("before", "GET", "/session"), ("after", "PUT", "/home-key")]
    made = persistently(page, connect)
    of_hub, of_ours = (line.split()[-1] for line in made.splitlines() if line.startswith("  of "))
    assert "not confirmed" in page.shell(listed)
    confirm, trust = page.commands(
        "exchange hub confirm",
        **{
            "3f2a-91bc-0d4e-77a1-5c2f": of_hub,
            "59f1-d0d7-1281-1f25-7cc6": of_ours,
            "https://hub.example": hub.url,
        },
    )
    page.shell(confirm)
    kill_portal(hub)
    wait_until(lambda: answers(hub), "the hub is up again")
    page.environment["EXCHANGE_TOKEN"] = admin_there
    page.shell(trust)
    page.environment["EXCHANGE_TOKEN"] = admin

    # Share, while the hub dies at each request.
    settle(hub)
    share, where, withdraw = page.commands("exchange share dl_…", **{"dl_…": distillation})
    between.deadly = [
        ("after", "POST", "/publications"),
        ("before", "PATCH", "/bundle"),
        ("after", "PATCH", "/bundle"),
    ]
    released = last(page.shell(share))
    wait_until(lambda: status(home, released) == "shared", "the hub shows it", seconds=600)
    assert between.deadly == []
    assert "is shown there" in page.shell(where.replace("rel_…", released))
    there = client(hub, admin_there)
    assert [row["id"] for row in there.get("/catalogue").json()["items"]] == [released]
    own = home.client.get(f"/releases/{released}").json()
    found = there.get(f"/releases/{released}").json()
    for name in ("title", "facts", "terms", "classes", "key", "verdict"):
        assert found[name] == own[name], name
    assert found["bundle"]["sha256"] == own["bundle"]["sha256"]

    # Withdraw, while it dies again.
    settle(hub)
    between.deadly = [("before", "POST", "/withdraw"), ("after", "POST", "/withdraw")]
    page.shell(withdraw.replace("rel_…", released))
    wait_until(lambda: status(home, released) == "withdrawn", "the hub knows", seconds=600)
    assert between.deadly == []
    assert there.get(f"/releases/{released}").json()["status"] == "withdrawn"

    # One release, one tombstone, and both logs say so; no X-ray has passed, and no name.
    actions = [entry["action"] for entry in there.get("/audit?limit=200").json()["items"]]
    assert actions.count("release.published") == 1
    assert actions.count("release.withdrawn") == 1
    assert between.failed > 0
    passed = b"".join(between.passed)
    assert len(passed) > own["bundle"]["size"]
    assert PLANTED.encode() not in passed
    assert distillation.encode() not in passed
    assert dataset["id"].encode() not in passed
    assert [
        number for number, one in enumerate(pixels) if one in passed or one[:64] in passed
    ] == []


def persistently(page: Page, command: str) -> str:
    """What a person does whose command said that the hub did not answer: the same once more."""

    def tried() -> str | None:
        try:
            return page.shell(command)
        except AssertionError:  # the command said why, and changed nothing
            return None

    return wait_until(tried, "the hub answers", seconds=120) or ""


def settle(hub: Service) -> None:
    """A supervisor gives up on a child that keeps dying young: let this one grow up."""
    wait_until(lambda: answers(hub), "the hub is up")
    grown_at = time.monotonic() + YOUNG_SECONDS
    wait_until(lambda: time.monotonic() > grown_at, "it has grown up")


def answers(hub: Service) -> bool:
    try:
        return httpx.get(f"{hub.url}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def status(home: Service, release_id: str) -> str:
    items = home.client.get(f"/releases/{release_id}/shares").json()["items"]
    assert len(items) == 1
    found: str = items[0]["status"]
    assert found != "refused", items[0]["problem"]
    return found


def client(service: Service, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{service.url}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
