"""Who reads which report: the organisation sees what the images started from, while it may."""

import pytest


@pytest.fixture
def distillation(portal):
    """A ready one, whose reports with the starts are kept apart."""
    distillation_id = portal.ready_distillation()
    folder = f"distillations/{distillation_id}/internal"
    keys = {f"internal_{kind}_key": f"{folder}/report.{kind}" for kind in ("html", "pdf")}
    for key in keys.values():
        portal.storage.put(key, b"with starts")
    portal.advance(distillation_id, portal.row(distillation_id).status, **keys)
    return distillation_id


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("report.html", "text/html; charset=utf-8"), ("report.pdf", "application/pdf")],
)
def test_the_organisation_gets_the_report_with_the_starts(portal, distillation, name, media_type):
    reply = portal.researcher.get(f"/distillations/{distillation}/{name}")

    assert reply.content == b"with starts"
    assert reply.headers["content-type"] == media_type
    assert portal.stranger.get(f"/distillations/{distillation}/{name}").status_code == 404


def test_with_the_dataset_the_starts_go_and_the_report_stays(portal, distillation):
    dataset_id = portal.row(distillation).dataset_id

    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204

    stored = portal.stored(f"distillations/{distillation}")
    assert not any("internal" in key for key in stored)
    page = portal.researcher.get(f"/distillations/{distillation}/report.html")
    assert page.text == "<!doctype html><title>Report</title>"
    pdf = portal.researcher.get(f"/distillations/{distillation}/report.pdf")
    assert pdf.content == b"%PDF-1.7"
    assert pdf.headers["content-type"] == "application/pdf"


def test_one_that_was_made_before_there_were_pdfs_says_so(portal, distillation):
    keys = {"report_pdf_key": None, "internal_pdf_key": None}
    portal.advance(distillation, portal.row(distillation).status, **keys)

    reply = portal.researcher.get(f"/distillations/{distillation}/report.pdf")

    assert reply.status_code == 404
    assert reply.json()["type"].endswith("result-not-made")
    assert "again" in reply.json()["detail"]
