"""Reports and bundles: who gets them, in which pieces, under which headers."""

import pytest

from app.models import DistillationStatus
from tests.fixtures.bundles import plain_bundle

BUNDLE = plain_bundle()


@pytest.fixture
def bundle(portal):
    distillation_id = portal.ready_distillation()

    def get(**headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return portal.researcher.get(f"/distillations/{distillation_id}/bundle", headers=names)

    return get


def test_reports_and_bundle_of_a_ready_one(portal):
    distillation_id = portal.ready_distillation()
    path = f"/distillations/{distillation_id}"

    report = portal.researcher.get(f"{path}/report.json")
    assert report.json() == {"preset": "cpu_demo"}
    assert report.headers["content-type"] == "application/json"
    page = portal.researcher.get(f"{path}/report.html")
    assert page.text.startswith("<!doctype html>")
    bundle = portal.researcher.get(f"{path}/bundle")
    assert bundle.content == BUNDLE
    assert bundle.headers["content-type"] == "application/zip"
    assert f'filename="{distillation_id}.zip"' in bundle.headers["content-disposition"]


def test_the_page_may_run_nothing_and_load_nothing(portal):
    distillation_id = portal.ready_distillation()

    headers = portal.steward.get(f"/distillations/{distillation_id}/report.html").headers

    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert "script-src" not in policy
    assert "sandbox" in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["report.json", "report.html", "report.pdf", "bundle"])
def test_not_there_before_it_is_ready(portal, name):
    distillation_id = portal.distillation(DistillationStatus.EVALUATING)

    reply = portal.steward.get(f"/distillations/{distillation_id}/{name}")

    assert reply.status_code == 409
    assert reply.json()["distillation_status"] == "evaluating"


@pytest.mark.parametrize("name", ["report.json", "report.html", "report.pdf", "bundle"])
def test_another_organisation_gets_none_of_it(portal, name):
    distillation_id = portal.ready_distillation()

    assert portal.stranger.get(f"/distillations/{distillation_id}/{name}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, 10240),
        ("bytes=-100", 10140, 10240),
        ("bytes=10239-99999", 10239, 10240),
        ("bytes=-99999", 0, 10240),
    ],
)
def test_a_part_of_the_bundle(bundle, asked, start, end):
    reply = bundle(Range=asked)

    assert reply.status_code == 206
    assert reply.content == BUNDLE[start:end]
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/10240"
    assert reply.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=-0", f"bytes={9**19}-", "bytes=9-3"])
def test_a_part_that_is_not_there(bundle, asked):
    reply = bundle(Range=asked)

    assert reply.status_code == 416
    assert reply.headers["content-range"] == "bytes */10240"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=" + "9" * 50])
def test_a_range_that_is_none_is_ignored(bundle, asked):
    reply = bundle(Range=asked)

    assert reply.status_code == 200
    assert reply.content == BUNDLE


def test_what_is_known_is_not_sent_again(bundle):
    etag = bundle().headers["etag"]

    assert bundle(If_None_Match=etag).status_code == 304
    assert bundle(If_None_Match='"other"').status_code == 200


def test_a_resumed_download_of_another_version_starts_over(bundle):
    etag = bundle().headers["etag"]

    assert bundle(Range="bytes=5-", If_Range=etag).status_code == 206
    assert bundle(Range="bytes=5-", If_Range='"other"').status_code == 200


def test_an_object_that_vanished(portal):
    distillation_id = portal.ready_distillation()
    portal.storage.delete(f"distillations/{distillation_id}/bundle.zip")

    reply = portal.steward.get(f"/distillations/{distillation_id}/bundle")

    assert reply.status_code == 404
    assert reply.json()["type"] == "urn:iadd-exchange:problem:object-gone"
