"""The quality report on the page of a dataset, and what is decided about its findings."""

import pytest

from app.core.security import Role
from app.models import DatasetStatus, DistillationStatus
from tests.app.web.layouts import FINDINGS, examined, finding, row


@pytest.fixture
def steward(reader):
    return reader(Role.STEWARD)


def decide(steward, dataset_id, code, **typed):
    return steward.client.post(
        f"/datasets/{dataset_id}/findings/{code}",
        data=steward.form(
            f"/datasets/{dataset_id}", f"/datasets/{dataset_id}/findings/{code}"
        ).fields
        | typed,
    )


def test_every_entry_is_accounted_for(portal, steward):
    shown = steward.open(f"/datasets/{examined(portal)}")
    assert "200 entries: 174 accepted, 20 refused, 6 ignored" in shown
    wrong = steward.open(f"/datasets/{examined(portal, entries=201)}")
    assert "201 entries" not in wrong, "a sum that does not add up is not shown"


def test_findings_come_by_severity_with_what_they_mean(portal, steward):
    dataset_id = examined(portal)
    shown = steward.open(f"/datasets/{dataset_id}")
    places = [shown.index(f'id="finding-{one["code"]}"') for one in FINDINGS]
    assert places[4] == min(places), "what holds a release comes first"
    assert places[0] == max(places)
    assert "Meaning of inverted." in shown
    assert f'src="/datasets/{dataset_id}/findings/inverted/picture"' in shown
    assert "24 pairs" in shown
    assert "Correlation 0.9967" in shown


def test_what_holds_a_release_is_said_on_top(portal, steward):
    shown = steward.open(f"/datasets/{examined(portal)}")
    assert "One finding holds every release" in shown
    assert shown.index('href="#finding-text_in_picture"') < shown.index('id="quality"')


def test_the_split_is_explained(portal, steward):
    assert "the archive names no patients" in steward.open(f"/datasets/{examined(portal)}")


def test_the_page_says_what_became_of_the_archive(portal, steward):
    dataset_id = examined(portal)
    assert "deleted in a moment" in steward.open(f"/datasets/{dataset_id}")
    with portal.database.transaction() as session:
        session.merge(row(portal, dataset_id)).archive_key = None
    assert "The archive was deleted once" in steward.open(f"/datasets/{dataset_id}")
    assert "deleted once its images were read" in steward.open(f"/datasets/{portal.new_dataset()}")


def test_charts_have_their_numbers_in_words(portal, steward):
    shown = steward.open(f"/datasets/{examined(portal)}")
    assert "COVID: mean greys from 112 to 143, of 255" in shown
    assert "224×224" in shown
    assert "Normal is the largest class, 2.2 times as large as COVID" in shown


def test_the_picture_of_a_finding_is_shown_to_its_organisation(portal, reader):
    address = f"/datasets/{examined(portal)}/findings/inverted/picture"
    reply = reader(Role.RESEARCHER).client.get(address)
    assert (reply.status_code, reply.content) == (200, b"\x89PNG")
    assert reply.headers["content-type"] == "image/png"
    reader(Role.STEWARD, elsewhere=True).open(address, status=404)


def test_pictures_are_left_out_after_it_was_said_how_many(portal, steward):
    dataset_id = examined(portal)
    code = "near_duplicate_across_splits"
    assert "This leaves out 24 of 174 images" in steward.open(f"/datasets/{dataset_id}")
    reply = decide(steward, dataset_id, code, action="leave_out")
    assert reply.url.path == f"/datasets/{dataset_id}"
    assert "composed and checked again" in reply.text
    assert "Waiting for a worker" in reply.text
    assert row(portal, dataset_id).status == DatasetStatus.CHECKING
    assert len(row(portal, dataset_id).decisions["leave_out"]) == 24
    portal.make_ready(dataset_id)
    assert "24 images are left out" in steward.open(f"/datasets/{dataset_id}")


def test_an_accepted_finding_is_folded_and_holds_nothing(portal, steward):
    dataset_id = examined(portal)
    reply = decide(steward, dataset_id, "text_in_picture", action="accept")
    assert "The finding is accepted" in reply.text
    assert "Accepted findings" in reply.text
    assert "holds every release" not in reply.text
    assert row(portal, dataset_id).status == DatasetStatus.READY
    assert row(portal, dataset_id).open_holds == {}


def test_classes_are_merged_into_one_of_them(portal, steward):
    dataset_id = examined(portal)
    shown = steward.open(f"/datasets/{dataset_id}")
    assert "COVID (54 images)" in shown
    nothing = decide(steward, dataset_id, "class_spellings", action="merge", into="")
    assert nothing.status_code == 422
    assert "Choose the classes" in nothing.text
    decide(
        steward,
        dataset_id,
        "class_spellings",
        **{"action": "merge", "class": ["COVID", "Normal"], "into": "Normal"},
    )
    assert row(portal, dataset_id).decisions["merge"] == {"COVID": "Normal"}


def test_whoever_may_not_upload_decides_nothing(portal, reader):
    dataset_id = examined(portal)
    researcher = reader(Role.RESEARCHER)
    shown = researcher.open(f"/datasets/{dataset_id}")
    assert "A data steward of your organisation decides" in shown
    assert "/findings/inverted/picture" in shown
    assert f'action="/datasets/{dataset_id}/findings/' not in shown


def test_what_was_distilled_does_not_change_any_more(portal, steward):
    dataset_id = examined(portal)
    portal.distillation(DistillationStatus.FAILED, dataset_id=dataset_id)
    shown = steward.open(f"/datasets/{dataset_id}")
    assert "The images cannot change any more" in shown
    assert "This leaves out" not in shown
    assert "Accept as it is" in shown


def test_what_has_no_files_can_only_be_accepted(portal, steward):
    dataset_id = examined(portal, findings=[finding("imbalance", "warn", "accept", 0)])
    shown = steward.open(f"/datasets/{dataset_id}")
    assert "Accept as it is" in shown
    assert "This leaves out" not in shown


def test_a_release_that_is_held_leads_to_the_findings(portal, steward):
    dataset_id = examined(portal)
    distillation_id = portal.distillation(DistillationStatus.READY, dataset_id=dataset_id)
    shown = steward.open(f"/distillations/{distillation_id}/release")
    assert "Findings of its dataset are open" in shown
    assert f'href="/datasets/{dataset_id}"' in shown
