"""What is sent again, what is not, and how it is told."""

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.client import PortalClient, PortalError, Retries, UnreachableError
from app.client.addresses import is_safe, portal_address
from app.client.transport import retry_after
from tests.fixtures.certificates import write_certificate


def test_what_was_made_before_its_reply_was_lost_is_made_once(client_of, portal, proxy):
    proxy.next(proxy.lose_reply, proxy.lose_reply)
    made = client_of(portal.steward, url=proxy.url).datasets.create("chest")

    assert [row["id"] for row in portal.steward.get("/datasets").json()["items"]] == [made.id]
    keys = {headers["idempotency-key"] for _, _, headers in proxy.requests}
    assert len(proxy.requests) == 3
    assert len(keys) == 1


def test_a_release_or_a_grant_whose_reply_was_lost_is_made_once(client_of, portal, proxy):
    client = client_of(portal.steward, url=proxy.url)
    proxy.next(proxy.lose_reply, proxy.whole, proxy.lose_reply)
    made = client.releases.publish(
        portal.releasable_distillation(),
        title="Chest X-rays",
        summary="Two classes of adults.",
        contact="data@st-anna.example",
    )
    given = client.grants.give(made.id, portal.elsewhere_id)
    assert [row["id"] for row in portal.steward.get("/releases").json()["items"]] == [made.id]
    assert [row["id"] for row in portal.steward.get("/grants").json()["items"]] == [given.id]
    assert len(proxy.requests) == 4


def test_every_request_has_a_key_of_its_own(client_of, portal, proxy):
    client = client_of(portal.steward, url=proxy.url)
    assert client.datasets.create("chest").id != client.datasets.create("chest").id


@pytest.mark.parametrize("behaviour", ["lose_reply", "hang_up"])
def test_a_decision_whose_reply_was_lost_is_not_sent_again(client_of, portal, proxy, behaviour):
    release = portal.release()
    purpose = "We train a triage network for our emergency department with it."
    request = client_of(portal.recipient).requests.ask(release["id"], purpose)
    proxy.next(getattr(proxy, behaviour))

    with pytest.raises(UnreachableError, match="may have been carried out: check before"):
        client_of(portal.steward, url=proxy.url).requests.grant(request.id)

    assert len(proxy.requests) == 1


def test_a_read_is_sent_again_until_the_portal_answers(client_of, portal, proxy):
    dataset_id = portal.ready_dataset()
    proxy.next(proxy.hang_up, proxy.answer(503, Retry_After="0"), proxy.answer(429), proxy.whole)
    assert client_of(portal.steward, url=proxy.url).datasets.get(dataset_id).status == "ready"
    assert len(proxy.requests) == 4


def test_how_often_is_bounded(client_of, portal, proxy):
    proxy.next(*[proxy.answer(502, b"<h1>Bad gateway</h1>")] * 10)
    with pytest.raises(PortalError, match="HTTP 502, without a reason") as caught:
        client_of(portal.steward, url=proxy.url).datasets.get("ds_1")
    assert caught.value.is_temporary
    assert len(proxy.requests) == 4


def test_a_long_wait_is_left_to_who_asked(client_of, portal, proxy):
    problem = (
        b'{"type": "urn:iadd-exchange:problem:too-many-requests", "title": "Too many requests", '
        b'"detail": "Try again in 60 s.", "status": 429}'
    )
    proxy.next(proxy.answer(429, problem, Retry_After="60"))
    with pytest.raises(PortalError, match="Try again in 60 s") as caught:
        client_of(portal.steward, url=proxy.url).datasets.get("ds_1")
    assert caught.value.code == "too-many-requests"
    assert len(proxy.requests) == 1


def test_a_busy_portal_is_not_asked_twice_for_a_decision(client_of, portal, proxy):
    proxy.next(proxy.answer(503, Retry_After="0"))
    with pytest.raises(PortalError):
        client_of(portal.steward, url=proxy.url).requests.deny("req_1", "Because it is so.")
    assert len(proxy.requests) == 1


def test_what_never_left_is_sent_once_the_portal_is_there(portal, live_url):
    """Also a decision: nobody has heard of it yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    caught = []
    patient = Retries(attempts=12, first_pause=0.01, longest_pause=2)

    def decide():
        with PortalClient(
            f"http://127.0.0.1:{port}", portal.steward.token, retries=patient
        ) as late:
            try:
                late.requests.deny("req_1", "Because it is so.")
            except PortalError as error:
                caught.append(error)

    asking = threading.Thread(target=decide)
    asking.start()
    time.sleep(0.05)
    host, portal_port = live_url.removeprefix("http://").split(":")
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(20)
        near, _ = listener.accept()
        with near, socket.create_connection((host, int(portal_port))) as far:
            relay = [
                threading.Thread(target=pump, args=ends) for ends in ((near, far), (far, near))
            ]
            for thread in relay:
                thread.start()
            asking.join(timeout=20)
            near.shutdown(socket.SHUT_RDWR)
            far.shutdown(socket.SHUT_RDWR)
            for thread in relay:
                thread.join(timeout=20)
    assert [error.status for error in caught] == [404]


def pump(source, sink):
    try:
        while piece := source.recv(4096):
            sink.sendall(piece)
    except OSError:
        pass


def test_a_portal_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    retries = Retries(attempts=2, first_pause=0.001)
    with (
        PortalClient(f"http://127.0.0.1:{port}", "token", retries=retries) as client,
        pytest.raises(UnreachableError, match="does not answer") as caught,
    ):
        client.datasets.get("ds_1")
    assert caught.value.status is None
    assert caught.value.is_temporary


def test_a_refusal_carries_the_problem(client_of, portal):
    with pytest.raises(PortalError, match="no dataset with this id") as caught:
        client_of(portal.steward).datasets.get("ds_nothing")
    assert (caught.value.status, caught.value.is_temporary) == (404, False)
    release = portal.release()
    with pytest.raises(PortalError) as refused:
        client_of(portal.recipient).releases.download(
            release["id"], portal.services.settings.data_dir
        )
    assert (refused.value.status, refused.value.code) == (403, "no-access")
    assert refused.value.members["access"] == "none"
    assert refused.value.detail.startswith("Ask for it")


def test_a_portal_that_has_moved_is_not_followed_with_the_token(client_of, portal, proxy):
    moved = proxy.answer(308, Location="https://elsewhere.example/api/v1/datasets/ds_1?x=1")
    proxy.next(moved)
    with pytest.raises(PortalError, match=r"leads to https://elsewhere\.example\. A token"):
        client_of(portal.steward, url=proxy.url).datasets.get("ds_1")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("content", [b"<!doctype html>", b"[]", b'{"items": 3}', b""])
def test_what_is_no_portal_is_named(client_of, portal, proxy, content):
    proxy.next(proxy.answer(200, content), proxy.answer(200, content))
    client = client_of(portal.steward, url=proxy.url)
    with pytest.raises(PortalError, match="is not a portal"):
        client.datasets.get("ds_1")
    with pytest.raises(PortalError, match="is not a portal"):
        next(client.datasets.list())


def test_lists_follow_their_pages_as_far_as_one_looks(client_of, portal, proxy, monkeypatch):
    monkeypatch.setattr("app.client.transport.PAGE", 2)
    made = [portal.new_dataset() for _ in range(5)]
    client = client_of(portal.steward, url=proxy.url)
    rows = client.datasets.list()
    assert next(rows).id == made[-1]
    assert len(proxy.requests) == 1
    assert [row.id for row in rows] == made[-2::-1]
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("identifier", ["", "..", "ds_1/../../session", "ds_1?x", "ds ä", "x" * 65])
def test_what_is_no_id_is_not_sent(client_of, portal, proxy, identifier):
    with pytest.raises(PortalError, match="not an id") as caught:
        client_of(portal.steward, url=proxy.url).datasets.get(identifier)
    assert caught.value.status == 404
    assert proxy.requests == []


@pytest.mark.parametrize("token", ["", "iadd_\n", "iadd_ä", "iadd_\x00"])
def test_what_is_no_token_is_not_sent_and_not_shown(live_url, token):
    with pytest.raises(PortalError, match="not a token") as caught:
        PortalClient(live_url, token)
    assert token == "" or token not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://Exchange.Example/", "https://exchange.example"),
        (" http://127.0.0.1:8000 ", "http://127.0.0.1:8000"),
        ("https://h.example:443/portal/", "https://h.example/portal"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_has_one_form(given, address):
    assert portal_address(given) == address


@pytest.mark.parametrize(
    "given",
    ["", "exchange.example", "ftp://x", "https://", "https://me:pw@x", "https://x?y", "http://x:y"],
)
def test_what_is_no_address(given):
    with pytest.raises(PortalError, match="Nothing was sent"):
        portal_address(given)


def test_nobody_reads_along_on_this_machine_or_by_tls():
    assert all(map(is_safe, ["https://x.example", "http://127.0.0.1:1", "http://localhost:80"]))
    assert is_safe("http://[::1]:8000")
    assert not any(map(is_safe, ["http://x.example", "http://10.0.0.1", "http://localhost.evil"]))


def test_a_proxy_of_the_environment_is_not_for_this_machine(client_of, portal, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert list(client_of(portal.steward).datasets.list()) == []


def test_how_long_to_wait_is_read_in_both_forms():
    soon = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after(httpx.Response(503, headers={"Retry-After": "7"})) == 7
    assert 25 < retry_after(httpx.Response(503, headers={"Retry-After": soon})) <= 30
    for nonsense in ("", "soon", "-1", "1.5"):
        assert retry_after(httpx.Response(503, headers={"Retry-After": nonsense})) is None


def test_a_certificate_that_nobody_vouches_for_is_told_and_gets_no_token(tmp_path):
    received = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificate(tmp_path / "localhost.pem", "localhost"))

    def serve(listener):
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                received.append(secured.recv(4096))
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, args=(listener,), daemon=True)
        serving.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with PortalClient(url, "iadd_secret") as client, pytest.raises(PortalError) as caught:
            client.datasets.get("ds_1")
        serving.join(timeout=20)
    assert "SSL_CERT_FILE" in str(caught.value)
    assert not caught.value.is_temporary
    assert not any(received)
