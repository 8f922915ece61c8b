"""Asking what a distillation would take, before it is started."""

from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.queue import Queue, Task
from app.forecasts.service import MOST_WAITING
from app.models import (
    Dataset,
    Distillation,
    DistillationStatus,
    Forecast,
    Measurement,
    Randomness,
    TrajectorySet,
)
from iadd.config import Config
from iadd.presets import PRESETS
from iadd.privacy.power import reachable_tpr


def ask(portal, dataset_id, **body):
    return portal.researcher.post(
        f"/datasets/{dataset_id}/forecasts", json={"preset": "cpu_demo", **body}
    )


def code(reply):
    return reply.json()["type"].rpartition(":")[2]


def test_what_nobody_has_measured_waits_for_a_worker(portal, broker):
    dataset_id = portal.ready_dataset()
    broker.lose_messages()

    reply = ask(portal, dataset_id)

    assert reply.status_code == 202
    forecast = reply.json()
    assert reply.headers["location"] == f"/api/v1/forecasts/{forecast['id']}"
    assert (forecast["status"], forecast["estimate"], forecast["problem"]) == ("queued", None, None)
    assert forecast["settings"]["images_per_class"] == 2
    assert forecast["waiting"]["text"] == "It waits for a worker; the estimate follows."
    assert broker.messages() == [(Queue.FORECAST, Task.FORECAST, forecast["id"])]
    assert portal.researcher.get(f"/forecasts/{forecast['id']}").json() == forecast


def test_what_was_measured_is_answered_at_once(portal, broker, measured):
    dataset_id = portal.ready_dataset()
    broker.lose_messages()
    measured()

    reply = ask(portal, dataset_id)

    assert reply.status_code == 200
    forecast = reply.json()
    estimate = forecast["estimate"]
    assert (forecast["status"], forecast["waiting"]) == ("ready", None)
    assert broker.messages() == []
    assert set(estimate["phases"]) == {"teaching", "distilling", "evaluating"}
    assert estimate["seconds"] == pytest.approx(sum(estimate["phases"].values()))
    assert estimate["low_seconds"] < estimate["seconds"] < estimate["high_seconds"]
    # Four images in a step: 400 MB and 100 MB for each.
    assert estimate["peak_bytes"] == pytest.approx(800e6, rel=0.01)
    assert "measured on a worker (a CPU, 2 threads)" in estimate["basis"]
    assert estimate["earlier"] is None


def test_an_audit_tells_what_it_finds_and_takes_before_the_start(portal, measured):
    dataset_id = portal.ready_dataset()
    waiting = ask(portal, dataset_id, audit="audit_standard").json()
    # 130 training images: 26 are in or out by a coin.
    assert (waiting["audit"]["runs"], waiting["audit"]["units"]) == (16, 26)
    finds = reachable_tpr(runs=16, units=26, deff=4.0)
    assert waiting["audit"]["finds"] == pytest.approx(finds)
    assert waiting["audit"]["clears"] is False
    assert waiting["audit"]["text"] == (
        f"16 runs: finds leaks of {100 * finds:.2g} % and more. That is too little to clear a "
        "release: the verdict will be inconclusive, or refuted."
    )
    measured()

    free = ask(portal, dataset_id).json()
    quick = ask(portal, dataset_id, audit="audit_quick").json()
    full = ask(portal, dataset_id, audit="audit_full").json()

    # The archive's own split: chance did not leave its test images out.
    assert (free["audit"]["runs"], free["audit"]["finds"]) == (0, None)
    assert "says nothing of how large a leak" in free["audit"]["text"]
    assert full["audit"]["finds"] < quick["audit"]["finds"]
    assert "auditing" not in free["estimate"]["phases"]
    auditing = full["estimate"]["phases"]["auditing"]
    assert auditing == pytest.approx(10 * quick["estimate"]["phases"]["auditing"])
    own = free["estimate"]["phases"]
    assert auditing > 80 * own["teaching"]
    assert "about" in full["audit"]["text"]


def test_a_job_with_a_proof_says_what_is_added_for_it(portal, measured):
    measured("cpu_dp")
    asked = {"preset": "cpu_dp", "audit": "audit_full"}
    told = ask(portal, portal.ready_dataset(), **asked).json()
    assert told["audit"]["proven"] is True
    assert (told["audit"]["runs"], told["audit"]["clears"]) == (0, None)
    assert "A proof takes its place" in told["audit"]["text"]
    assert "a fifth is added" in told["estimate"]["basis"]
    assert "auditing" not in told["estimate"]["phases"]


def test_the_run_itself_has_power_where_chance_left_the_test_images_out(portal):
    dataset_id = portal.ready_dataset()
    with portal.database.transaction() as session:
        session.get_one(Dataset, dataset_id).split_by = "patient"
    audit = ask(portal, dataset_id).json()["audit"]
    assert audit["units"] == 60
    assert audit["finds"] == pytest.approx(reachable_tpr(runs=1, units=60))
    assert audit["text"].startswith("The run itself alone: finds leaks of ")


def test_teachers_of_a_published_seed_are_not_counted_on(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    config: Config = PRESETS["cpu_demo"]()
    with portal.database.transaction() as session:
        session.add(
            TrajectorySet(
                dataset_id=dataset_id,
                teacher_key=config.teacher_key(),
                config=config.to_dict(),
                teachers=config.teacher.teachers,
                status="ready",
                randomness=Randomness.PUBLISHED,
            )
        )
    assert ask(portal, dataset_id).json()["estimate"]["teachers_are_there"] is False


def test_other_numbers_are_answered_from_the_same_measurement(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()

    few = ask(portal, dataset_id).json()["estimate"]
    more_images = ask(portal, dataset_id, images_per_class=4).json()["estimate"]
    more_steps = ask(portal, dataset_id, overrides={"iterations": 660}).json()["estimate"]
    wider = ask(portal, dataset_id, overrides={"width": 17})

    assert more_images["peak_bytes"] > few["peak_bytes"]
    assert more_images["phases"]["distilling"] > few["phases"]["distilling"]
    assert more_steps["phases"]["distilling"] > few["phases"]["distilling"]
    assert more_steps["phases"]["teaching"] == few["phases"]["teaching"]
    assert wider.json()["status"] == "queued"


def test_far_larger_sets_than_were_measured_are_measured_anew(portal, measured):
    dataset_id = portal.ready_dataset()
    measured(covers_images=8)
    assert ask(portal, dataset_id, images_per_class=4).status_code == 200
    assert ask(portal, dataset_id, images_per_class=5).status_code == 202


@pytest.mark.parametrize(
    ("age", "share", "status"),
    [
        (timedelta(days=29), 0.9, 200),
        (timedelta(days=31), 0.9, 202),
        (timedelta(minutes=10), 0.1, 200),
        (timedelta(hours=1), 0.1, 202),
    ],
)
def test_a_measurement_is_used_for_a_month_and_briefly_if_others_disturbed_it(
    portal, measured, age, share, status
):
    dataset_id = portal.ready_dataset()
    measured(cpu_share=share)
    with portal.database.transaction() as session:
        session.query(Measurement).one().created_at = utc_now() - age

    reply = ask(portal, dataset_id)

    assert reply.status_code == status
    if status == 200:
        assert ("other work" in reply.json()["estimate"]["basis"]) == (share < 0.4)


def test_settings_that_do_not_fit_are_refused_with_those_that_would(portal, measured):
    dataset_id = portal.ready_dataset()
    measured(memory_bytes=2 * 10**9)

    reply = ask(portal, dataset_id, images_per_class=20)

    forecast = reply.json()
    problem = forecast["problem"]
    assert (reply.status_code, forecast["status"]) == (200, "failed")
    assert problem["type"].endswith(":does-not-fit")
    # 1.9 of the 2 GB may be used: 15 images of 100 MB beside 400 MB, 7 of each class.
    assert problem["fits"] == {"images_per_class": 7, "micro_batch_size": 14}
    assert "7 images per class" in problem["detail"]
    assert problem["needed_bytes"] > problem["memory_bytes"] == 2 * 10**9
    assert ask(portal, dataset_id, images_per_class=7).json()["status"] == "ready"


def test_what_fits_on_no_living_worker_is_not_started(portal, measured, add_worker):
    dataset_id = portal.ready_dataset()
    measured(memory_bytes=2 * 10**9)
    path = f"/datasets/{dataset_id}/distillations"
    asked = {"preset": "cpu_demo", "images_per_class": 20}
    needed = ask(portal, dataset_id, images_per_class=20).json()["problem"]["needed_bytes"]
    add_worker(pid=1, queues=["gpu"], memory_bytes=needed - 1)
    add_worker(pid=2, queues=["cpu"], memory_bytes=needed)

    refused = portal.steward.post(path, json=asked)

    assert (refused.status_code, code(refused)) == (422, "does-not-fit")
    assert "7 images per class" in refused.json()["detail"]
    assert portal.steward.get("/distillations").json()["items"] == []
    add_worker(pid=3, queues=["gpu"], memory_bytes=needed)
    assert portal.steward.post(path, json=asked).status_code == 202


def test_a_gpu_that_lacks_memory_computes_in_parts(portal, measured):
    dataset_id = portal.ready_dataset()
    measured(memory_bytes=2 * 10**9, kind="cuda", cpu_share=None)
    forecast = ask(portal, dataset_id, images_per_class=20).json()
    assert (forecast["status"], forecast["estimate"]["in_parts"]) == ("ready", True)


def test_nothing_is_foreseen_that_could_not_be_started(portal):
    dataset_id = portal.ready_dataset()
    assert code(ask(portal, dataset_id, preset="none")) == "unknown-preset"
    assert code(ask(portal, dataset_id, overrides={"iterations": 0})) == "invalid-settings"
    assert code(ask(portal, dataset_id, images_per_class=999)) == "class-too-small"
    assert code(ask(portal, portal.new_dataset())) == "dataset-not-ready"


def test_the_same_question_is_not_asked_of_workers_twice(portal, broker):
    dataset_id = portal.ready_dataset()
    broker.lose_messages()

    first, second = ask(portal, dataset_id), ask(portal, dataset_id)

    assert first.json()["id"] == second.json()["id"]
    assert len(broker.messages()) == 1
    other = ask(portal, dataset_id, overrides={"width": 17}).json()
    assert other["waiting"]["ahead"] == 1
    assert "measured before this one" in other["waiting"]["text"]


def test_an_organisation_cannot_fill_the_workers_with_questions(portal):
    dataset_id = portal.ready_dataset()
    for width in range(20, 20 + MOST_WAITING):
        assert ask(portal, dataset_id, overrides={"width": width}).status_code == 202

    reply = ask(portal, dataset_id, overrides={"width": 100})

    assert (reply.status_code, code(reply)) == (409, "quota-exceeded")


def test_while_workers_compute_the_answer_says_so(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    with portal.database.transaction() as session:
        row = session.get_one(Distillation, distillation_id)
        row.lease_owner, row.lease_expires_at = "worker", utc_now() + timedelta(minutes=1)

    waiting = ask(portal, row.dataset_id).json()["waiting"]

    assert waiting["computing"] == 1
    assert "busy with 1 computation" in waiting["text"]


def finished(portal, dataset_id, told, factor):
    """A distillation that took so many times what was told; its row as a worker leaves it."""
    reply = portal.researcher.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
    )
    assert reply.json()["forecast_id"] == told["id"]
    measured = told["estimate"]["measured_seconds"]
    with portal.database.transaction() as session:
        row = session.get_one(Distillation, reply.json()["id"])
        row.status, row.finished_at = DistillationStatus.READY, utc_now()
        row.timings = {"teaching": 1.0, "distilling": measured * factor - 1.0, "auditing": 5.0}
    return row.id


def test_a_distillation_is_set_beside_what_was_told_of_it(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    told = ask(portal, dataset_id).json()
    assert told["followed"] is None

    distillation_id = finished(portal, dataset_id, told, 1.5)

    followed = portal.researcher.get(f"/forecasts/{told['id']}").json()["followed"]
    assert followed["distillation_id"] == distillation_id
    assert followed["seconds"] == pytest.approx(1.5 * told["estimate"]["seconds"])
    earlier = ask(portal, dataset_id).json()["estimate"]["earlier"]
    assert earlier["distillations"] == 1
    assert earlier["typical_error"] == pytest.approx(0.5)


def test_three_that_took_longer_correct_the_next(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    first = ask(portal, dataset_id).json()
    for factor in (1.4, 1.5, 1.8):
        finished(portal, dataset_id, first, factor)

    estimate = ask(portal, dataset_id).json()["estimate"]

    before = first["estimate"]["seconds"]
    assert estimate["measured_seconds"] == pytest.approx(before)
    assert estimate["seconds"] == pytest.approx(1.5 * before)
    assert estimate["low_seconds"] == pytest.approx(0.9 * 1.5 * before)
    assert estimate["high_seconds"] == pytest.approx(1.8 * before)
    assert "3 earlier distillations on this device" in estimate["basis"]


def test_other_settings_follow_no_forecast(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    ask(portal, dataset_id)
    reply = portal.researcher.post(
        f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo", "seed": 1}
    )
    assert reply.json()["forecast_id"] is None


def test_teachers_that_are_recorded_are_not_counted_again(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    config: Config = PRESETS["cpu_demo"]()
    with portal.database.transaction() as session:
        session.add(
            TrajectorySet(
                dataset_id=dataset_id,
                teacher_key=config.teacher_key(),
                config=config.to_dict(),
                teachers=config.teacher.teachers,
                status="ready",
            )
        )

    same = ask(portal, dataset_id, images_per_class=4).json()["estimate"]
    other = ask(portal, dataset_id, seed=1).json()["estimate"]

    assert (same["teachers_are_there"], same["phases"]["teaching"]) == (True, 0)
    assert other["teachers_are_there"] is False
    assert other["phases"]["teaching"] > 0


def test_forecasts_that_led_to_nothing_are_forgotten_after_a_day(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    unused = ask(portal, dataset_id, seed=1).json()
    used = ask(portal, dataset_id).json()
    finished(portal, dataset_id, used, 1.0)
    with portal.database.transaction() as session:
        for row in session.query(Forecast):
            row.created_at = utc_now() - timedelta(days=2)

    ask(portal, dataset_id, seed=2)

    assert portal.researcher.get(f"/forecasts/{unused['id']}").status_code == 404
    assert portal.researcher.get(f"/forecasts/{used['id']}").status_code == 200


def test_another_organisation_sees_no_forecast(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    forecast_id = ask(portal, dataset_id).json()["id"]
    assert portal.stranger.get(f"/forecasts/{forecast_id}").status_code == 404
    reply = portal.stranger.post(f"/datasets/{dataset_id}/forecasts", json={"preset": "cpu_demo"})
    assert reply.status_code == 404


def test_the_same_request_sent_again_makes_one_forecast(portal, measured):
    dataset_id = portal.ready_dataset()
    measured()
    replies = [
        portal.researcher.post(
            f"/datasets/{dataset_id}/forecasts",
            json={"preset": "cpu_demo"},
            headers={"Idempotency-Key": "f-1"},
        )
        for _ in range(2)
    ]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert replies[0].json() == replies[1].json()
