"""Links that a portal makes lead to where it listens."""

import contextlib

import httpx

from app.core.security import Role
from tests.fixtures.portal_process import portal_process
from tests.fixtures.ports import free_ports


def made_link(url, token, user_id):
    """The link to set a password; None while the portal does not answer."""
    with contextlib.suppress(httpx.TransportError):
        reply = httpx.post(
            f"{url}/api/v1/users/{user_id}/password-link",
            headers={"Authorization": f"Bearer {token}"},
        )
        return reply.raise_for_status().json()["link"]


def test_the_port_of_the_command_is_in_its_links(portal, tmp_path, wait_until):
    user_id = portal.account(Role.STEWARD)
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"

    with portal_process(portal, port, tmp_path / "log"):
        link = wait_until(lambda: made_link(url, portal.admin.token, user_id), "it answers")

    assert link.startswith(f"{url}/join#")
