"""Teachers trained together, in parts, and compiled: the same as one by one, whole and eager."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import iadd.trajectories.teacher_step
from iadd.config import AugmentationConfig, Config
from iadd.data.augmentation import AugmentationDraw, augment
from iadd.data.image_set import ImageSet
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.progress import Progress, ProgressListener
from iadd.trajectories.record import (
    TrajectoryBuffer,
    record_trajectories,
    record_trajectory,
    teachers_at_once,
    trajectory_path,
)
from iadd.trajectories.teacher_step import TeacherStep
from iadd.trajectories.teacher_trainer import Teachers


class StopHereError(Exception):
    """Raised from a progress listener, as a killed or cancelled run would stop."""


def stop_after(done: int) -> ProgressListener:
    def listen(progress: Progress) -> None:
        if progress.done == done:
            raise StopHereError

    return listen


@pytest.fixture
def grouped(config: Config) -> Config:
    return config.override({"teachers": 3, "networks_at_once": 3})


def last(buffer: TrajectoryBuffer, teacher: int) -> Tensor:
    return buffer.snapshot(teacher, buffer.epochs)


@pytest.mark.parametrize("settings", [{}, {"teacher_flatness": 0.05}, {"teacher_momentum": 0.0}])
def test_teachers_trained_together_are_those_trained_alone(
    images: ImageSet, grouped: Config, tmp_path: Path, settings: dict[str, float]
) -> None:
    grouped = grouped.override(settings)
    together = record_trajectories(images, grouped, out=tmp_path / "together")
    alone = record_trajectories(
        images, grouped.override({"networks_at_once": 1}), out=tmp_path / "alone"
    )
    for teacher in range(3):
        for epoch in range(grouped.teacher.teacher_epochs + 1):
            torch.testing.assert_close(
                together.snapshot(teacher, epoch),
                alone.snapshot(teacher, epoch),
                # Some processors round the two orders of summing so that training parts them.
                rtol=1e-2,
                atol=1e-3,
            )


def test_a_group_stopped_half_way_ends_as_if_it_had_not_been(
    images: ImageSet, grouped: Config, tmp_path: Path
) -> None:
    record_trajectories(images, grouped, out=tmp_path / "a")
    with pytest.raises(StopHereError):
        record_trajectories(
            images,
            grouped,
            out=tmp_path / "b",
            on_progress=stop_after(8),
            checkpoint_seconds=0,
        )
    # One of them is finished meanwhile: the others still end as members of their group.
    done = trajectory_path(tmp_path / "b", 1)
    done.write_bytes(trajectory_path(tmp_path / "a", 1).read_bytes())
    seen: list[int] = []
    record_trajectories(
        images, grouped, out=tmp_path / "b", on_progress=lambda p: seen.append(p.done)
    )
    # Stopped within epoch 3, whose checkpoint was written before the report: one epoch is left.
    assert seen == [10, 11, 12]
    for teacher in range(3):
        resumed, undisturbed = (trajectory_path(tmp_path / name, teacher) for name in ("b", "a"))
        assert resumed.read_bytes() == undisturbed.read_bytes()
    assert len(list((tmp_path / "b").iterdir())) == 3


def test_a_teacher_begun_alone_ends_alone(
    images: ImageSet, grouped: Config, tmp_path: Path
) -> None:
    undisturbed = record_trajectory(images, grouped, 1, out=tmp_path / "a")
    with pytest.raises(StopHereError):
        record_trajectory(
            images, grouped, 1, out=tmp_path / "b", on_progress=stop_after(2), checkpoint_seconds=0
        )
    buffer = record_trajectories(images, grouped, out=tmp_path / "b")
    assert buffer.paths[1].read_bytes() == undisturbed.read_bytes()
    assert len(list((tmp_path / "b").iterdir())) == 3


def test_groups_follow_the_setting_and_a_cpu_trains_one_by_one(config: Config) -> None:
    assert teachers_at_once(config, "cpu") == 1
    assert teachers_at_once(config.override({"networks_at_once": 5}), "cpu") == 5
    paper = {"width": 128, "teacher_batch_size": 256, "image_size": 112}
    assert teachers_at_once(config.override(paper), "cuda") == 1
    small = {"width": 16, "teacher_batch_size": 64, "image_size": 112}
    assert teachers_at_once(config.override(small), "cuda") == 5


def out_of_memory_above(
    images: int, error: Exception
) -> Callable[[Tensor, AugmentationDraw, AugmentationConfig], Tensor]:
    """Augmentation that fails as a full device would, for more images at once than given."""

    def limited(batch: Tensor, draw: AugmentationDraw, config: AugmentationConfig) -> Tensor:
        if len(batch) > images:
            raise error
        return augment(batch, draw, config)

    return limited


CUDA = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
CPU = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "settings"),
    [
        (CUDA, {}),
        (CPU, {}),
        (CUDA, {"teacher_flatness": 0.05}),
        (CUDA, {"networks_at_once": 2}),
    ],
)
def test_memory_that_runs_out_halves_what_is_computed_at_once(
    images: ImageSet,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    settings: dict[str, float],
) -> None:
    config = config.override({**settings, "teacher_batch_size": 7})
    whole = record_trajectories(images, config, out=tmp_path / "whole")
    monkeypatch.setattr(iadd.trajectories.teacher_step, "augment", out_of_memory_above(3, error))
    parts = record_trajectories(images, config, out=tmp_path / "parts")
    for teacher in range(2):
        torch.testing.assert_close(last(parts, teacher), last(whole, teacher), rtol=1e-4, atol=1e-5)


def test_too_little_memory_for_one_image_names_the_settings_to_change(
    images: ImageSet, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        iadd.trajectories.teacher_step,
        "augment",
        out_of_memory_above(0, torch.OutOfMemoryError("CUDA")),
    )
    with pytest.raises(OutOfMemoryError, match="teacher_batch_size"):
        record_trajectory(images, config, 0, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_in_which_memory_ran_out_moves_each_parameter_once(
    images: ImageSet, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sums of a failed try are dropped: predictions are not counted twice."""
    teacher_step = TeacherStep(images.part("train"), config, "cpu")
    calls = 0

    def fail_late(batch: Tensor, draw: AugmentationDraw, settings: AugmentationConfig) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise torch.OutOfMemoryError("CUDA")
        return augment(batch, draw, settings)

    undisturbed = Teachers(teacher_step, [0], tmp_path).train_epoch()
    monkeypatch.setattr(iadd.trajectories.teacher_step, "augment", fail_late)
    disturbed = Teachers(teacher_step, [0], tmp_path).train_epoch()
    assert disturbed[0]["accuracy"] == undisturbed[0]["accuracy"]
    assert disturbed[0]["loss"] == pytest.approx(undisturbed[0]["loss"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 2])
def test_compiled_teachers_are_the_eager_ones(
    images: ImageSet, config: Config, tmp_path: Path, at_once: int
) -> None:
    config = config.override({"networks_at_once": at_once, "teacher_flatness": 0.05})
    eager = record_trajectories(
        images, config.override({"compilation": "never"}), out=tmp_path / "eager"
    )
    compiled = record_trajectories(
        images, config.override({"compilation": "always"}), out=tmp_path / "compiled"
    )
    for teacher in range(2):
        torch.testing.assert_close(
            last(compiled, teacher), last(eager, teacher), rtol=1e-4, atol=1e-5
        )


@pytest.mark.gpu
def test_a_step_on_a_gpu_waits_for_nothing(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    """The epoch's numbers travel once before it and once after it."""
    config = config.override({"compilation": "never"})
    teachers = Teachers(TeacherStep(images.part("train"), config, "cuda"), [0], tmp_path)
    teachers.train_epoch()
    batches = teachers.teacher_step.draw_epoch(0, 1)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in batches:
            teachers.step([batch])
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("compilation", ["never", "always"])
def test_teachers_on_a_gpu_are_those_of_the_cpu(
    images: ImageSet, config: Config, tmp_path: Path, at_once: int, compilation: str
) -> None:
    config = config.override(
        {"networks_at_once": at_once, "compilation": compilation, "teacher_flatness": 0.05}
    )
    cpu = record_trajectories(
        images, config.override({"compilation": "never"}), out=tmp_path / "cpu"
    )
    gpu = record_trajectories(images, config, out=tmp_path / "gpu", device="cuda")
    for teacher in range(2):
        torch.testing.assert_close(last(gpu, teacher), last(cpu, teacher), rtol=1e-3, atol=1e-4)
