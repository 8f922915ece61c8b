"""Training on releases, on its pages."""

import re

import pytest

from app.core.security import Role
from app.models import Training, TrainingStatus

FIGURE = {"mean": 0.71, "std": 0.02, "n": 5}


@pytest.fixture
def researcher(reader):
    return reader(Role.RESEARCHER)


def start(researcher, dataset_id, release_id, **changes):
    fields = researcher.form("/trainings/new", "/trainings").fields
    typed = {"dataset": dataset_id, "release": [release_id], "rows": ["own", "both"]}
    return researcher.client.post("/trainings", data=fields | typed | changes)


def set_row(portal, page, **values):
    training_id = re.search(r"/trainings/(tr_\w+)", str(page.url))[1]
    with portal.database.transaction() as session:
        row = session.get_one(Training, training_id)
        for name, value in values.items():
            setattr(row, name, value)
    return f"/trainings/{training_id}"


def test_a_researcher_starts_confirms_and_reads(portal, researcher, broker):
    dataset_id, release_id = portal.ready_dataset(), portal.release()["id"]
    page = start(researcher, dataset_id, release_id)
    assert "A worker compares the names of the classes." in page.text
    assert 'hx-trigger="every 3s"' in page.text

    maps = {release_id: {"COVID": "COVID", "Normal": "Normal"}}
    address = set_row(portal, page, status=TrainingStatus.PROPOSED, class_maps=maps)
    shown = researcher.open(address)
    assert "Match the classes" in shown
    assert 'hx-trigger="every 3s"' not in shown
    fields = researcher.form(address, f"{address}/confirm").fields
    classes = {"release": [release_id] * 2, "theirs": ["COVID", "Normal"]}
    wrong = researcher.client.post(
        f"{address}/confirm", data=fields | classes | {"ours": ["COVID", ""]}
    )
    assert wrong.status_code == 422
    right = researcher.client.post(
        f"{address}/confirm", data=fields | classes | {"ours": ["COVID", "Normal"]}
    )
    assert "Waiting for a worker" in right.text
    assert broker.messages()[-1][1] == "train"

    rows = {name: {"balanced_accuracy": FIGURE} for name in ("own", "both")}
    result = {"table": {"rows": rows}, "notes": ["5 networks each."]}
    set_row(portal, page, status=TrainingStatus.READY, result=result)
    done = researcher.open(address)
    assert "71 %" in done
    assert "5 networks each." in done
    assert "Share your result" not in done, "the release is their own"
    assert address in researcher.open("/trainings")


def test_what_failed_says_why(portal, researcher):
    page = start(researcher, portal.ready_dataset(), portal.release()["id"])
    problem = {"title": "Not enough memory", "detail": "The worker has 2 GB."}
    address = set_row(portal, page, status=TrainingStatus.FAILED, problem=problem)
    assert "The worker has 2 GB." in researcher.open(address)


def test_it_is_cancelled(portal, researcher):
    address = start(researcher, portal.ready_dataset(), portal.release()["id"]).url.path
    page = researcher.send(address, f"{address}/cancel")
    assert "The training was cancelled." in page.text


def test_what_cannot_be_is_told(portal, researcher):
    dataset_id, release_id = portal.ready_dataset(), portal.release()["id"]
    assert start(researcher, dataset_id, release_id, networks="many").status_code == 422
    assert start(researcher, dataset_id, release_id, release=[]).status_code == 422


def test_empty_pages_say_what_comes_next(portal, researcher):
    assert "No training yet" in researcher.open("/trainings")
    assert "No dataset to test on" in researcher.open("/trainings/new")
    portal.ready_dataset()
    assert "No release to train on" in researcher.open("/trainings/new")


def test_what_others_gave_is_to_choose_once_its_terms_are_accepted(portal, reader):
    release_id = portal.release()["id"]
    asker = reader(Role.RESEARCHER, elsewhere=True)
    grant = portal.steward.post(
        f"/releases/{release_id}/grants", json={"organisation_id": portal.elsewhere_id}
    ).json()
    with portal.database.transaction() as session:
        from app.models import Dataset

        session.add(
            Dataset(
                organisation_id=portal.elsewhere_id,
                name="ours",
                status="ready",
                classes={"COVID": {"train": 1}, "Normal": {"train": 1}},
            )
        )
    assert "No release to train on" in asker.open("/trainings/new")
    address = f"/releases/{release_id}"
    accept = f"/grants/{grant['id']}/accept"
    page = asker.send(address, accept, accepted="true").text
    assert f"/trainings/new?release={release_id}" in page
    chosen = asker.open(f"/trainings/new?release={release_id}")
    assert f'value="{release_id}" checked' in chosen


def test_others_do_not_see_it(portal, researcher, reader):
    address = start(researcher, portal.ready_dataset(), portal.release()["id"]).url.path
    reader(Role.ADMIN, elsewhere=True).open(address, status=404)
    reader(Role.AUDITOR).open(address, status=403)
