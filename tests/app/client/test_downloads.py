"""Downloads that break off, and go on."""

import hashlib
import json

import pytest

from app.client import PortalError, Retries, UnreachableError
from tests.fixtures.bundles import plain_bundle

ONCE = Retries(attempts=1)


@pytest.fixture
def content(portal, granted):
    return portal.storage.get(f"releases/{granted['id']}/bundle.zip")


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "bundle.zip"


def downloads_counted(portal, release):
    return portal.steward.get(f"/releases/{release['id']}").json()["downloads"]


def ranges(proxy):
    return [h.get("range") for _, path, h in proxy.requests if path.endswith("/bundle")]


def test_a_download_that_breaks_goes_on_where_it_was(
    client_of, portal, proxy, granted, content, target
):
    proxy.next(proxy.whole, proxy.cut_after(1000), proxy.cut_after(500))
    seen = []
    client_of(portal.recipient, url=proxy.url).releases.download(
        granted["id"], target, on_progress=lambda done, total: seen.append((done, total))
    )
    assert target.read_bytes() == content
    assert ranges(proxy) == [None, "bytes=1000-", "bytes=1500-"]
    assert seen[0] == (0, len(content))
    assert (1500, len(content)) in seen
    assert seen[-1] == (len(content), len(content))
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert downloads_counted(portal, granted) == 1


def test_another_run_goes_on_where_the_first_was(
    client_of, portal, proxy, granted, content, target
):
    proxy.next(proxy.whole, proxy.cut_after(1000))
    with pytest.raises(UnreachableError, match="to continue from there") as caught:
        client_of(portal.recipient, url=proxy.url, retries=ONCE).releases.download(
            granted["id"], target
        )
    part = target.with_name("bundle.zip.part")
    assert str(part) in str(caught.value)
    assert part.read_bytes() == content[:1000]
    assert not target.exists()

    client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)

    assert target.read_bytes() == content
    assert ranges(proxy) == [None, "bytes=1000-"]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_however_often_it_breaks_as_long_as_something_comes(
    client_of, portal, proxy, granted, content, target
):
    proxy.next(proxy.whole, *[proxy.cut_after(100)] * 12)
    client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)
    assert target.read_bytes() == content
    assert len(ranges(proxy)) == 13


def test_a_way_that_stays_broken_ends_it(client_of, portal, proxy, granted, target):
    proxy.next(proxy.whole, proxy.cut_after(100), *[proxy.cut_after(0)] * 20)
    with pytest.raises(UnreachableError):
        client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)
    assert len(ranges(proxy)) < 8


def test_what_was_complete_is_not_sent_again(client_of, portal, proxy, granted, content, target):
    proxy.next(proxy.whole, proxy.cut_after(len(content) - 1))
    with pytest.raises(UnreachableError):
        client_of(portal.recipient, url=proxy.url, retries=ONCE).releases.download(
            granted["id"], target
        )
    # As a run leaves it that was killed after the last byte and before it could name the file.
    target.with_name("bundle.zip.part").write_bytes(content)

    client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)

    assert target.read_bytes() == content
    assert ranges(proxy) == [None, f"bytes={len(content)}-"]


ANOTHER = plain_bundle(filler=b"y")


def test_another_object_is_fetched_whole(client_of, portal, proxy, target):
    distillation = portal.ready_distillation()
    proxy.next(proxy.cut_after(1000))
    with pytest.raises(UnreachableError):
        client_of(portal.steward, url=proxy.url, retries=ONCE).distillations.download(
            distillation, "bundle", target
        )
    portal.storage.put(f"distillations/{distillation}/bundle.zip", ANOTHER)

    client_of(portal.steward, url=proxy.url).distillations.download(distillation, "bundle", target)

    assert target.read_bytes() == ANOTHER


def test_a_part_of_something_else_is_not_gone_on_with(client_of, portal, proxy, target):
    first, second = portal.ready_distillation(), portal.ready_distillation()
    proxy.next(proxy.cut_after(1000))
    with pytest.raises(UnreachableError):
        client_of(portal.steward, url=proxy.url, retries=ONCE).distillations.download(
            first, "bundle", target
        )
    client = client_of(portal.steward, url=proxy.url)
    client.distillations.download(second, "bundle", target)
    assert ranges(proxy) == [None, None]


@pytest.mark.parametrize("note", [b"", b"[]", b'{"etag": 3}', b"\xff", None])
def test_a_note_that_cannot_be_read_costs_what_had_arrived(
    client_of, portal, proxy, granted, content, target, note
):
    target.with_name("bundle.zip.part").write_bytes(b"x" * 100)
    if note is not None:
        target.with_name("bundle.zip.part.json").write_bytes(note)
    client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)
    assert target.read_bytes() == content
    assert ranges(proxy) == [None]


def test_what_is_not_the_file_that_the_portal_names_is_removed(
    client_of, portal, proxy, granted, target
):
    target.write_bytes(b"an earlier one")
    proxy.next(proxy.whole, proxy.cut_after(1000))
    with pytest.raises(UnreachableError):
        client_of(portal.recipient, url=proxy.url, retries=ONCE).releases.download(
            granted["id"], target
        )
    part = target.with_name("bundle.zip.part")
    part.write_bytes(b"\0" * 1000)

    with pytest.raises(PortalError, match="SHA-256 is another"):
        client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)

    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert target.read_bytes() == b"an earlier one"


def test_another_part_than_was_asked_for_is_refused(client_of, portal, proxy, granted, target):
    proxy.next(proxy.whole, proxy.cut_after(1000))
    with pytest.raises(UnreachableError):
        client_of(portal.recipient, url=proxy.url, retries=ONCE).releases.download(
            granted["id"], target
        )
    wrong = proxy.answer(206, b"x" * 10, Content_Range="bytes 0-9/10", ETag='"x"')
    proxy.next(proxy.whole, wrong)
    with pytest.raises(PortalError, match="another part"):
        client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)
    assert list(target.parent.iterdir()) == []


def test_what_is_refused_leaves_nothing(client_of, portal, target):
    release = portal.release()
    with pytest.raises(PortalError) as caught:
        client_of(portal.recipient).releases.download(release["id"], target)
    assert caught.value.code == "no-access"
    assert list(target.parent.iterdir()) == []


def test_access_that_ended_midway_ends_the_download(client_of, portal, proxy, granted, target):
    proxy.next(proxy.whole, proxy.cut_after(1000))
    with pytest.raises(UnreachableError):
        client_of(portal.recipient, url=proxy.url, retries=ONCE).releases.download(
            granted["id"], target
        )
    [grant] = portal.steward.get("/grants").json()["items"]
    portal.steward.delete(f"/grants/{grant['id']}")
    with pytest.raises(PortalError) as caught:
        client_of(portal.recipient, url=proxy.url).releases.download(granted["id"], target)
    assert caught.value.code == "no-access"
    assert not target.exists()


def test_results_of_ones_own_are_written_whole_or_not_at_all(client_of, portal, target):
    client = client_of(portal.steward)
    client.distillations.download(portal.ready_distillation(), "report.json", target)
    assert json.loads(target.read_bytes()) == {"preset": "cpu_demo"}
    with pytest.raises(PortalError) as caught:
        client.distillations.download(portal.distillation(), "bundle", target)
    assert caught.value.status == 409
    assert json.loads(target.read_bytes()) == {"preset": "cpu_demo"}
    with pytest.raises(ValueError, match="report"):
        client.distillations.download("dl_1", "../x", target)


def test_the_release_says_what_the_file_is(client_of, portal, granted, content, target):
    release = client_of(portal.recipient).releases.download(granted["id"], target)
    assert release.bundle.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert release.bundle.size == len(content)
