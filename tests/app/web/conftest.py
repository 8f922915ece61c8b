"""Somebody at a browser without scripts: forms are read from the page and sent as they stand."""

from collections.abc import Callable
from typing import Any

import pytest

from app.core.security import Role
from tests.fixtures.clients import PASSWORD, Reader


@pytest.fixture
def anybody(portal: Any) -> Any:
    """Somebody who has not signed in."""
    reader = Reader(portal.client.base_url)
    yield reader
    reader.client.close()


@pytest.fixture
def reader(portal: Any) -> Any:
    """`reader(Role.STEWARD)`: somebody who is signed in; `elsewhere=True`: in the other one."""
    opened: list[Reader] = []

    def sign_in(*roles: Role, elsewhere: bool = False) -> Reader:
        email = f"person{len(opened)}@hospital.example"
        organisation = portal.elsewhere_id if elsewhere else portal.organisation_id
        portal.account(*roles, email=email, organisation_id=organisation)
        opened.append(Reader(portal.client.base_url))
        # Past the page for it, which costs as much as many a test.
        asked = {"email": email, "password": PASSWORD}
        reply = opened[-1].client.post("/api/v1/session", json=asked)
        assert reply.status_code == 201, reply.text
        return opened[-1]

    yield sign_in
    for one in opened:
        one.client.close()


SignIn = Callable[..., Reader]
