"""A release travels from a hospital's own portal to a hub, and its withdrawal after it."""

import json
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import update

from app.core.clock import utc_now
from app.core.security import Role
from app.federation.publications import service
from app.federation.publications.cleanup import forget_unfinished
from app.federation.publications.schemas import LARGEST_PART
from app.federation.shares.courier import carry
from app.models import Publication, Share
from app.signing.verify import GOOD, verify_bundle
from tests.fixtures.clients import PASSWORD, Reader, problem

PURPOSE = {"purpose": "We train a triage network for our emergency department with it."}


def log_of(portal, prefix):
    entries = portal.admin.get("/audit?limit=100").json()["items"]
    return [entry["action"] for entry in entries[::-1] if entry["action"].startswith(prefix)]


def test_a_release_is_shown_at_the_hub_as_it_is_at_home(pair):
    release, _ = pair.shared()
    [share] = pair.shares(release["id"])
    assert (share["status"], share["problem"]) == ("shared", None)
    assert share["address"].endswith(f"/releases/{release['id']}")

    there = pair.hub.recipient.get(f"/releases/{release['id']}").json()
    of_each = {"access", "distillation_id", "published_by", "downloads", "updated_at"}
    of_each |= {"organisation", "previews"}
    assert {name: there[name] for name in there if name not in of_each} == {
        name: release[name] for name in release if name not in of_each
    }
    assert there["organisation"]["name"] == "St. Anna"
    assert [row["id"] for row in pair.hub.recipient.get("/catalogue").json()["items"]] == [
        release["id"]
    ]
    assert log_of(pair.home, "share") == ["share.asked", "share.done"]
    assert log_of(pair.hub, "release") == ["release.published"]


def test_what_is_downloaded_there_verifies_with_the_key_from_home(pair, tmp_path):
    release, _ = pair.shared()
    refused = pair.hub.recipient.get(f"/releases/{release['id']}/bundle")
    assert problem(refused) == (403, "no-access")
    asked = pair.hub.recipient.post(
        f"/releases/{release['id']}/access-requests", json=PURPOSE
    ).json()
    grant = pair.hub.steward.post(f"/access-requests/{asked['id']}/grant", json={}).json()
    terms = {"terms_sha256": release["terms"]["sha256"]}
    pair.hub.recipient.post(f"/grants/{grant['grant_id']}/acceptance", json=terms)
    bundle = pair.hub.recipient.get(f"/releases/{release['id']}/bundle")
    assert bundle.status_code == 200, bundle.text
    (tmp_path / "bundle.zip").write_bytes(bundle.content)
    key = pair.home.steward.get("/organisations/mine/keys").json()["items"][0]["public_key"]
    assert verify_bundle(tmp_path / "bundle.zip", key).exit_code == GOOD


def test_the_same_release_twice_is_one(pair):
    release, connection = pair.shared()
    assert pair.share(release["id"], connection)["status"] == "shared"
    with pair.home.database.transaction() as session:
        # As after a portal that died before it noted the answer.
        session.execute(update(Share).values(status="waiting"))
    assert pair.carry()
    assert len(pair.hub.recipient.get("/catalogue").json()["items"]) == 1
    assert log_of(pair.hub, "release") == ["release.published"]


def test_a_bundle_that_arrived_in_part_is_gone_on_with(pair, monkeypatch):
    monkeypatch.setattr("app.federation.shares.courier.LARGEST_PART", 1000)
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    put = pair.hub.services.storage.put
    seen = []

    def fail_at_the_third(key, content):
        seen.append(key)
        if len(seen) == 3:
            raise OSError("the disc of the hub is gone")
        put(key, content)

    monkeypatch.setattr(
        type(pair.hub.services.storage), "put", lambda _, *sent: fail_at_the_third(*sent)
    )
    assert not pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "waiting"
    assert pair.hub.steward.get(f"/publications/{release['id']}").json()["received"] == 2000
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"
    assert seen[2] == seen[3]
    assert not list(pair.hub.storage.list("publications"))


def test_a_part_that_does_not_follow_says_where_to_go_on(pair):
    release, _ = pair.shared()
    with pair.hub.database.transaction() as session:
        session.execute(update(Publication).values(status="receiving", received=7))
    for offset, part in ((0, b"x"), (8, b"x"), (7, b""), (7, b"x" * (LARGEST_PART + 1))):
        refused = pair.hub.steward.request(
            "PATCH",
            f"/publications/{release['id']}/bundle",
            content=part,
            headers={"Upload-Offset": str(offset)},
        )
        assert problem(refused) == (409, "wrong-offset")
        assert refused.json()["received"] == 7


def test_a_withdrawal_follows_its_release(pair):
    release, _ = pair.shared()
    reason = {"reason": "A class was labelled wrongly."}
    pair.home.steward.post(f"/releases/{release['id']}/withdraw", json=reason)
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "withdrawn"
    there = pair.hub.recipient.get(f"/releases/{release['id']}").json()
    assert (there["status"], there["withdrawal_reason"]) == ("withdrawn", reason["reason"])
    assert pair.hub.recipient.get("/catalogue").json()["items"] == []
    assert log_of(pair.home, "share") == ["share.asked", "share.done", "share.withdrawn"]
    assert pair.carry()  # there is nothing more to say


def test_a_release_that_is_withdrawn_before_it_was_carried_never_appears(pair):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    body = {"reason": "It was the wrong one."}
    pair.home.steward.post(f"/releases/{release['id']}/withdraw", json=body)
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "withdrawn"
    assert pair.hub.recipient.get(f"/releases/{release['id']}").status_code == 404


def test_a_later_release_takes_the_place_of_the_one_before(pair):
    first, connection = pair.shared()
    second = pair.home.release(distillation_id=first["distillation_id"])
    pair.share(second["id"], connection)
    assert pair.carry()
    there = pair.hub.recipient.get(f"/releases/{first['id']}").json()
    assert (there["status"], there["superseded_by"]) == ("superseded", second["id"])


@pytest.mark.parametrize("status", ["superseded", "withdrawn"])
def test_only_a_published_release_is_shared(pair, status):
    connection, release = pair.connected(), pair.home.release()
    if status == "withdrawn":
        pair.home.steward.post(f"/releases/{release['id']}/withdraw", json={"reason": "wrong"})
    else:
        pair.home.release(distillation_id=release["distillation_id"])
    refused = pair.home.steward.post(
        f"/releases/{release['id']}/shares", json={"connection_id": connection["id"]}
    )
    assert problem(refused) == (409, "release-not-shareable")


def test_nobody_shares_what_is_not_theirs(pair):
    release, connection = pair.shared()
    body = {"connection_id": connection["id"]}
    stranger = pair.home.stranger
    assert problem(stranger.post(f"/releases/{release['id']}/shares", json=body)) == (
        404,
        "release-not-found",
    )
    assert stranger.get(f"/releases/{release['id']}/shares").status_code == 404
    assert stranger.get("/connections").json()["items"] == []
    assert stranger.get(f"/connections/{connection['id']}").status_code == 404
    assert (
        pair.home.researcher.post(f"/releases/{release['id']}/shares", json=body).status_code == 403
    )


def test_a_hub_shares_nothing_on(pair):
    release, _ = pair.shared()
    body = {"connection_id": "con_none"}
    refused = pair.hub.steward.post(f"/releases/{release['id']}/shares", json=body)
    assert problem(refused) == (404, "not-at-a-hub")


def test_nothing_of_the_hospital_but_the_release_leaves(pair):
    release, _ = pair.shared()
    with pair.hub.database.reading() as session:
        envelope = session.get(Publication, release["id"]).envelope
    document = json.loads(envelope["document"])
    assert set(document) == {
        *("format", "hub", "release", "number", "released_at", "title", "summary", "card"),
        *("terms_template", "duo", "contact", "citation", "embargo_until", "previews", "policy"),
        *("waived", "supersedes", "bundle"),
    }
    for private in (release["distillation_id"], "Dr. Grey"):
        assert private not in envelope["document"]
        assert not pair.hub.files_with(private)


def test_a_token_alone_withdraws_nothing_at_the_hub(pair):
    release, _ = pair.shared()
    body = {"reason": "Because I have the token."}
    refused = pair.hub.steward.post(f"/releases/{release['id']}/withdraw", json=body)
    assert problem(refused) == (409, "withdraw-at-home")
    assert pair.hub.recipient.get(f"/releases/{release['id']}").json()["status"] == "published"


def test_what_was_begun_and_never_ended_is_forgotten_after_a_week(pair):
    release, _ = pair.shared()
    key = f"publications/{release['id']}/000000000000"
    for days, is_there in ((6, True), (8, False)):
        pair.hub.storage.put(key, b"the first part")
        with pair.hub.database.transaction() as session:
            then = utc_now() - timedelta(days=days)
            values = {"status": "receiving", "updated_at": then}
            session.execute(update(Publication).values(values))
        forget_unfinished(pair.hub.services)
        assert pair.hub.storage.exists(key) == is_there
    assert pair.hub.steward.get(f"/publications/{release['id']}").status_code == 404


def test_a_withdrawal_that_overtakes_its_release_is_kept(pair, monkeypatch):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    look_into = service.look_into

    def withdrawn_meanwhile(*looked):
        """Another process of the portal carries the withdrawal while the hub looks."""
        monkeypatch.setattr(service, "look_into", look_into)
        body = {"reason": "It was the wrong one."}
        pair.home.steward.post(f"/releases/{release['id']}/withdraw", json=body)
        assert pair.carry()
        return look_into(*looked)

    monkeypatch.setattr(service, "look_into", withdrawn_meanwhile)
    pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "withdrawn"
    assert pair.hub.recipient.get(f"/releases/{release['id']}").status_code == 404
    assert pair.hub.recipient.get("/catalogue").json()["items"] == []


def test_a_bundle_that_was_whole_when_the_hub_died_is_looked_through_again(pair, monkeypatch):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    with monkeypatch.context() as dying:

        def die(*_):
            raise MemoryError

        dying.setattr(service, "look_into", die)
        assert not pair.carry()
    there = pair.hub.steward.get(f"/publications/{release['id']}").json()
    assert (there["status"], there["received"]) == ("receiving", there["size"])
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"


def test_a_part_that_the_hub_has_lost_is_asked_for_again(pair, monkeypatch):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    whole = service._whole

    def lost(*_):
        monkeypatch.setattr(service, "_whole", whole)
        raise FileNotFoundError

    monkeypatch.setattr(service, "_whole", lost)
    pair.carry()
    assert pair.carry()
    assert pair.shares(release["id"])[0]["status"] == "shared"


@pytest.mark.parametrize("order", [(0, 2), (2, 0)])
def test_of_versions_that_skip_one_or_come_late_the_last_is_current(pair, order):
    connection = pair.connected()
    versions = [pair.home.release()]
    shares = [pair.share(versions[0]["id"], connection)]
    for _ in range(2):
        versions.append(pair.home.release(distillation_id=versions[0]["distillation_id"]))
    shares.append(pair.share(versions[2]["id"], connection))
    later = {0: shares[0], 2: shares[1]}[order[1]]
    with pair.home.database.transaction() as session:
        far = utc_now() + timedelta(days=1)
        session.execute(update(Share).where(Share.id == later["id"]).values(due_at=far))
    assert carry(pair.home.services)
    assert pair.carry()
    catalogue = pair.hub.recipient.get("/catalogue").json()["items"]
    assert [row["id"] for row in catalogue] == [versions[2]["id"]]


def test_what_is_on_its_way_counts_as_stored(pair, monkeypatch):
    _, connection = pair.shared()
    release = pair.home.release()
    pair.share(release["id"], connection)
    monkeypatch.setattr(service, "MOST_AT_ONCE", 0)
    assert not pair.carry()
    assert pair.shares(release["id"])[0]["problem"]["type"].endswith(":too-many-publications")
    monkeypatch.setattr(service, "MOST_AT_ONCE", 20)
    assert pair.carry()


LIES = {
    "rubbish": lambda found: b"<html>",
    "a list": lambda found: b"[]",
    "another offset": lambda found: json.dumps({**found, "received": 10**12}).encode(),
    "the same part for ever": lambda found: json.dumps({**found, "received": 1}).encode(),
    "endless": lambda found: b"x" * 2_000_000,
    "a refusal of any length": lambda found: json.dumps(
        {**found, "status": "refused", "problem": {"detail": "\0" + "x" * 9000, "y": {}}}
    ).encode(),
    "a refusal without words": lambda found: json.dumps(
        {**found, "status": "refused", "problem": {"x": 1}}
    ).encode(),
    "a withdrawal": lambda found: json.dumps({**found, "status": "withdrawn"}).encode(),
}


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_whatever_a_hub_answers_the_courier_and_the_page_go_on(pair, monkeypatch, lie):
    connection, release = pair.connected(), pair.home.release()
    pair.share(release["id"], connection)
    send = httpx.Client.send

    def lying(client, request, **options):
        reply = send(client, request, **options)
        if "/publications" not in request.url.path:
            return reply
        found = json.loads(reply.read())
        return httpx.Response(200, content=LIES[lie](found), request=request)

    with monkeypatch.context() as patched:
        patched.setattr(httpx.Client, "send", lying)
        pair.carry()
    [share] = pair.shares(release["id"])
    assert share["status"] in ("waiting", "refused")
    assert share["problem"]["detail"]
    assert len(share["problem"]["detail"]) <= 1000
    pair.home.account(Role.STEWARD)
    reader = Reader(pair.home.client.base_url)
    reader.sign_in("grey@st-anna.example", PASSWORD)
    assert "The hub" in reader.open(f"/releases/{release['id']}")
    reader.client.close()
