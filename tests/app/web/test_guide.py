"""The guided first distillation: each step as the person's own state has it."""

import re

from app.core.security import Role
from app.datasets.repository import DatasetRepository
from app.models import DistillationStatus

CURRENT = re.compile(r'aria-current="step">\s*<h2>([^<]*?) <span')


def next_step(page: str) -> str:
    found = CURRENT.findall(page)
    assert len(found) == 1, page
    return found[0]


def drawn(portal, steward) -> str:
    """The sample cohort, drawn and checked."""
    reply = steward.send("/guide", "/guide/sample")
    dataset = re.search(r"/datasets/(ds_\w+)", reply.text)[1]
    portal.make_ready(dataset)
    return dataset


def test_begins_with_drawing_the_sample_cohort(portal, reader):
    steward = reader(Role.STEWARD)
    assert next_step(steward.open("/guide")) == "Generate the sample cohort"
    reply = steward.send("/guide", "/guide/sample")
    assert reply.url.path == "/guide"
    assert "is being generated and checked" in reply.text
    assert next_step(reply.text) == "Wait for the check"
    assert 'hx-get="/guide/steps?seen=check"' in reply.text


def test_drawing_twice_makes_one(portal, reader):
    steward = reader(Role.STEWARD)
    form = steward.form("/guide", "/guide/sample")
    for _ in range(2):
        steward.client.post("/guide/sample", data=form.fields)
    assert len(portal.steward.get("/datasets").json()["items"]) == 1


def test_goes_on_once_the_cohort_is_checked(portal, reader):
    steward = reader(Role.STEWARD)
    drawn(portal, steward)
    assert next_step(steward.open("/guide")) == "Start a distillation"
    part = steward.open("/guide/steps?seen=check")
    assert part.lstrip().startswith('<ol id="steps"')
    assert "Next step: Start a distillation" in part
    assert "Next step" not in steward.open("/guide/steps?seen=start")


def test_starts_one_distillation_however_often_it_is_asked(portal, reader, broker):
    steward = reader(Role.STEWARD)
    dataset = drawn(portal, steward)
    form = steward.form("/guide", "/guide/distillation")
    for _ in range(2):
        reply = steward.client.post("/guide/distillation", data=form.fields)
    assert next_step(reply.text) == "Follow the progress"
    [row] = portal.steward.get(f"/distillations?dataset_id={dataset}").json()["items"]
    assert row["preset"] == "cpu_demo"


def test_shows_how_far_it_is_and_then_the_report(portal, reader):
    steward = reader(Role.STEWARD)
    dataset = drawn(portal, steward)
    distillation = portal.distillation(dataset_id=dataset)
    portal.advance(
        distillation,
        DistillationStatus.TEACHING,
        phases={"teaching": {"done": 3, "total": 16, "unit": "epochs"}},
    )
    page = steward.open("/guide")
    assert "training teachers" in page
    assert "3 of 16" in page
    portal.advance(distillation, DistillationStatus.READY)
    page = steward.open("/guide")
    assert next_step(page) == "Read the report"
    assert f"/distillations/{distillation}/report" in page
    assert "hx-get" not in page.split('id="steps"')[1].split(">")[0]


def test_one_that_failed_is_told_and_can_be_started_again(portal, reader):
    steward = reader(Role.STEWARD)
    dataset = drawn(portal, steward)
    failed = portal.distillation(dataset_id=dataset)
    portal.advance(
        failed,
        DistillationStatus.FAILED,
        problem={"title": "The device was lost", "detail": "What was done is kept."},
    )
    page = steward.open("/guide")
    assert "The device was lost" in page
    assert next_step(page) == "Start a distillation"
    assert next_step(steward.send("/guide", "/guide/distillation").text) == "Follow the progress"


def test_a_cohort_that_was_rejected_is_drawn_again(portal, reader):
    steward = reader(Role.STEWARD)
    reply = steward.send("/guide", "/guide/sample")
    dataset = re.search(r"/datasets/(ds_\w+)", reply.text)[1]
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset, owner="test", seconds=60)
        datasets.mark_rejected(dataset, fence=fence, problem={"title": "No images"})
    assert next_step(steward.open("/guide")) == "Generate the sample cohort"


def test_researchers_are_told_whom_to_ask_for_the_cohort(portal, reader):
    researcher, steward = reader(Role.RESEARCHER), reader(Role.STEWARD)
    assert "Only a data steward can create datasets" in researcher.open("/guide")
    token = researcher.form("/account", "/account/password").fields["csrf_token"]
    reply = researcher.client.post("/guide/sample", data={"csrf_token": token})
    assert reply.status_code == 403
    drawn(portal, steward)
    researcher.form("/guide", "/guide/distillation")


def test_others_are_told_that_it_is_not_for_them(reader):
    for role in (Role.AUDITOR, Role.OPERATOR):
        person = reader(role)
        assert "Your role does not include datasets" in person.open("/guide")
        person.open("/guide/steps", status=403)


def test_another_organisation_begins_at_its_own_beginning(portal, reader):
    drawn(portal, reader(Role.STEWARD))
    stranger = reader(Role.STEWARD, elsewhere=True)
    assert next_step(stranger.open("/guide")) == "Generate the sample cohort"
