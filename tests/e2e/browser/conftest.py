"""A real Chromium before the whole service, as people use it."""

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fixtures.clients import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.fixtures.service import Service

FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True)
class Account:
    email: str
    name: str
    organisation: str


def hire(service: "Service", organisation: str, name: str, role: str) -> Account:
    """Somebody with an account and PASSWORD, in an organisation that is made if it is not there."""
    email = f"{name.split()[-1].lower()}@{organisation.lower().replace(' ', '')}.example"
    subprocess.run(
        [
            *(sys.executable, "-P", "-m", "app.cli", "admin", "create-user"),
            *("--organisation", organisation, "--email", email, "--name", name, "--role", role),
            *("--data-dir", str(service.data_dir)),
        ],
        input=f"{PASSWORD}\n",
        text=True,
        capture_output=True,
        check=True,
    )
    return Account(email, name, organisation)


def found(service: "Service", organisation: str) -> None:
    """Make an organisation."""
    subprocess.run(
        [
            *(sys.executable, "-P", "-m", "app.cli", "admin", "create-organisation", organisation),
            *("--data-dir", str(service.data_dir)),
        ],
        capture_output=True,
        check=True,
    )


class Person:
    """Somebody who asks over REST, to bring about in a moment what a page is to show."""

    def __init__(self, service: "Service", account: Account) -> None:
        self._client = httpx.Client(base_url=f"{service.url}/api/v1", timeout=60)
        body = {"email": account.email, "password": PASSWORD}
        session = self._client.post("/session", json=body).raise_for_status().json()
        self._client.headers["X-CSRF-Token"] = session["csrf_token"]

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        reply = self._client.request(method, path, **arguments)
        assert reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json()

    def upload(self, archive: bytes, name: str, wait_until: Callable[..., Any]) -> str:
        """A dataset that is ready; its id."""
        dataset_id: str = self.ask("POST", "/datasets", json={"name": name})["id"]
        self.ask("PUT", f"/datasets/{dataset_id}/archive", content=archive)
        self.wait_for(f"/datasets/{dataset_id}", "ready", wait_until)
        return dataset_id

    def wait_for(
        self, path: str, status: str, wait_until: Callable[..., Any], seconds: float = 1500
    ) -> Any:
        """The row at `path`, once it has this status."""

        def reached() -> Any:
            row = self.ask("GET", path)
            assert row["status"] not in ("failed", "rejected"), row["problem"]
            return row if row["status"] == status else None

        return wait_until(reached, f"{path} is {status}", seconds)


class Desk:
    """Somebody at their browser: pages, and what went wrong on them."""

    def __init__(self, browser: "Browser", url: str, **context: Any) -> None:
        self.url = url
        self.context = browser.new_context(
            **({"viewport": {"width": 1280, "height": 900}} | context)
        )
        self.context.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> "Page":
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)
        return page

    def _hear(self, message: Any) -> None:
        # Replies of 4xx and lost connections are part of some stories; scripts that fail and what
        # the Content-Security-Policy stops are part of none.
        expected = ("Failed to load resource", "htmx:")
        if message.type == "error" and not message.text.startswith(expected):
            self.complaints.append(message.text)

    def open(self, path: str) -> "Page":
        self.page.goto(self.url + path)
        return self.page

    def sign_in(self, account: Account, password: str = PASSWORD) -> "Desk":
        page = self.open("/sign-in")
        page.get_by_label("E-mail address").fill(account.email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(self.url + "/")
        return self


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.when == "call" and report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def desk(
    chromium: "Browser", request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., Desk]]:
    """`desk(service)`: a browser of somebody's own. At the end no page may have complained.

    Of a test that fails, a picture of each page is left in its folder.
    """
    desks: list[Desk] = []

    def sit(service: "Service", account: Account | None = None, **context: Any) -> Desk:
        desks.append(Desk(chromium, service.url, **context))
        if account is not None:
            desks[-1].sign_in(account)
        return desks[-1]

    yield sit
    for number, one in enumerate(desks):
        if request.node.stash.get(FAILED, False):
            picture = tmp_path / f"desk-{number}.png"
            one.page.screenshot(path=picture, full_page=True)
            print(f"{one.page.url} looked like {picture}")
        one.context.close()
        assert one.complaints == []


@pytest.fixture(name="hire", scope="session")
def _hire() -> Callable[..., Account]:
    return hire


@pytest.fixture(name="found", scope="session")
def _found() -> Callable[..., None]:
    return found


@pytest.fixture(name="person", scope="session")
def _person() -> Callable[..., Person]:
    return Person


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD
