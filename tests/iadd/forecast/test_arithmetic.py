"""What a device benchmark says of a job: seconds, memory and disk."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from iadd.config import Config
from iadd.counts import SHARE_BY_HAND, kept_bytes
from iadd.forecast.arithmetic import (
    PRIVATE_TIMES,
    DeviceBenchmark,
    Job,
    SetTiming,
    disk_bytes,
    figure_seconds,
    forecast_job,
    peak_bytes,
)
from iadd.forecast.nominal import nominal_benchmark
from iadd.presets import cpu_demo, cpu_dp
from iadd.runtime.compile import (
    SECONDS_TO_COMPILE,
    can_compile,
    choose_compilation,
    saved_per_flop,
    saved_per_step,
)
from iadd.training.cost_model import forward_flops, matching_saving
from iadd.trajectories.teacher_step import choose_teaching_compilation

COUNTS = {
    "COVID": {"train": 70, "validation": 8, "test": 20},
    "Normal": {"train": 410, "validation": 45, "test": 110},
}
STORED: dict[str, Any] = {
    "device": "Intel(R) Xeon(R) Processor @ 2.80GHz, 1 thread",
    "kind": "cpu",
    "memory_bytes": 25276059648,
    "shown": 64,
    "teaching": {"fixed": 0.027, "each": 0.043},
    "full": {"fixed": 0.005, "each": 0.0428},
    "teachers_at_once": 1,
    "points": [
        {
            "batch": 2,
            "images": 2,
            "step": 0.0145,
            "epoch": 0.0049,
            "epoch_fixed": 0.0092,
            "peak_bytes": 856334336,
        },
        {
            "batch": 3,
            "images": 4,
            "step": 0.0133,
            "epoch": 0.0048,
            "epoch_fixed": 0.0096,
            "peak_bytes": 856416256,
        },
    ],
    "across": {"resnet18": [{"images": 2, "each": 0.05, "fixed": 0.01}]},
    "covers_images": 8,
    "steps": 3,
    "base_bytes": 856375296,
    "parameters": 334,
    "channels": 1,
    "forward_operations": 37120,
    "compilation": {
        "possible": True,
        "seconds": 80.0,
        "saved_per_step": 0.008,
        "saved_per_operation": 2.5e-12,
    },
    "cpu_share": 0.918,
}
"""As version 0.1.0 stored it."""

AS_IT_WAS = cpu_demo().override(
    {
        "warm_start_share": 0.0,
        "iterations": 30,
        "validate_every": 15,
        "baseline_lrs": [0.003, 0.01, 0.03],
    }
)
"""The demonstration of version 0.1.0, whose times were written down."""


def benchmark_of(config: Config, **changes: Any) -> DeviceBenchmark:
    """A device on which a student step takes 10 ms and a millisecond for each image."""
    points = [
        {
            "batch": images,
            "images": images,
            "step": 0.01 + 0.001 * images,
            "epoch": 0.02 + 0.002 * images,
            "epoch_fixed": 0.3,
            "peak_bytes": 900_000_000,
        }
        for images in (2, 8)
    ]
    document = STORED | {
        "teaching": {"fixed": 0.1, "each": 0.7},
        "full": {"fixed": 0.2, "each": 0.9},
        "points": points,
        "across": {
            name: [{"images": n, "each": 0.1 + 0.05 * n, "fixed": 0.4} for n in (2, 8)]
            for name in config.other_networks()
        },
        "steps": config.distillation.syn_steps,
        "base_bytes": 0,
        "parameters": 10_180,
        "forward_operations": 6_000_000,
    }
    return DeviceBenchmark.from_dict(document | changes)


def job_of(**changes: Any) -> Job:
    return Job.of(AS_IT_WAS.override(changes), COUNTS)


def test_a_stored_document_is_read_and_written_as_it_was() -> None:
    read = DeviceBenchmark.from_dict(STORED)
    assert json.loads(json.dumps(asdict(read))) == STORED
    without = {name: value for name, value in STORED.items() if name != "across"}
    assert DeviceBenchmark.from_dict(without) == replace(read, across={})


@pytest.mark.parametrize(
    ("changes", "seconds", "disk"),
    [
        ({}, (24.7, 24.290625, 465.23125), 2059344),
        ({"images_per_class": 6}, (24.7, 36.290625, 490.83125), 4467792),
        (
            {"iterations": 700, "validate_every": 40, "compilation": "never"},
            (24.7, 225.240625, 465.23125),
            2059344,
        ),
        (
            {"validate_every": 0, "evaluation_networks": 2, "baseline_lrs": [0.01]},
            (24.7, 4.2, 184.753125),
            2059344,
        ),
        (
            {"cross_networks": ["resnet18"], "images_per_class": 6},
            (24.7, 36.290625, 1928.425694),
            4467792,
        ),
        (
            {"cross_networks": ["vgg11", "alexnet"], "evaluation_networks": 2},
            (24.7, 24.290625, 1355.646875),
            2059344,
        ),
    ],
)
def test_an_eager_job_takes_what_version_0_1_0_said(
    changes: dict[str, Any], seconds: tuple[float, ...], disk: int
) -> None:
    job = job_of(**changes)
    benchmark = benchmark_of(job.config)
    found = forecast_job(benchmark, job).statuses
    assert list(found) == ["teaching", "distilling", "evaluating"]
    # Since then the start is evaluated too.
    start = figure_seconds(benchmark, job)["", "start"]
    assert tuple(found.values()) == pytest.approx((*seconds[:2], seconds[2] + start))
    assert peak_bytes(benchmark, job) == 907_513_856
    assert disk_bytes(benchmark, job) == disk


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 20_000, "teachers": 40, "teacher_sampling": "all"},
        {"compilation": "always", "teacher_flatness": 0.1},
    ],
)
def test_compiled_steps_of_a_convnet_take_less_time_and_keep_what_they_computed(
    changes: dict[str, Any],
) -> None:
    job, eager = job_of(**changes), job_of(**{**changes, "compilation": "never"})
    benchmark = benchmark_of(job.config)
    found, without = (forecast_job(benchmark, one) for one in (job, eager))
    each = kept_bytes(job.config, channels=1, classes=2) * 4

    assert found.distilling == pytest.approx(SHARE_BY_HAND * without.distilling)
    assert found.compiling > without.compiling == 0
    assert found.peak_bytes == without.peak_bytes + job.config.distillation.syn_steps * each
    without_room = replace(job, config=job.config.override({"activation_megabytes": 0}))
    assert peak_bytes(benchmark, without_room) == without.peak_bytes


def test_repetitions_for_an_audit_multiply_teachers_distilling_and_students() -> None:
    alone = forecast_job(benchmark_of(job_of().config), job_of())
    audited = job_of(audit_calibration_runs=3, audit_test_runs=5, audit_students=2)
    found = forecast_job(benchmark_of(audited.config), audited)
    more = job_of(audit_calibration_runs=3, audit_test_runs=5, audit_students=4)
    students = forecast_job(benchmark_of(more.config), more).auditing - found.auditing

    assert alone.auditing == 0
    assert found.auditing == pytest.approx(8 * (found.teaching + found.distilling) + students)
    assert found.statuses["auditing"] == found.auditing
    assert found.seconds == pytest.approx(alone.seconds + found.auditing)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iterations": 20_000, "teachers": 400, "teacher_sampling": "all"},
        {"compilation": "always", "teacher_flatness": 0.1},
        {"compilation": "never", "iterations": 20_000},
    ],
)
def test_what_is_compiled_is_what_the_job_will_compile(changes: dict[str, Any]) -> None:
    job = job_of(**changes)
    benchmark = benchmark_of(
        job.config,
        compilation={
            "possible": can_compile("cpu"),
            "seconds": SECONDS_TO_COMPILE,
            "saved_per_step": saved_per_step("cpu"),
            "saved_per_operation": saved_per_flop("cpu"),
        },
        forward_operations=forward_flops(
            job.config.network, channels=1, classes=2, image_size=job.config.image_size
        ),
    )
    found = forecast_job(benchmark, job)
    saved = matching_saving(job.config, "cpu", channels=1, classes=2)
    matching = choose_compilation(job.config, saved, "cpu")
    teaching = choose_teaching_compilation(
        job.config, "cpu", channels=1, classes=2, images=job.per_epoch
    )
    assert (found.compiling > found.compiling_teachers) == matching.compiled
    assert (found.compiling_teachers > 0) == teaching.compiled


def test_a_network_that_was_measured_on_a_part_takes_longer_for_the_whole() -> None:
    part = {"vgg11": [{"images": 2, "each": 3.0, "fixed": 0.4}]}
    assert benchmark_of(AS_IT_WAS, across=part).epoch_across("vgg11", 10).each == 15.0


def test_more_images_never_take_less_whatever_the_clock_said() -> None:
    benchmark = benchmark_of(AS_IT_WAS)
    small, large = benchmark.points
    odd = replace(benchmark, points=(replace(small, step=2 * large.step), large))

    steps = [odd.step(batch) for batch in (1, 2, 8, 16)]

    assert steps == sorted(steps)
    assert steps[0] > 0


def test_more_vectors_and_images_take_more_memory() -> None:
    job = job_of()
    benchmark = benchmark_of(job.config)
    longer = job_of(syn_steps=job.config.distillation.syn_steps + 2)
    assert peak_bytes(benchmark, longer) - peak_bytes(benchmark, job) == 2 * 4 * 10_180
    more = replace(job, train=job.train + 3)
    assert peak_bytes(benchmark, more) - peak_bytes(benchmark, job) == 3 * 112 * 112


def test_a_nominal_device_takes_a_second_for_an_image_pass() -> None:
    job = job_of(images_per_class=5, cross_networks=["resnet18"], teacher_flatness=0.1)
    benchmark = nominal_benchmark(job.config)
    seconds = forecast_job(benchmark, job)
    assert benchmark.points[0] == SetTiming(
        batch=1, images=1, step=4.0, epoch=1, epoch_fixed=0.0, peak_bytes=0
    )
    # Two gradients in each step of a teacher; 11 convolutions, so 4 passes, in a student's.
    assert seconds.teaching == 2 * 8 * 140 * 2
    assert seconds.distilling == 30 * 10 * 10 * 4
    assert seconds.compiling == 0
    figures = figure_seconds(benchmark, job)
    assert list(figures) == [
        ("", "distilled"),
        ("", "start"),
        ("", "random"),
        ("", "full"),
        ("resnet18", "distilled"),
        ("resnet18", "random"),
    ]
    # Predicting an image is a third of an image pass.
    assert figures["", "full"] == pytest.approx(5 * (480 * 12 + 130 / 3))


def test_a_private_job_has_slower_teachers_canaries_and_one_score_more() -> None:
    private = cpu_dp().override({"canaries": 0})
    plain = private.override({"privacy": "audited"})
    benchmark = nominal_benchmark(private)
    one, other = (forecast_job(benchmark, Job.of(config, COUNTS)) for config in (private, plain))
    assert one.teaching == pytest.approx(PRIVATE_TIMES * other.teaching)
    scores = figure_seconds(benchmark, Job.of(private, COUNTS))
    assert one.evaluating == pytest.approx(other.evaluating + scores["", "distilled"])
    watched = forecast_job(benchmark, Job.of(private.override({"canaries": 100}), COUNTS))
    epochs = private.teacher.teacher_epochs * private.teacher.teachers
    assert watched.teaching == pytest.approx(
        one.teaching + benchmark.teaching.seconds(100 * epochs / benchmark.shown)
    )
