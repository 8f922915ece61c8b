"""Steps of a kind of job, measured once for any number of them."""

import io
import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch

from iadd.config import Config
from iadd.forecast.arithmetic import DeviceBenchmark
from iadd.forecast.device_benchmark import Sample, benchmark_device, device_memory, device_name
from iadd.trajectories.record import TrajectoryBuffer


@pytest.fixture(autouse=True)
def _measured_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iadd.forecast.timing._BUDGET", 0.03)


def test_a_step_is_measured_at_two_sizes_of_the_distilled_set(config: Config) -> None:
    found = benchmark_device(
        config.override({"images_per_class": 8, "syn_batch_size": 0}), classes=2
    )

    assert [(point.batch, point.images) for point in found.points] == [(4, 4), (16, 16)]
    for point in found.points:
        assert min(point.step, point.epoch, point.peak_bytes) > 0
    assert found.teaching.each > 0
    assert found.full.each > 0
    assert found.covers_images == 32
    assert found.steps == config.distillation.syn_steps
    assert found.memory_bytes > found.base_bytes > 0
    assert DeviceBenchmark.from_dict(json.loads(json.dumps(asdict(found)))) == found


def test_the_number_of_images_of_a_job_makes_no_difference(config: Config) -> None:
    one = benchmark_device(config, classes=2)
    assert one.shown >= config.teacher.teacher_batch_size
    assert one.kind == "cpu"
    assert one.cpu_share is not None
    assert one.cpu_share > 0


def test_steps_that_take_very_long_are_measured_smaller(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iadd.forecast.device_benchmark._STEP_FLOPS", {"cpu": 1.0})
    found = benchmark_device(config.override({"images_per_class": 50}), classes=2)
    assert [point.images for point in found.points] == [2, 4]
    assert found.covers_images > 10**9


def test_other_networks_are_measured_at_both_sizes(config: Config) -> None:
    eight = config.override({"images_per_class": 8, "cross_networks": ["convnet", "alexnet"]})
    found = benchmark_device(eight, classes=2)
    assert list(found.across) == ["alexnet"]
    assert [timing.images for timing in found.across["alexnet"]] == [4, 16]
    assert min(timing.each for timing in found.across["alexnet"]) > 0


def test_a_larger_network_is_measured_on_a_part_of_the_set(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iadd.forecast.device_benchmark._CROSS_FLOPS", {"cpu": 1.0})
    eight = config.override({"images_per_class": 8, "cross_networks": ["alexnet"]})
    (timing,) = benchmark_device(eight, classes=2).across["alexnet"]
    assert timing.images == 1
    assert timing.each > 0


def test_the_device_says_its_name_and_memory() -> None:
    cpu = torch.device("cpu")
    assert device_name(cpu).endswith(("thread", "threads"))
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < device_memory(cpu) <= physical


def request(config: Config) -> bytes:
    document = {
        "settings": config.to_dict(),
        "classes": 2,
        "channels": 1,
        "device": "cpu",
        "threads": 1,
    }
    return json.dumps(document).encode() + b"\n"


COMMAND = [sys.executable, "-P", "-m", "iadd.forecast.device_benchmark"]


@pytest.mark.slow
def test_the_command_measures_and_writes_json(config: Config) -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request(config))
        process.stdin.flush()
        document = json.loads(process.stdout.read())
        assert process.wait() == 0

    assert set(document) == set(DeviceBenchmark.__dataclass_fields__)
    assert document["device"].endswith("1 thread")


def test_the_command_ends_with_whoever_asked(config: Config) -> None:
    """Nobody waits for an answer any more: the input is closed before it can be there."""
    long = config.override({"image_size": 112, "width": 128, "depth": 5, "images_per_class": 50})
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request(long))
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 1


def test_a_step_that_runs_out_of_memory_is_told_as_such(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from iadd.forecast import device_benchmark

    def no_memory(self: Sample, buffer: TrajectoryBuffer) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Sample, "time_matching", no_memory)
    monkeypatch.setattr("sys.stdin", io.StringIO(request(config).decode()))
    # It would end this process, as one whose caller is gone.
    monkeypatch.setattr(device_benchmark, "_end_with_caller", lambda: None)
    assert device_benchmark.main() == 0
    assert json.loads(capsys.readouterr().out) == {"error": "out_of_memory"}
