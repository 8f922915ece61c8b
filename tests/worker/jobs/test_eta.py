"""The time of a unit is measured; the proportions of the phases are counted."""

import pytest

from app.models import DistillationStatus
from iadd.forecast.arithmetic import Job, figure_seconds, forecast_job
from iadd.forecast.nominal import nominal_benchmark
from iadd.presets import cpu_small
from worker.jobs import progress
from worker.jobs.eta import RemainingTime
from worker.jobs.progress import ThroughputMeter

CONFIG = cpu_small().override(
    {
        "teachers": 2,
        "teacher_epochs": 10,
        "images_per_class": 5,
        "iterations": 100,
        "syn_steps": 10,
        "expert_epochs": 1,
        "max_start_epoch": 2,
        "syn_batch_size": 0,
        "validate_every": 0,
        "evaluation_networks": 5,
        "evaluation_epochs": 20,
        "baseline_lrs": [0.01],
        "validation_networks": 1,
        "full_epochs": 2,
        "cross_networks": [],
    }
)
CLASSES = {name: {"train": 100, "validation": 10, "test": 20} for name in ("a", "b")}


def test_work_is_counted_in_image_passes() -> None:
    seconds = forecast_job(nominal_benchmark(CONFIG), Job.of(CONFIG, CLASSES)).statuses
    # Predicting an image is a third of a pass: of 40 test images each, and of 20 in the trials.
    predicting = (20 * 40 + 2 * 20) / 3
    assert seconds == pytest.approx(
        {
            DistillationStatus.TEACHING: 2 * 10 * 200,
            DistillationStatus.DISTILLING: 100 * 10 * 10 * 4,
            DistillationStatus.EVALUATING: 5 * 10 * 20
            + 2 * (1 + 5) * 10 * 20
            + 5 * 200 * 2
            + predicting,
        }
    )


def test_what_comes_later_is_part_of_the_forecast() -> None:
    remaining = RemainingTime(DistillationStatus.TEACHING, CONFIG.to_dict(), CLASSES)
    # An epoch is 200 passes; 5 of 20 are left, then 40,000 and 5,400 passes, and predictions.
    assert remaining.seconds_left(seconds_per_unit=2.0, done=15, total=20) == pytest.approx(
        2.0 * 5 + 2.0 / 200 * (40_000 + 5_400 + 840 / 3), abs=0.1
    )


def test_other_networks_are_part_of_what_comes_later() -> None:
    across = CONFIG.override({"cross_networks": ["resnet18"]})
    plain, longer = (
        RemainingTime(DistillationStatus.DISTILLING, config.to_dict(), CLASSES).seconds_left(
            seconds_per_unit=1.0, done=0, total=100
        )
        for config in (CONFIG, across)
    )
    figures = figure_seconds(nominal_benchmark(across), Job.of(across, CLASSES))
    added = figures["resnet18", "distilled"] + figures["resnet18", "random"]
    assert added > 0
    assert longer - plain == pytest.approx(100 / 40_000 * added, abs=0.1)


def test_a_phase_of_its_own_is_forecast_alone() -> None:
    remaining = RemainingTime(DistillationStatus.AUDITING, CONFIG.to_dict(), CLASSES)
    assert remaining.seconds_left(seconds_per_unit=3.0, done=1, total=5) == 12.0


def test_a_first_unit_that_compiles_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    meter = ThroughputMeter()
    assert meter.seconds_per_unit(0) is None
    now += 75
    assert meter.seconds_per_unit(1) is None
    now += 2
    assert meter.seconds_per_unit(2) == 2
    now += 4
    assert meter.seconds_per_unit(3) == 3


def test_a_run_that_begins_anew_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    meter = ThroughputMeter()
    for done in (5, 6, 7):
        now += 10
        meter.seconds_per_unit(done)
    assert meter.seconds_per_unit(0) is None
    now += 1
    assert meter.seconds_per_unit(1) is None
    now += 1
    assert meter.seconds_per_unit(2) == 1
