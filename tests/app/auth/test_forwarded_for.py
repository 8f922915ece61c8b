"""Whom a request comes from: as it connects, or as a proxy says that the operator has named."""

import contextlib

import httpx
import pytest

from tests.fixtures.portal_process import portal_process
from tests.fixtures.ports import free_ports


@contextlib.contextmanager
def asking(portal, folder, wait_until, **settings):
    """Asks `exchange portal` to begin a sign-in, which three may a minute from one address."""
    [port] = free_ports(1)
    with (
        portal_process(portal, port, folder / "log", EXCHANGE_SIGN_IN_RATE="3/minute", **settings),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
    ):

        def answers():
            with contextlib.suppress(httpx.TransportError):
                return client.get("/healthz").is_success

        wait_until(answers, "the portal answers")

        def ask(claimed):
            headers = {"X-Forwarded-For": claimed}
            return client.get("/api/v1/session/oidc", headers=headers).status_code

        yield ask


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"], ids=["no proxy", "a proxy elsewhere"])
def test_nobody_has_another_address_by_claiming_it(portal, tmp_path, wait_until, proxies):
    with asking(portal, tmp_path, wait_until, EXCHANGE_TRUSTED_PROXIES=proxies) as ask:
        statuses = [ask(f"192.0.2.{number}") for number in range(5)]

    assert statuses == [404, 404, 404, 429, 429]


def test_a_named_proxy_tells_whom_a_request_comes_from(portal, tmp_path, wait_until):
    with asking(portal, tmp_path, wait_until, EXCHANGE_TRUSTED_PROXIES="127.0.0.0/8") as ask:
        others = [ask(f"192.0.2.{number}") for number in range(5)]
        # What a caller claims to the proxy stands before what the proxy has seen.
        liar = [ask(f"203.0.113.{number}, 198.51.100.7") for number in range(4)]

    assert others == [404] * 5
    assert liar == [404, 404, 404, 429]
