"""Requests that never end to begin: their connections are ended, and nobody else's."""

import contextlib
import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest

BRIEF = 0.3
"""Seconds that a request may take, below what the tests send in."""


@contextlib.contextmanager
def connected(portal):
    url = urlsplit(str(portal.client.base_url))
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.settimeout(30)
        yield connection


def answer(connection):
    """Status and problem of the reply; the connection has ended after it."""
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    problem = json.loads(reply.read())
    assert connection.recv(1) == b""
    return reply.status, problem["type"].rpartition(":")[2]


def trickle(connection, wait_until):
    """One byte and another, until the portal answers."""
    connection.setblocking(False)

    def answered():
        with contextlib.suppress(OSError):
            connection.send(b"x")
        with contextlib.suppress(BlockingIOError):
            return connection.recv(1, socket.MSG_PEEK)

    wait_until(answered, "the portal answers")
    connection.settimeout(30)


def test_a_connection_that_says_nothing_is_ended(portal_with):
    with connected(portal_with(request_seconds=BRIEF)) as connection:
        assert answer(connection) == (408, "request-too-slow")


def test_headers_that_never_end_are_ended(portal_with, wait_until):
    with connected(portal_with(request_seconds=BRIEF)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: portal\r\nX-Slow: ")
        trickle(connection, wait_until)
        reply = http.client.HTTPResponse(connection)
        reply.begin()

    assert reply.status == 408


def test_so_are_those_of_a_second_request(portal_with, wait_until):
    with connected(portal_with(request_seconds=BRIEF)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: portal\r\n\r\n")
        first = http.client.HTTPResponse(connection)
        first.begin()
        first.read()
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert first.status == 200
        assert answer(connection) == (408, "request-too-slow")


@pytest.mark.parametrize(
    "header", ["Content-Length: 1000", "Transfer-Encoding: chunked"], ids=["declared", "chunked"]
)
def test_a_body_that_never_ends_is_ended(portal_with, header):
    with connected(portal_with(request_seconds=BRIEF)) as connection:
        lines = ["POST /api/v1/session HTTP/1.1", "Host: portal", header, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert answer(connection) == (408, "request-too-slow")


def test_an_archive_takes_as_long_as_its_bytes_keep_coming(portal_with, wait_until):
    portal = portal_with(request_seconds=BRIEF)
    dataset_id = portal.new_dataset()
    with connected(portal) as slow, connected(portal) as silent:
        lines = [
            f"PUT /api/v1/datasets/{dataset_id}/archive HTTP/1.1",
            "Host: portal",
            f"Authorization: Bearer {portal.steward.token}",
            "Content-Length: 2",
        ]
        slow.sendall("\r\n".join([*lines, "", "a"]).encode())
        assert answer(silent)[0] == 408  # by now the time of a request is over
        slow.sendall(b"b")
        reply = http.client.HTTPResponse(slow)
        reply.begin()

    assert reply.status == 202


def test_headers_without_an_end_are_cut_off(portal):
    with connected(portal) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ")
        with contextlib.suppress(OSError):
            connection.sendall(b"x" * 80_000)
        reply = http.client.HTTPResponse(connection)
        reply.begin()

    assert reply.status == 431
