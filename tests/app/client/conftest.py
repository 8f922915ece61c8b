"""The way to a portal, which can break, and the commands as somebody of the two hospitals."""

import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app, jobs
from app.client import PortalClient, Retries

AT_ONCE = Retries(attempts=4, first_pause=0.001, longest_pause=0.1)


class Way:
    """A real HTTP server in front of the real portal; `next` says what goes wrong, in order.

    Attributes:
        requests: (method, path below /api/v1, headers) of all that came.
        stalled: Set once somebody waits for the rest of a reply.
    """

    def __init__(self, portal_url: str) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.stalled = threading.Event()
        self._go_on = threading.Event()
        self._plan: deque[Callable] = deque()
        self.portal = httpx.Client(base_url=portal_url, timeout=20)
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return lambda: way.handle(self)
                raise AttributeError(name)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self.portal.close()

    def next(self, *behaviours):
        self._plan.extend(behaviours)

    def forget(self):
        """From now on nothing goes wrong."""
        self._plan.clear()

    def handle(self, handler):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path.removeprefix("/api/v1"), headers))
        behaviour = self._plan.popleft() if self._plan else whole
        behaviour(self, handler, headers)

    def ask(self, handler, headers):
        """Let the portal do what was asked for."""
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        sent = {name: value for name, value in headers.items() if name not in ("host",)}
        return self.portal.request(handler.command, handler.path, content=body, headers=sent)

    def wait(self):
        self.stalled.set()
        self._go_on.wait(timeout=20)

    def paths(self, method):
        return [path for asked, path, _ in self.requests if asked == method]


def begin(handler, reply):
    handler.send_response(reply.status_code)
    for name, value in reply.headers.items():
        if name not in ("transfer-encoding", "connection", "date", "server", "content-length"):
            handler.send_header(name, value)
    if reply.status_code != 204:
        handler.send_header("Content-Length", str(len(reply.content)))
    handler.end_headers()


def whole(way, handler, headers):
    reply = way.ask(handler, headers)
    begin(handler, reply)
    handler.wfile.write(reply.content)


def hang_up(way, handler, headers):
    """Nothing reaches the portal."""
    handler.close_connection = True


def lose_reply(way, handler, headers):
    """The portal does it, and nobody hears of it."""
    way.ask(handler, headers)
    handler.close_connection = True


def cut_after(count):
    def cut(way, handler, headers):
        reply = way.ask(handler, headers)
        begin(handler, reply)
        handler.wfile.write(reply.content[:count])
        handler.close_connection = True

    return cut


def stall_after(count):
    def stall(way, handler, headers):
        reply = way.ask(handler, headers)
        begin(handler, reply)
        handler.wfile.write(reply.content[:count])
        handler.wfile.flush()
        way.wait()
        handler.close_connection = True

    return stall


def answer(status, content=b"", **headers):
    """Something before the portal answers."""

    def answered(way, handler, _headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        # Said, not only done: a client that keeps the connection would count its end as an attempt.
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(content)

    return answered


@pytest.fixture
def way(live_url):
    opened = Way(live_url)
    opened.whole, opened.hang_up, opened.lose_reply = whole, hang_up, lose_reply
    opened.cut_after, opened.stall_after, opened.answer = cut_after, stall_after, answer
    yield opened
    opened.close()


@pytest.fixture
def client_of(live_url):
    """`client_of(member)`, a client in somebody's name; `url=` for another way to the portal."""
    opened = []

    def make(member, *, url=live_url, retries=AT_ONCE):
        opened.append(PortalClient(url, member.token, retries=retries))
        return opened[-1]

    yield make
    for client in opened:
        client.close()


@pytest.fixture
def exchange(live_url, monkeypatch, tmp_path):
    """`exchange(member, "status", …)` runs a command as somebody; None: as who is signed in."""
    for name in ("EXCHANGE_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EXCHANGE_PORTAL_URL", live_url)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(jobs, "SECONDS_BETWEEN_LOOKS", 0.01)
    monkeypatch.setattr("app.client.portal.DEFAULT_RETRIES", AT_ONCE)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(member, *arguments, given=None, **environment):
        token = {} if member is None else {"EXCHANGE_TOKEN": member.token}
        return CliRunner().invoke(app, [*map(str, arguments)], input=given, env=token | environment)

    return run


@pytest.fixture
def shared(portal):
    """A release of St. Anna that Elsewhere has been granted, its terms accepted."""
    release = portal.release()
    purpose = {"purpose": "We train a triage network for our emergency department with it."}
    asked = portal.recipient.post(f"/releases/{release['id']}/access-requests", json=purpose)
    request = f"/access-requests/{asked.json()['id']}"
    grant = portal.steward.post(f"{request}/grant", json={}).json()["grant_id"]
    accepted = portal.recipient.post(
        f"/grants/{grant}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    assert accepted.status_code == 201, accepted.text
    return release
