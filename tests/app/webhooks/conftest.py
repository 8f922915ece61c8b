"""A receiver of one's own: it keeps what it is sent, and answers as the test says."""

import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook as Verifier

from tests.app.certificates import write_certificate

NETWORKS = "127.0.0.0/8"


@dataclass
class Message:
    path: str
    headers: dict
    body: bytes

    def verified(self, secret):
        """What it says, if the specification's own library finds it signed with this secret."""
        return Verifier(secret).verify(self.body, self.headers)

    @property
    def said(self):
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answers` come first, one each; then `status`."""

    port: int = 0
    scheme: str = "http"
    status: int = 204
    headers: dict = field(default_factory=dict)
    messages: list = field(default_factory=list)
    before_answer: object = lambda: None

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}/exchange?key=hush-hush"

    def events(self):
        return [message.said["type"] for message in self.messages]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.server.receiver
        receiver.messages.append(Message(self.path, dict(self.headers), body))
        receiver.before_answer()
        self.send_response(receiver.status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        pass


@pytest.fixture
def open_receiver():
    servers = []

    def start(certificate=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.receiver = Receiver(
            port=server.server_address[1], scheme="http" if certificate is None else "https"
        )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return server.receiver

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def receiver(open_receiver):
    return open_receiver()


@pytest.fixture
def certificate(tmp_path):
    return write_certificate(tmp_path / "receiver.pem", "receiver.hospital.example")


@pytest.fixture
def sending_house(house_with):
    """A portal that sends when the test says so, to receivers on this machine too."""
    return house_with(webhook_networks=NETWORKS)


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return port
