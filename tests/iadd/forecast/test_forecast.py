"""A forecast measures a few steps and tells what the whole job takes."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from typer.testing import CliRunner

from iadd.cli import app
from iadd.cli.forecast import duration
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.forecast.arithmetic import TimingFit
from iadd.forecast.forecast import forecast
from iadd.forecast.timing import fit_timing
from iadd.runtime.peak_memory import MemoryWatch
from iadd.trajectories.record import record_trajectories


@pytest.fixture(autouse=True)
def _measured_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iadd.forecast.timing._BUDGET", 0.03)


TINY = [
    "--set", "width=4", "--set", "depth=2", "--set", "image_size=16", "--set", "teachers=2",
    "--set", "evaluation_networks=1", "--set", "evaluation_epochs=5", "--set", "iterations=5",
]  # fmt: skip


def test_each_phase_takes_time_and_the_job_their_sum(config: Config) -> None:
    found = forecast(100, 2, config)
    assert found.teaching > 0
    assert found.distilling > 0
    assert found.validating > 0
    assert found.evaluating > 0
    assert found.full_evaluating > 0
    assert found.seconds == pytest.approx(sum(found.phases.values()))
    assert found.to_dict()["seconds"] == found.seconds


def test_what_was_measured_is_multiplied_by_how_much_there_is(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_seconds_a_unit(run: Callable[[int], object]) -> TimingFit:
        run(1)
        return TimingFit(fixed=0.5, each=2.0)

    monkeypatch.setattr("iadd.forecast.device_benchmark.fit_timing", two_seconds_a_unit)
    found = forecast(640, 2, config.override({"iterations": 1000}), test_images=0)
    # 64 of the 640 images were shown, to one network at a time; an iteration has 3 steps.
    assert found.teaching == 2 * (0.5 + 2.0 * 4 * 10)
    assert found.distilling == pytest.approx(2.0 * 1000)
    assert found.full_evaluating == 2 * 2.0 * 2 * 10
    # Two networks each on the distilled images, their start and the random images, and for the
    # last two a trial for either rate.
    choosing = 4 * (640 / 9) * (2.0 / 64 / 3)
    assert found.evaluating == pytest.approx((3 * 2 + 4) * (0.5 + 2.0 * 4) + choosing, rel=0.01)


def test_other_networks_are_measured_and_multiplied(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forecast(40, 2, config).cross_evaluating == 0
    config = config.override({"cross_networks": ["resnet18"], "images_per_class": 5})
    assert forecast(40, 2, config).cross_evaluating > 0

    def two_seconds_a_unit(run: Callable[[int], object]) -> TimingFit:
        run(1)
        return TimingFit(fixed=0.5, each=2.0)

    monkeypatch.setattr("iadd.forecast.device_benchmark.fit_timing", two_seconds_a_unit)
    # An epoch of but one of the ten images is shown.
    monkeypatch.setattr("iadd.forecast.device_benchmark._CROSS_FLOPS", {"cpu": 1.0})
    found = forecast(640, 2, config, test_images=300, validation_images=60)
    # Two networks on either kind of set, and five trials: two rates, of α and without.
    asking = (2 * 2 * 300 + 5 * 60) * 2.0 / 3
    assert found.cross_evaluating == pytest.approx((2 * 2 + 5) * (0.5 + 20.0 * 4) + asking)


def test_without_validation_there_is_nothing_to_wait_for(config: Config) -> None:
    assert forecast(50, 2, config.override({"validate_every": 0})).validating == 0


def test_compilation_costs_what_it_saves_and_more_only_when_chosen(config: Config) -> None:
    eager = forecast(50, 2, config.override({"compilation": "never"}))
    assert eager.compiling == 0
    assert "eagerly" in eager.compilation


def test_the_disk_is_that_of_the_files(config: Config, images: ImageSet, tmp_path) -> None:  # type: ignore[no-untyped-def]
    foreseen = forecast(32, 2, config).disk_bytes
    buffer = record_trajectories(images, config, out=tmp_path)
    written = sum(path.stat().st_size for path in buffer.paths)
    written += len(distill(images, buffer, config).to_bytes())
    assert written < foreseen < 3 * written


def test_the_global_generator_is_left_alone(config: Config) -> None:
    state = torch.random.get_rng_state()
    forecast(20, 2, config)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_job_without_images_is_refused(config: Config) -> None:
    with pytest.raises(ValueError, match="at least one class"):
        forecast(1, 2, config)


def test_a_fit_tells_units_from_what_every_call_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def run(units: int) -> None:
        nonlocal clock
        clock += 0.02 + 0.01 * units

    # A sleep takes as long as a busy machine lets it.
    monkeypatch.setattr("iadd.forecast.timing.time.perf_counter", lambda: clock)

    fit = fit_timing(run)

    assert fit.each == pytest.approx(0.01)
    assert fit.fixed == pytest.approx(0.02)
    assert fit.seconds(10, calls=2) == pytest.approx(2 * fit.fixed + 10 * fit.each)


PEAK_OF_A_BLOCK = """
import time, torch
from iadd.runtime.peak_memory import MemoryWatch

with MemoryWatch("cpu") as watch:
    block = torch.ones(50_000_000)
    time.sleep(0.05)
    del block
print(watch.peak - watch.before)
"""


def test_a_slow_first_call_is_not_taken_for_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    def run(units: int) -> None:
        nonlocal clock
        warm_up = 4.0 if clock == 0.0 else 0.0
        clock += warm_up + 0.1 * units

    monkeypatch.setattr("iadd.forecast.timing.time.perf_counter", lambda: clock)

    assert fit_timing(run).each == pytest.approx(0.1)


@pytest.mark.slow
def test_the_peak_is_seen_though_the_memory_is_given_back() -> None:
    # In a process of its own: this one may keep freed memory and have some to spare.
    command = [sys.executable, "-c", PEAK_OF_A_BLOCK]
    finished = subprocess.run(command, check=True, capture_output=True)
    assert 150e6 < int(finished.stdout) < 400e6


@pytest.mark.gpu
def test_on_a_gpu_the_peak_is_what_tensors_held() -> None:
    with MemoryWatch("cuda") as watch:
        torch.ones(25_000_000, device="cuda")
    assert watch.peak >= 100e6


def test_the_command_says_it_in_a_sentence() -> None:
    result = CliRunner().invoke(
        app, ["forecast", "--images", "60", "--device", "cpu", "--preset", "cpu_demo", *TINY]
    )
    assert result.exit_code == 0, result.output
    assert "About" in result.output
    assert "on disk" in " ".join(result.output.split())


def test_the_command_wants_images_or_their_number() -> None:
    result = CliRunner().invoke(app, ["forecast", "--device", "cpu"])
    assert result.exit_code == 1
    assert "--images" in result.output


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "under 1 s"), (90, "90 s"), (600, "10.0 min"), (9000, "2.5 h"), (2e6, "23.1 days")],
)
def test_durations_are_said_in_a_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said
