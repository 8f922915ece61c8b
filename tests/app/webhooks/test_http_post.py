"""One POST to a receiver: over a safe line, for a limited time, and no further than asked."""

import contextlib
import ipaddress
import socket
import threading

import pytest

from app.core.networks import parse_networks
from app.models import DeliveryError
from app.webhooks.addresses import read_target
from app.webhooks.http_post import Undelivered, post

LOCAL = [ipaddress.ip_address("127.0.0.1")]
NETWORKS = parse_networks("127.0.0.0/8")


def send(url, seconds=15.0):
    return post(read_target(url, NETWORKS), LOCAL, b"{}", {}, total_seconds=seconds)


def failure(url, seconds=15.0):
    with pytest.raises(Undelivered) as caught:
        send(url, seconds)
    return caught.value.error


@contextlib.contextmanager
def answering(*parts, forever=b""):
    """A receiver that sends these bytes to whoever comes, and `forever` until it is left."""
    over = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            line, _ = listener.accept()
            with line:
                line.recv(65536)
                for part in parts:
                    line.sendall(part)
                while forever and not over.wait(0.02):
                    line.sendall(forever)
                over.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


def test_over_https_the_certificate_has_to_be_trusted_and_of_that_host(
    open_receiver, certificate, monkeypatch
):
    receiver = open_receiver(certificate)
    assert failure(receiver.url) == DeliveryError.CERTIFICATE

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert send(receiver.url).status == 204
    assert send(f"https://receiver.hospital.example:{receiver.port}/").status == 204
    other = f"https://other.hospital.example:{receiver.port}/"
    assert failure(other) == DeliveryError.CERTIFICATE
    assert len(receiver.messages) == 2


def test_a_redirect_is_not_followed(receiver, open_receiver):
    other = open_receiver()
    receiver.status, receiver.headers = 307, {"Location": other.url}

    assert send(receiver.url).status == 307
    assert other.messages == []


def test_a_proxy_of_the_environment_is_not_used(receiver, open_receiver, monkeypatch):
    other = open_receiver()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")

    assert send(receiver.url).status == 204
    assert other.messages == []


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}/") == DeliveryError.CONNECTION


def test_one_that_says_nothing_is_left_in_time():
    with answering() as host:
        assert failure(f"http://{host}/", seconds=0.3) == DeliveryError.TIMEOUT


def test_one_that_sends_a_byte_now_and_then_is_left_in_time():
    with answering(b"HTTP/1.1 200 OK\r\nX-Slow: ", forever=b"a") as host:
        assert failure(f"http://{host}/", seconds=0.3) == DeliveryError.TIMEOUT


def test_one_that_is_slow_to_encrypt_is_left_in_time():
    with answering(forever=b"\x16") as host:
        error = failure(f"https://{host}/", seconds=0.3)
    assert error in (DeliveryError.TIMEOUT, DeliveryError.CONNECTION)
    with answering() as host:
        assert failure(f"https://{host}/", seconds=0.3) == DeliveryError.TIMEOUT


def test_an_answer_without_end_is_one():
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", forever=b"more " * 1000) as host:
        assert send(f"http://{host}/").status == 200


def test_what_is_no_http_is_told_so():
    with answering(b"220 mail.hospital.example ESMTP\r\n") as host:
        assert failure(f"http://{host}/") == DeliveryError.PROTOCOL


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
)
def test_how_long_a_receiver_asks_to_be_left_alone(receiver, header, seconds):
    receiver.status, receiver.headers = 503, {"Retry-After": header}
    asked = send(receiver.url).retry_after
    assert (None if asked is None else asked.total_seconds()) == seconds
