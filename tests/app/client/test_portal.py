"""The client's methods, against a portal."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from app.audit.export import verify_export
from app.client import PortalClient, PortalError
from app.core.security import Role
from app.datasets.repository import DatasetRepository
from app.models import DistillationStatus

PURPOSE = "We train a triage network for our emergency department with it."


def test_an_archive_is_streamed_and_counted(client_of, portal, tmp_path):
    content = bytes(range(256)) * 3000
    (tmp_path / "chest.zip").write_bytes(content)
    client = client_of(portal.steward)
    made = client.datasets.create("chest")
    assert (made.status, made.size, made.classes) == ("awaiting_upload", None, None)
    seen = []
    sent = client.datasets.upload(
        made.id, tmp_path / "chest.zip", on_progress=lambda done, total: seen.append((done, total))
    )
    assert (sent.id, sent.status, sent.size) == (made.id, "checking", len(content))
    assert seen[-1] == (len(content), len(content))
    assert len(seen) > 1
    (key,) = portal.stored(f"datasets/{made.id}")
    assert portal.storage.get(key) == content


def test_an_archive_that_arrives_as_something_else_is_told(client_of, portal, proxy, tmp_path):
    (tmp_path / "chest.zip").write_bytes(b"an archive")

    def garble(proxy, handler, headers):
        handler.rfile = BytesIO(b"X" * len(handler.rfile.read(int(headers["content-length"]))))
        proxy.whole(proxy, handler, headers)
        handler.close_connection = True

    proxy.next(proxy.whole, garble)
    client = client_of(portal.steward, url=proxy.url)
    dataset = client.datasets.create("chest")
    with pytest.raises(PortalError, match="is not what was sent"):
        client.datasets.upload(dataset.id, tmp_path / "chest.zip")


@pytest.mark.parametrize("becomes", [0, 900_000])
def test_an_archive_that_changes_while_it_is_sent_is_told(client_of, portal, tmp_path, becomes):
    archive = tmp_path / "chest.zip"
    archive.write_bytes(b"x" * 600_000)
    client = client_of(portal.steward)
    dataset = client.datasets.create("chest")

    def change(done, total):
        archive.write_bytes(b"x" * becomes)

    with pytest.raises(PortalError, match="changed while it was sent"):
        client.datasets.upload(dataset.id, archive, on_progress=change)
    assert client.datasets.get(dataset.id).status == "awaiting_upload"


def test_layouts_findings_and_refused_files_of_a_dataset(client_of, portal):
    client = client_of(portal.steward)
    dataset_id = portal.ready_dataset()
    refused = [
        {"name": f"COVID/{number}.png", "code": "truncated", "reason": "It is cut short."}
        for number in range(120)
    ]
    finding = {"code": "near_duplicate", "severity": "info", "count": 1, "action": "leave_out"}
    report = {"refused": refused, "findings": [finding]}
    portal.storage.put(f"datasets/{dataset_id}/quality.json", json.dumps(report).encode())
    portal.storage.put(f"datasets/{dataset_id}/sheets/near_duplicate.png", b"\x89PNG")

    files = list(client.datasets.refused_files(dataset_id, code="truncated"))
    assert [file.name for file in files] == [file["name"] for file in refused]
    assert list(client.datasets.refused_files(dataset_id, code="blank")) == []
    assert client.datasets.finding_picture(dataset_id, "near_duplicate") == b"\x89PNG"
    assert client.datasets.decide(dataset_id, "near_duplicate", "accept").status == "ready"
    with pytest.raises(PortalError, match="has no finding"):
        client.datasets.decide(dataset_id, "blank", "accept")
    with pytest.raises(PortalError) as unknown:
        client.datasets.layout(portal.uploaded_dataset())
    assert unknown.value.code == "layout-not-known"


def test_a_layout_of_another_archive_is_not_confirmed(client_of, portal):
    client = client_of(portal.steward)
    dataset_id = portal.uploaded_dataset()
    layout = {"levels": [], "questions": ["Which level holds the classes?"]}
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset_id, owner="test", seconds=60)
        datasets.mark_awaiting_mapping(dataset_id, fence=fence, layout=layout, signature="s")
    found = client.datasets.layout(dataset_id)
    assert (found.status, found.layout, found.mapping) == ("awaiting_mapping", layout, None)
    mapping = {"levels": ["class"]}
    with pytest.raises(PortalError) as replaced:
        client.datasets.confirm_layout(dataset_id, mapping, archive_sha256="0" * 64)
    assert replaced.value.code == "layout-of-another-archive"

    row = client.datasets.confirm_layout(dataset_id, mapping, archive_sha256=found.archive_sha256)
    assert row.status == "checking"
    # A reply that was lost is asked for again.
    assert client.datasets.confirm_layout(dataset_id, mapping).status == "checking"
    assert client.datasets.layout(dataset_id).mapping["levels"] == ["class"]


def test_datasets_and_distillations_come_back_with_their_fields(client_of, portal):
    client = client_of(portal.steward)
    dataset = client.datasets.get(portal.ready_dataset())
    assert dataset.classes["COVID"] == {"train": 40, "validation": 4, "test": 10}
    assert client.datasets.quality(dataset.id)["images"] == 100
    row = client.distillations.start(
        dataset.id, preset="cpu_demo", seed=7, overrides={"iterations": 5}
    )
    assert (row.status, row.phases, row.verdict, row.problem) == ("queued", {}, None, None)
    assert (portal.row(row.id).seed, portal.row(row.id).overrides) == (7, {"iterations": 5})
    portal.advance(
        row.id,
        DistillationStatus.TEACHING,
        phases={"teaching": {"done": 1, "total": 3, "unit": "teachers"}},
        eta_seconds=12.5,
    )
    row = client.distillations.get(row.id)
    assert (row.phases["teaching"].done, row.phases["teaching"].unit) == (1, "teachers")
    assert row.eta_seconds == 12.5
    assert client.datasets.get(portal.rejected_dataset()).problem.title == "No images"
    assert [found.id for found in client.distillations.list(dataset_id=dataset.id)] == [row.id]


def test_a_distillation_is_stopped_and_queued_again(client_of, portal):
    client = client_of(portal.steward)
    distillation = portal.distillation()
    assert client.distillations.cancel(distillation).status == "cancelled"
    assert client.distillations.retry(distillation).status == "queued"
    client.distillations.cancel(distillation)
    client.distillations.delete(distillation)
    with pytest.raises(PortalError, match="no distillation"):
        client.distillations.get(distillation)
    dataset = portal.ready_dataset()
    client.datasets.delete(dataset)
    assert dataset not in [row.id for row in client.datasets.list()]


def test_a_release_is_published_with_all_that_it_says(client_of, portal):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    release = client_of(portal.steward).releases.publish(
        portal.releasable_distillation(),
        title="Chest X-rays",
        summary="Two classes of adults.",
        card="# Where they come from",
        terms="non_commercial",
        custom_terms="Tell us what you find.",
        duo=["DUO:0000007 tuberculosis"],
        contact="data@st-anna.example",
        citation="St. Anna (2026)",
        embargo_until=until,
        previews=True,
    )
    assert (release.title, release.number, release.status) == ("Chest X-rays", 1, "published")
    assert release.terms.template == "non_commercial"
    assert "Tell us what you find." in release.terms.text
    assert "DUO:0000007 tuberculosis" in release.terms.duo
    assert hashlib.sha256(release.terms.text.encode()).hexdigest() == release.terms.sha256
    assert (release.card, release.contact) == ("# Where they come from", "data@st-anna.example")
    assert release.embargo_until == until
    assert (release.access.state, release.downloads) == ("owner", 0)
    later = client_of(portal.steward).releases.publish(
        portal.releasable_distillation(),
        title="Chest X-rays again",
        summary="Two classes.",
        contact="data@st-anna.example",
        supersedes=release.id,
    )
    assert client_of(portal.steward).releases.get(release.id).superseded_by == later.id


def test_the_catalogue_is_searched(client_of, portal):
    released = portal.release()
    client = client_of(portal.recipient)

    def found(words=None, **filters):
        return [row.id for row in client.releases.search(words, **filters)]

    assert found() == [released["id"]]
    assert found("chest adults", class_name="COVID", min_accuracy=0.7) == [released["id"]]
    assert found(verdict="not_refuted", min_images=4, max_images=4) == [released["id"]]
    assert found(organisation_id=portal.organisation_id) == [released["id"]]
    assert found("knees") == found(class_name="Flu") == found(min_accuracy=0.9) == []
    assert found(verdict="proven") == found(min_images=5) == found(max_images=3) == []
    assert found(modality="CT") == found(organisation_id=portal.elsewhere_id) == []
    assert [row.id for row in client_of(portal.steward).releases.mine()] == [released["id"]]
    assert list(client.releases.mine()) == []


def test_asked_returned_changed_granted_accepted_revoked(client_of, portal, tmp_path):
    owner, recipient = client_of(portal.steward), client_of(portal.recipient)
    release = recipient.releases.get(portal.release()["id"])

    request = recipient.requests.ask(release.id, PURPOSE)
    assert (request.requester, request.status) == ("Dr. Elsewhere", "requested")
    assert [row.id for row in owner.requests.list(direction="received")] == [request.id]
    assert list(owner.requests.list(direction="sent")) == []
    assert owner.requests.send_back(request.id, "Which network?").reason == "Which network?"
    assert recipient.requests.change(request.id, PURPOSE + " A ConvNet.").status == "requested"
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)
    granted = owner.requests.grant(request.id, expires_at=until)
    assert granted.status == "granted"

    [grant] = recipient.grants.list(direction="sent", release_id=release.id)
    assert (grant.id, grant.expires_at, grant.acceptance) == (granted.grant_id, until, None)
    with pytest.raises(PortalError) as caught:
        recipient.releases.download(release.id, tmp_path / "bundle.zip")
    assert (caught.value.code, caught.value.members["grant_id"]) == ("terms-not-accepted", grant.id)
    accepted = recipient.grants.accept(grant.id, release.terms.sha256).acceptance
    assert (accepted.name, accepted.terms_text) == ("Dr. Elsewhere", release.terms.text)
    recipient.releases.download(release.id, tmp_path / "bundle.zip")
    [download] = owner.releases.downloads(release.id)
    assert (download.organisation.name, download.name) == ("Elsewhere", "Dr. Elsewhere")

    assert owner.grants.revoke(grant.id, "The study has ended.").revoked_at is not None
    assert recipient.grants.get(grant.id).reason == "The study has ended."
    withdrawn = owner.releases.withdraw(release.id, "A labelling error was found.")
    assert withdrawn.withdrawal_reason == "A labelling error was found."


def test_what_was_decided_meanwhile_is_not_overwritten(client_of, portal, proxy):
    """Somebody decides between the look at the request and its change."""
    release = portal.release()
    request = client_of(portal.recipient).requests.ask(release["id"], PURPOSE)

    def deny_first(proxy, handler, headers):
        client_of(portal.steward).requests.send_back(request.id, "Which network?")
        proxy.whole(proxy, handler, headers)

    proxy.next(proxy.whole, deny_first)
    with pytest.raises(PortalError) as caught:
        client_of(portal.recipient, url=proxy.url).requests.change(request.id, PURPOSE + " Soon.")
    assert caught.value.code == "changed-meanwhile"
    assert client_of(portal.recipient).requests.get(request.id).purpose == PURPOSE


def test_denied_cancelled_and_given_unasked(client_of, portal):
    owner, recipient = client_of(portal.steward), client_of(portal.recipient)
    release = portal.release()["id"]
    denied = recipient.requests.ask(release, PURPOSE)
    assert owner.requests.deny(denied.id, "Not for this.").status == "denied"
    again = recipient.requests.ask(release, PURPOSE)
    assert recipient.requests.cancel(again.id).status == "cancelled"
    given = owner.grants.give(release, portal.elsewhere_id)
    assert (given.organisation.name, given.request_id) == ("Elsewhere", None)
    assert [row.id for row in recipient.requests.list(status="denied")] == [denied.id]


def test_who_one_is_and_ones_tokens(client_of, portal):
    client = client_of(portal.recipient)
    me = client.me()
    assert (me.name, me.organisation, me.roles) == ("Dr. Elsewhere", "Elsewhere", ["researcher"])
    made = client.tokens.create("a notebook", scopes=["read"])
    assert made.scopes == ["read"]
    assert made.secret.get_secret_value() not in repr(made)
    assert made.id in [token.id for token in client.tokens.list()]
    client.tokens.delete(made.id)
    assert made.id not in [token.id for token in client.tokens.list()]
    with pytest.raises(ValueError, match="time zone"):
        client.tokens.create("x", expires_at=datetime(2099, 1, 1))


def test_notices_keys_and_organisations(client_of, portal):
    owner = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Owner")
    release = portal.release()
    client_of(portal.recipient).requests.ask(release["id"], PURPOSE)
    client = client_of(owner)
    [notice] = client.notices.list(unread=True)
    assert (notice.kind, client.notices.count_unread()) == ("access.requested", 1)
    assert client.notices.mark_read(notice.id).read_at is not None
    assert (list(client.notices.list(unread=True)), client.notices.count_unread()) == ([], 0)
    [key] = client_of(portal.recipient).organisations.keys(portal.organisation_id)
    assert (key.public_key, key.retired_at, key.compromised) == (
        release["key"]["public_key"],
        None,
        False,
    )
    assert {row.name for row in client.organisations.list()} == {"St. Anna", "Elsewhere"}


def test_the_log_is_read_and_exported(client_of, portal, tmp_path):
    release = portal.release()
    client = client_of(portal.admin)
    [entry] = client.log.entries(action="release.published")
    assert (entry.subject, entry.outcome) == (release["id"], "done")
    since = datetime.now(UTC) + timedelta(days=1)
    assert list(client.log.entries(since=since)) == []
    assert len(list(client.log.entries(subject=release["id"]))) == 1
    path = tmp_path / "log.jsonl"
    client.log.export(path)
    assert verify_export(path, release["key"]["public_key"]).exit_code == 0
    with pytest.raises(PortalError) as caught:
        client_of(portal.steward).log.export(tmp_path / "none.jsonl")
    assert caught.value.status == 403
    assert [found.name for found in tmp_path.iterdir()] == ["log.jsonl"]


def test_an_export_that_breaks_off_leaves_nothing(client_of, portal, proxy, tmp_path):
    proxy.next(proxy.cut_after(300))
    with pytest.raises(PortalError, match="does not answer"):
        client_of(portal.admin, url=proxy.url).log.export(tmp_path / "log.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_portal_says_more_and_that_is_fine(client_of, portal, proxy):
    extra = (
        b'{"organisation_id": "org_1", "organisation": "St. Anna", "user_id": null, "name": "x", '
        b'"email": null, "roles": ["dean"], "permissions": [], "mood": "good"}'
    )
    proxy.next(proxy.answer(200, extra))
    assert client_of(portal.steward, url=proxy.url).me().roles == ["dean"]


def test_a_client_closes_what_it_opened(portal, live_url):
    with PortalClient(live_url, portal.steward.token) as client:
        client.me()
    with pytest.raises(RuntimeError, match="closed"):
        client.me()
