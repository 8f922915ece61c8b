"""The report of a distillation within the portal."""

import pytest

from app.core.security import Role
from app.distillations.repository import DistillationRepository
from app.web.stored_report import take_apart

STYLE = ".report { color: #16202c }"
STORED = f"""<!doctype html><html lang="en"><head><style>{STYLE}</style>
<style id="page">body {{ margin: 0 }}</style></head><body><main class="report" id="report-main">
<h1>Chest, distilled</h1><p>It is worth a lot.</p><h3>Recipients' scores</h3>
<!-- place: recipients-scores --><p>How it was made.</p></main></body></html>"""


def store(portal, distillation_id, document):
    key = f"distillations/{distillation_id}/report.html"
    portal.storage.put(key, document.encode())
    with portal.database.transaction() as session:
        DistillationRepository(session).load(distillation_id).report_html_key = key


@pytest.fixture
def reported(portal):
    distillation_id = portal.releasable_distillation()
    store(portal, distillation_id, STORED)
    return distillation_id


def download(portal, release):
    """The other organisation is granted a release, accepts its terms and gets it."""
    grant = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    ).json()
    portal.recipient.post(
        f"/grants/{grant['id']}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    portal.recipient.get(f"/releases/{release['id']}/bundle")


def send_score(portal, release, mean):
    figure = {"mean": mean, "std": 0.01, "n": 5}
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")
    score = {
        "format": 1,
        "release": {"fingerprint": release["bundle"]["fingerprint"], "images": 4},
        "classes": ["COVID", "Normal"],
        "left_out": [],
        "class_map": {"COVID": "COVID", "Normal": "Normal"},
        "test_images": {"COVID": 10, "Normal": 20},
        "figures": {**dict.fromkeys(names, figure), "per_class": {}},
        "recipe": {"lr": 0.01},
        "network": {"name": "convnet", "depth": 5, "width": 16},
        "image_size": 112,
        "seed": 0,
        "versions": {"torch": "2.11"},
        "time": "2026-11-24T12:00:00Z",
    }
    sent = portal.recipient.post(f"/releases/{release['id']}/scores", json={"score": score})
    assert sent.status_code == 201, sent.text


def test_it_stands_in_the_portals_frame_with_its_own_looks(reader, reported):
    researcher = reader(Role.RESEARCHER)
    reply = researcher.client.get(f"/distillations/{reported}/report")
    assert "<h1>Chest, distilled</h1>" in reply.text
    assert reply.text.count("<h1") == 1
    assert reply.text.count("<main") == 1
    assert "margin: 0" not in reply.text
    policy = reply.headers["content-security-policy"]
    source = take_apart(STORED).style_source
    assert f"style-src 'self' {source};" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_its_files_are_offered(reader, reported):
    page = reader(Role.RESEARCHER).open(f"/distillations/{reported}/report")
    for file in ("bundle", "report.json"):
        assert f'href="/api/v1/distillations/{reported}/{file}"' in page


def test_a_pdf_is_offered_where_there_is_one(portal, reader, reported):
    researcher = reader(Role.RESEARCHER)
    assert "report.pdf" not in researcher.open(f"/distillations/{reported}/report")
    with portal.database.transaction() as session:
        DistillationRepository(session).load(reported).report_pdf_key = "somewhere"
    assert "report.pdf" in researcher.open(f"/distillations/{reported}/report")


def test_a_steward_shares_and_a_researcher_is_told_who_does(reader, reported):
    address = f"/distillations/{reported}/report"
    share = f'href="/distillations/{reported}/release"'
    assert share in reader(Role.STEWARD).open(address)
    page = reader(Role.RESEARCHER).open(address)
    assert share not in page
    assert "Only a data steward or an admin can share" in page


def test_scores_and_releases_stand_where_the_report_left_room(portal, reader, reported):
    page = reader(Role.RESEARCHER).open(f"/distillations/{reported}/report")
    assert "No recipient has sent a score yet" in page
    assert "Not released yet" in page
    release = portal.release(distillation_id=reported)
    download(portal, release)
    send_score(portal, release, 0.7)
    send_score(portal, release, 0.8)
    page = reader(Role.RESEARCHER).open(f"/distillations/{reported}/report")
    assert f'href="/releases/{release["id"]}"' in page
    # The latest counts; both are there, between the report's heading and what follows.
    assert "One recipient has tested it" in page
    assert "reach 80.0 % balanced accuracy" in page
    assert page.index("Recipients' scores") < page.index("70.0 % ± 1.0 %")
    assert page.index("70.0 % ± 1.0 %") < page.index("How it was made.")


def test_one_of_an_earlier_form_is_linked(portal, reader):
    distillation_id = portal.ready_distillation()
    page = reader(Role.RESEARCHER).open(f"/distillations/{distillation_id}/report")
    assert f'href="/api/v1/distillations/{distillation_id}/report.html"' in page
    assert "<h1>" in page


def test_one_that_is_not_there_yet_says_so(portal, reader):
    page = reader(Role.RESEARCHER).open(
        f"/distillations/{portal.distillation()}/report", status=409
    )
    assert "The distillation is queued" in page


def test_the_log_tells_who_looked(portal, reader, reported):
    reader(Role.RESEARCHER).open(f"/distillations/{reported}/report")
    entries = portal.admin.get("/audit?action=distillation.downloaded").json()["items"]
    assert [entry["subject"] for entry in entries] == [reported]


def test_another_organisation_finds_nothing(reader, reported):
    reader(Role.ADMIN, elsewhere=True).open(f"/distillations/{reported}/report", status=404)
