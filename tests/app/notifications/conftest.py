"""A mail server of one's own, in a thread: it keeps what it is given."""

import socket
import ssl
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.app.certificates import write_certificate


class MailServer(Controller):
    """Listens on a free port; `mails` are what came, `lines` over which kind of line."""

    def __init__(self, **options):
        self.mails = []
        self.tls = []
        self.refuse = set()
        super().__init__(self, hostname="127.0.0.1", **options)

    def _create_server(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        return self.loop.create_server(self._factory_invoker, sock=listener, ssl=self.ssl_context)

    async def handle_DATA(self, server, session, envelope):
        if self.refuse & set(envelope.rcpt_tos):
            return "451 not now"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.tls.append(session.ssl is not None)
        return "250 OK"


@pytest.fixture
def mail_server():
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Of 127.0.0.1, signed by itself, and trusted for the length of the test."""
    path = write_certificate(tmp_path / "mail.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.fixture
def secure_mail_server(certificate):
    """Takes no mail but over TLS, from somebody with a password."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    def check(_server, _session, _envelope, _mechanism, credentials):
        known = (credentials.login, credentials.password) == (b"exchange", b"p@ss:word")
        return AuthResult(success=known)

    server = MailServer(
        tls_context=context, require_starttls=True, authenticator=check, auth_required=True
    )
    server.start()
    yield server
    server.stop()
