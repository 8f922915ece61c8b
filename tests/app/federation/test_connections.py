"""Connecting a hospital's portal with a hub: two keys, each compared by a person."""

import socket

import httpx
import pytest
from sqlalchemy import update

from app.core.security import Role
from app.federation.identity import new_challenge, proves
from app.federation.schemas import PortalIdentity
from app.models import Connection, PortalKey
from app.signing.envelope import Envelope
from app.signing.keys import KeyHistory, Purpose, fingerprint, new_key
from app.signing.signature import Signer
from tests.app.federation.test_sharing import log_of
from tests.fixtures.clients import problem
from tests.fixtures.portal import add_token


def test_both_sides_show_the_same_two_fingerprints(pair):
    connection = pair.connect().json()
    hub = pair.hub.client.get("/api/v1/portal").json()
    assert (hub["role"], hub["fingerprint"]) == ("hub", connection["fingerprint"])
    home_key = pair.hub.admin.get("/home-key").json()
    assert home_key["fingerprint"] == connection["own_fingerprint"]
    assert (connection["there"], connection["version"]) == ("St. Anna", hub["version"])
    assert connection["seen_at"] is not None


def test_a_portal_proves_that_its_key_is_its_own(pair):
    challenge = new_challenge()
    reply = pair.hub.client.get("/api/v1/portal", params={"challenge": challenge})
    found = PortalIdentity.model_validate(reply.json())
    assert proves(found, challenge)
    assert not proves(found, new_challenge())
    other = pair.home.client.get("/api/v1/portal", params={"challenge": challenge}).json()
    assert not proves(found.model_copy(update={"public_key": other["public_key"]}), challenge)
    assert not proves(found.model_copy(update={"signature": None}), challenge)


@pytest.mark.parametrize("challenge", ["", "short", "a" * 200, "not base64 at all, no", "\0" * 22])
def test_only_a_random_text_is_signed_for_anybody(pair, challenge):
    refused = pair.hub.client.get("/api/v1/portal", params={"challenge": challenge})
    assert refused.status_code == 422


def test_nothing_is_sent_before_the_hub_was_compared(pair):
    connection, release = pair.connect().json(), pair.home.release()
    body = {"connection_id": connection["id"]}
    refused = pair.home.steward.post(f"/releases/{release['id']}/shares", json=body)
    assert problem(refused) == (409, "connection-not-confirmed")
    path = f"/connections/{connection['id']}/confirm"
    wrong = pair.home.admin.post(path, json={"fingerprint": connection["own_fingerprint"]})
    assert problem(wrong) == (409, "other-fingerprint")
    assert pair.home.admin.get(f"/connections/{connection['id']}").json()["confirmed_at"] is None


def test_nothing_is_shown_before_the_hub_has_compared(pair):
    connection, release = pair.connect().json(), pair.home.release()
    path = f"/connections/{connection['id']}/confirm"
    pair.home.admin.post(path, json={"fingerprint": connection["fingerprint"]})
    pair.share(release["id"], connection)
    assert not pair.carry()
    [share] = pair.shares(release["id"])
    assert share["status"] == "waiting"
    assert share["problem"]["type"].endswith(":home-key-not-confirmed")
    wrong = pair.hub.admin.post(
        "/home-key/confirm", json={"fingerprint": connection["fingerprint"]}
    )
    assert problem(wrong) == (409, "other-fingerprint")

    compared = {"fingerprint": f" {connection['own_fingerprint'].upper()} "}
    assert pair.hub.admin.post("/home-key/confirm", json=compared).status_code == 200
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"
    assert log_of(pair.hub, "home_key") == ["home_key.sent", "home_key.confirmed"]


def test_a_hub_with_another_key_gets_nothing_more(pair):
    _, connection = pair.shared()
    chief = pair.home.person(pair.home.organisation_id, Role.ADMIN, "Dr. Chief")
    release = pair.home.release()
    pair.share(release["id"], connection)
    private, public = new_key()
    with pair.hub.database.transaction() as session:
        sealed = pair.hub.services.vault.seal(private)
        values = {"public_key": public, "sealed_private_key": sealed}
        session.execute(update(PortalKey).values(values))

    assert not pair.carry()

    found = pair.home.admin.get(f"/connections/{connection['id']}").json()
    assert found["confirmed_at"] is None
    assert found["problem"]["type"].endswith(":hub-key-changed")
    assert pair.hub.recipient.get(f"/releases/{release['id']}").status_code == 404
    assert log_of(pair.home, "connection")[-1] == "connection.broken"
    assert pair.carry()  # nothing is due while nobody has looked
    [notice] = chief.get("/notifications").json()["items"]
    assert notice["title"] == "The hub has another key than before"
    again = pair.connect().json()
    assert (again["id"], again["confirmed_at"]) == (connection["id"], None)


def test_a_key_that_a_statement_leads_to_needs_no_second_comparison(pair):
    _, connection = pair.shared()
    assert pair.home.admin.post("/organisations/mine/keys", json={}).status_code == 201
    release = pair.home.release()
    pair.share(release["id"], connection)
    assert pair.carry()
    home_key = pair.hub.admin.get("/home-key").json()
    now = pair.home.admin.get(f"/connections/{connection['id']}").json()["own_fingerprint"]
    assert home_key["fingerprint"] == now
    assert home_key["confirmed_at"] is not None


def test_a_key_after_a_compromise_is_compared_again(pair):
    _, connection = pair.shared()
    body = {"compromised": True}
    assert pair.home.admin.post("/organisations/mine/keys", json=body).status_code == 201
    release = pair.home.release()
    pair.share(release["id"], connection)
    assert not pair.carry()
    waiting = pair.hub.admin.get("/home-key").json()
    assert waiting["pending_fingerprint"] is not None
    now = pair.home.admin.get(f"/connections/{connection['id']}").json()["own_fingerprint"]
    pair.hub.admin.post("/home-key/confirm", json={"fingerprint": now})
    assert pair.carry()


def test_a_paused_connection_sends_nothing_until_it_goes_on(pair):
    connection, release = pair.connected(), pair.home.release()
    path = f"/connections/{connection['id']}"
    assert pair.home.admin.post(f"{path}/pause").json()["paused_at"] is not None
    pair.share(release["id"], connection)
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "waiting"
    assert pair.home.admin.post(f"{path}/resume").json()["paused_at"] is None
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"


def test_a_removed_connection_forgets_its_token(pair):
    _, connection = pair.shared()
    assert pair.home.admin.delete(f"/connections/{connection['id']}").status_code == 204
    assert pair.home.admin.get("/connections").json()["items"] == []
    assert pair.carry()
    assert log_of(pair.home, "connection")[-1] == "connection.removed"


def test_the_token_is_kept_where_nobody_reads_it(pair):
    connection = pair.connected()
    assert not pair.home.files_with(pair.token)
    assert pair.token not in pair.home.admin.get("/connections").text
    assert pair.token not in pair.home.admin.get("/audit?limit=100").text
    with pair.home.database.reading() as session:
        sealed = session.get(Connection, connection["id"]).sealed_token
    assert pair.home.services.vault.open(sealed).decode() == pair.token


@pytest.mark.parametrize(
    ("token", "code"),
    [("iadd_unknown", "hub-token-not-usable"), ("ä", "hub-unreachable")],
)
def test_a_token_that_the_hub_does_not_know_is_said_at_once(pair, token, code):
    assert problem(pair.connect(token=token))[1] == code
    assert pair.home.admin.get("/connections").json()["items"] == []


def test_a_token_that_may_not_share_is_said_at_once(pair):
    refused = pair.connect(token=pair.hub.researcher.token)
    assert problem(refused) == (422, "hub-token-not-usable")
    assert "Data steward" in refused.json()["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hub.example",
        "https://",
        "http://10.1.2.3",
        "https://192.168.0.1",
        "https://169.254.169.254/latest",
        "https://user:secret@hub.example",
        "javascript:alert(1)",
    ],
)
def test_an_address_within_the_hospital_is_not_asked(pair, url):
    assert problem(pair.connect(url=url)) == (422, "hub-address-refused")


def test_a_place_without_a_portal_is_said_at_once(pair):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    refused = pair.connect(url=f"http://127.0.0.1:{port}")
    assert problem(refused) == (502, "hub-unreachable")
    assert "tried again" in refused.json()["detail"]


def test_a_hub_that_is_away_is_tried_again(pair, monkeypatch):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    send = httpx.Client.send
    with monkeypatch.context() as patched:

        def away(client, request, **options):
            if str(request.url).startswith(str(pair.hub.client.base_url)):
                raise httpx.ConnectError("nobody listens")
            return send(client, request, **options)

        patched.setattr(httpx.Client, "send", away)
        assert not pair.carry()
        assert not pair.carry()
    [share] = pair.shares(release["id"])
    assert share["status"] == "waiting"
    assert share["problem"]["type"].endswith(":hub-unreachable")
    found = pair.home.admin.get(f"/connections/{connection['id']}").json()
    assert found["problem"] is not None
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"
    found = pair.home.admin.get(f"/connections/{connection['id']}").json()
    assert found["problem"] is None


def test_a_stolen_token_changes_no_key_that_was_confirmed(pair):
    release, connection = pair.shared()
    private, public = new_key()
    hub_key = pair.hub.client.get("/api/v1/portal").json()["public_key"]
    thief = Signer.with_key("St. Anna", private, KeyHistory(public))
    sent = Envelope.make(thief, Purpose.HOME_KEY, {"format": 1, "hub": hub_key}).to_dict()
    found = pair.hub.steward.put("/home-key", json=sent).json()
    assert found["pending_fingerprint"] == fingerprint(public)
    assert found["fingerprint"] == connection["own_fingerprint"]
    second = pair.home.release(distillation_id=release["distillation_id"])
    pair.share(second["id"], connection)
    assert pair.carry()
    assert pair.shares(second["id"])[0]["status"] == "shared"


def test_a_later_token_is_of_the_same_organisation(pair):
    connection = pair.connected()
    with pair.hub.database.transaction() as session:
        other = add_token(session, pair.hub.elsewhere_id, Role.STEWARD)
    refused = pair.connect(token=other)
    assert problem(refused) == (422, "hub-token-not-usable")
    assert "another organisation" in refused.json()["detail"]
    assert pair.connect().json()["id"] == connection["id"]


def test_a_hospital_shows_nothing_that_did_not_pass_its_own_policy(pair):
    signed = {"document": "{}", "key": "", "history": [], "signature": ""}
    for method, path in (
        ("PUT", "/home-key"),
        ("POST", "/publications"),
        ("POST", "/publications/withdraw"),
    ):
        assert problem(pair.home.steward.request(method, path, json=signed)) == (409, "not-a-hub")
