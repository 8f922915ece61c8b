"""The portal's multiplication is the library's, and measured once it answers for any number."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import iadd.forecast.forecast as library
from app.distillations.presets import get_preset
from app.distillations.service import settings_hash
from app.forecasts.arithmetic import Job, disk_bytes, peak_bytes, seconds
from app.forecasts.keys import COUNTED, pace_key
from app.forecasts.paces import Paces
from iadd.forecast.timing import Pace
from iadd.presets import PRESETS
from iadd.runtime.compile import (
    SECONDS_TO_COMPILE,
    can_compile,
    saved_per_flop,
    saved_per_step,
)
from iadd.training.cost_model import forward_flops

COUNTS = {
    "COVID": {"train": 70, "validation": 8, "test": 20},
    "Normal": {"train": 410, "validation": 45, "test": 110},
}
MEASURED_BYTES = 900_000_000


def paces_of(settings: dict[str, Any], **changes: Any) -> Paces:
    """A device on which a student step takes 10 ms and a millisecond for each image."""
    network = PRESETS["cpu_demo"]().override(settings).network
    points = [
        {
            "batch": images,
            "images": images,
            "step": 0.01 + 0.001 * images,
            "epoch": 0.02 + 0.002 * images,
            "epoch_fixed": 0.3,
            "peak_bytes": MEASURED_BYTES,
        }
        for images in (2, 8)
    ]
    return Paces.of(
        {
            "device": "a CPU",
            "kind": "cpu",
            "memory_bytes": 8 * 10**9,
            "shown": 64,
            "teaching": {"fixed": 0.1, "each": 0.7},
            "full": {"fixed": 0.2, "each": 0.9},
            "teachers_at_once": 1,
            "points": points,
            "covers_images": 16,
            "steps": settings["syn_steps"],
            "base_bytes": 0,
            "parameters": 10_180,
            "channels": 1,
            "forward_operations": forward_flops(
                network, channels=1, classes=2, image_size=settings["image_size"]
            ),
            "compilation": {
                "possible": can_compile("cpu"),
                "seconds": SECONDS_TO_COMPILE,
                "saved_per_step": saved_per_step("cpu"),
                "saved_per_operation": saved_per_flop("cpu"),
            },
            "cpu_share": 0.9,
            "across": {
                name: [{"images": n, "each": 0.1 + 0.05 * n, "fixed": 0.4} for n in (2, 8)]
                for name in settings["cross_networks"]
            },
            **changes,
        }
    )


def foreseen_by_library(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> library.Forecast:
    config = PRESETS["cpu_demo"]().override(settings)
    images = 2 * settings["images_per_class"]
    size = settings["image_size"]
    measured = library.Paces(
        teaching=Pace(0.1, 0.7),
        step=Pace(0.0, 0.01 + 0.001 * images),
        small=Pace(0.3, 0.02 + 0.002 * images),
        full=Pace(0.2, 0.9),
        shown=64,
        teachers=1,
        steps=settings["syn_steps"],
        parameters=10_180,
        distilled=SimpleNamespace(images=torch.empty(images, 1, size, size)),  # type: ignore[arg-type]
        across={
            name: library.CrossPace(images=images, each=0.1 + 0.05 * images, fixed=0.4)
            for name in settings["cross_networks"]
        },
    )

    class Watch:
        peak = MEASURED_BYTES

        def __init__(self, device: object) -> None: ...

        def __enter__(self) -> "Watch":
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(library.Sample, "measure", lambda self: measured)
    monkeypatch.setattr(library, "MemoryWatch", Watch)
    job = Job(settings, COUNTS)
    return library.forecast(
        job.images("train"),
        2,
        config,
        images_per_epoch=job.per_epoch,
        validation_images=job.images("validation"),
        test_images=job.images("test"),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"images_per_class": 6},
        {"iterations": 700, "validate_every": 40, "compilation": "never"},
        {"iterations": 20_000, "teachers": 40, "teacher_sampling": "all"},
        {"compilation": "always", "teacher_flatness": 0.1},
        {"validate_every": 0, "evaluation_networks": 2, "baseline_lrs": [0.01]},
        {"cross_networks": ["resnet18"], "images_per_class": 6},
        {"cross_networks": ["vgg11", "alexnet"], "evaluation_networks": 2},
    ],
)
def test_it_foresees_what_the_library_foresees(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    settings = {**get_preset("cpu_demo").settings({}, {}), **changes}
    theirs = foreseen_by_library(monkeypatch, settings)
    paces, job = paces_of(settings), Job(settings, COUNTS)

    ours = seconds(paces, job)

    assert ours.total == pytest.approx(theirs.seconds)
    evaluating = theirs.evaluating + theirs.full_evaluating + theirs.cross_evaluating
    assert ours.evaluating == pytest.approx(evaluating)
    assert peak_bytes(paces, job) == theirs.peak_bytes
    assert disk_bytes(paces, job) == theirs.disk_bytes


def test_a_network_that_was_measured_on_a_part_takes_longer_for_the_whole() -> None:
    settings = {**get_preset("cpu_demo").settings({}, {}), "cross_networks": ["vgg11"]}
    part = {"vgg11": [{"images": 2, "each": 3.0, "fixed": 0.4}]}
    assert paces_of(settings, across=part).epoch_across("vgg11", 10).each == 15.0


def test_teachers_that_are_there_take_no_time() -> None:
    settings = get_preset("cpu_demo").settings({}, {})
    paces, job = paces_of(settings), Job(settings, COUNTS)

    anew, again = seconds(paces, job), seconds(paces, job, teachers_are_there=True)

    assert again.teaching == 0
    assert (again.distilling, again.evaluating) == (anew.distilling, anew.evaluating)


def test_more_images_never_take_less_whatever_the_clock_said() -> None:
    settings = get_preset("cpu_demo").settings({}, {})
    points = [point.model_dump() for point in paces_of(settings).points]
    points[0]["step"] = 2 * points[1]["step"]
    odd = paces_of(settings, points=points)

    steps = [odd.step(batch) for batch in (1, 2, 8, 16)]

    assert steps == sorted(steps)
    assert steps[0] > 0


def test_what_only_says_how_often_needs_no_other_measurement() -> None:
    settings = get_preset("cpu_small").settings({}, {})
    key = pace_key(settings, channels=1)

    for name in ("images_per_class", "iterations", "seed", "teacher_epochs", "full_epochs"):
        assert pace_key({**settings, name: settings[name] + 1}, channels=1) == key
    for name in ("width", "depth", "syn_steps", "teacher_batch_size", "micro_batch_size"):
        assert pace_key({**settings, name: settings[name] + 1}, channels=1) != key
    assert pace_key({**settings, "precision": "bfloat16"}, channels=1) != key
    assert pace_key({**settings, "cross_networks": ["vgg11"]}, channels=1) != key
    assert pace_key(settings, channels=3) != key


def test_every_setting_that_is_left_out_of_the_measurement_exists() -> None:
    assert set(get_preset("cpu_demo").defaults) >= COUNTED


def test_a_forecast_is_of_all_settings() -> None:
    settings = get_preset("cpu_small").settings({}, {})
    digests = {settings_hash("cpu_small", {**settings, "seed": seed}) for seed in (0, 1)}
    digests.add(settings_hash("cpu_demo", settings))
    assert len(digests) == 3
