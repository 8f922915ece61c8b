"""Somebody at a browser without scripts: forms are read from the page and sent as they stand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from app.core.security import Role


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "form" and given.get("method") == "post":
            self.forms.append(Form(given["action"] or ""))
        is_sent = given.get("type") not in ("checkbox", "radio") or "checked" in given
        if tag == "input" and self.forms and given.get("name") and is_sent:
            self.forms[-1].fields[given["name"] or ""] = given.get("value") or ""


class Reader:
    """Reads pages, follows what forms answer."""

    def __init__(self, base_url: httpx.URL) -> None:
        self.client = httpx.Client(
            base_url=base_url,
            timeout=20,
            follow_redirects=True,
            headers={"Accept": "text/html,application/xhtml+xml"},
        )

    def open(self, address: str, status: int = 200) -> str:
        reply = self.client.get(address)
        assert reply.status_code == status, reply.text
        return reply.text

    def form(self, address: str, action: str) -> Form:
        """The form of the page at `address` that is sent to `action`."""
        parser = _Forms()
        parser.feed(self.open(address))
        found = [form for form in parser.forms if form.action == action]
        assert found, f"{address} has no form for {action}: {[f.action for f in parser.forms]}"
        return found[0]

    def send(self, address: str, action: str, **typed: Any) -> httpx.Response:
        """Fill in the form of a page and send it."""
        form = self.form(address, action)
        return self.client.post(action, data=form.fields | typed)

    def sign_in(self, email: str, password: str) -> httpx.Response:
        return self.send("/sign-in", "/sign-in", email=email, password=password)


PASSWORD = "a sentence that only I would say"


@pytest.fixture
def anybody(house: Any) -> Any:
    """Somebody who has not signed in."""
    reader = Reader(house.client.base_url)
    yield reader
    reader.client.close()


@pytest.fixture
def reader(house: Any) -> Any:
    """`reader(Role.STEWARD)`: somebody who is signed in; with `elsewhere=True` of another house."""
    opened: list[Reader] = []

    def sign_in(*roles: Role, elsewhere: bool = False) -> Reader:
        email = f"person{len(opened)}@hospital.example"
        organisation = house.elsewhere_id if elsewhere else house.organisation_id
        house.account(*roles, email=email, organisation_id=organisation)
        opened.append(Reader(house.client.base_url))
        reply = opened[-1].sign_in(email, PASSWORD)
        assert reply.status_code == 200, reply.text
        return opened[-1]

    yield sign_in
    for one in opened:
        one.client.close()


SignIn = Callable[..., Reader]
