"""The pages of hubs, for an admin and a steward of a hospital, and at the hub itself."""

import pytest

from app.core.security import Role
from app.web.fingerprints import fingerprint_words
from tests.fixtures.clients import PASSWORD, Reader

HERE = "/organisation/connections"
KEY = "ed25519:" + "A" * 43


@pytest.fixture
def somebody(request):
    """`somebody(portal, Role.ADMIN)`: a person at a browser of a portal."""

    def sign_in(portal, *roles):
        email = f"{'-'.join(roles)}@hospital.example"
        portal.account(*roles, email=email)
        reader = Reader(portal.client.base_url)
        request.addfinalizer(reader.client.close)
        assert reader.sign_in(email, PASSWORD).url.path == "/"
        return reader

    return sign_in


def test_from_the_first_contact_to_a_release_that_the_hub_shows(pair, somebody):
    admin, at_hub = somebody(pair.home, Role.ADMIN), somebody(pair.hub, Role.ADMIN)
    assert "No hub yet" in admin.open(HERE)
    url = str(pair.hub.client.base_url)
    made = admin.send(HERE, HERE, name="Northern hub", url=url, token=pair.token)
    assert "Compare the keys before anything is sent" in made.text
    [connection] = pair.home.admin.get("/connections").json()["items"]
    own_key = pair.home.admin.get("/organisations/mine/keys").json()["items"][0]["public_key"]
    there = at_hub.open("/organisation/keys")
    for word in (connection["own_fingerprint"], fingerprint_words(own_key)):
        assert word in made.text
        assert word in there
    assert connection["fingerprint"] in made.text
    assert connection["fingerprint"] in there
    assert "<svg" in made.text

    form = f"{HERE}/{connection['id']}/confirm"
    refused = admin.send(HERE, form)
    assert refused.status_code == 422
    assert "Compare the fingerprint first" in refused.text
    confirmed = admin.send(HERE, form, compared="true")
    assert "You can share releases with it" in confirmed.text
    trusted = at_hub.send("/organisation/keys", "/organisation/keys/home/confirm", compared="true")
    assert "Releases from your portal appear here" in trusted.text

    release = pair.home.release()
    steward = somebody(pair.home, Role.STEWARD)
    address = f"/releases/{release['id']}"
    asked = steward.send(address, f"{address}/shares", connection=connection["id"])
    assert "The release is on its way" in asked.text
    assert "being sent" in asked.text
    assert pair.carry()
    assert f"{url}/releases/{release['id']}" in steward.open(address)
    assert "Chest X-rays" in at_hub.open("/catalogue")


def test_at_the_hub_the_owner_decides_about_requests(pair, somebody):
    release, _ = pair.shared()
    asked = {"purpose": "We train a triage network for our emergency department with it."}
    pair.hub.recipient.post(f"/releases/{release['id']}/access-requests", json=asked)
    steward = somebody(pair.hub, Role.STEWARD)
    shown = steward.open(f"/releases/{release['id']}")
    assert "/requests/" in shown
    assert "/distillations/" not in shown


def test_what_a_hub_refused_is_said_on_the_release(pair, somebody, monkeypatch):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    monkeypatch.setattr("app.federation.publications.contents.NEEDED", {"report.json", "other.txt"})
    assert pair.carry()
    shown = somebody(pair.home, Role.STEWARD).open(f"/releases/{release['id']}")
    assert "Its bundle holds no other.txt" in shown
    assert "refused" in shown


def test_a_hub_is_paused_resumed_and_removed(pair, somebody):
    admin, connection = somebody(pair.home, Role.ADMIN), pair.connected()
    form = f"{HERE}/{connection['id']}"
    assert "The connection is paused" in admin.send(HERE, f"{form}/pause").text
    assert "in use again" in admin.send(HERE, f"{form}/resume").text
    assert "The hub is removed" in admin.send(HERE, f"{form}/remove").text
    assert "No hub yet" in admin.open(HERE)


def test_before_its_portal_has_connected_the_hub_says_what_to_do(pair, somebody):
    shown = somebody(pair.hub, Role.ADMIN).open("/organisation/keys")
    assert "Your own portal has not connected yet" in shown
    assert HERE not in shown


def test_two_keys_have_other_words_and_one_has_the_same():
    assert fingerprint_words(KEY) == fingerprint_words(KEY)
    assert len(fingerprint_words(KEY).split()) == 7
    assert fingerprint_words(KEY) != fingerprint_words("ed25519:" + "B" * 42 + "A")
