from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.networks.build import build_network, call_with, flatten_parameters
from iadd.runtime.progress import Progress, ProgressListener
from iadd.runtime.seed import derive_seed
from iadd.trajectories.record import (
    TrajectoryBuffer,
    TrajectoryError,
    record_trajectories,
    record_trajectory,
    trajectory_path,
)
from iadd.trajectories.teacher_step import draw_order


class StopHereError(Exception):
    """Raised from a progress listener, as a killed or cancelled run would stop."""


def stop_after(epoch: int) -> ProgressListener:
    def listen(progress: Progress) -> None:
        if progress.done == epoch:
            raise StopHereError

    return listen


def test_a_trajectory_holds_the_start_and_a_snapshot_per_epoch(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    buffer = record_trajectories(images, config, out=tmp_path)
    assert (len(buffer), buffer.epochs) == (2, 4)
    network = build_network(
        config.network,
        channels=1,
        classes=2,
        image_size=16,
        seed=derive_seed(0, "teacher", 0, "initialisation"),
    )
    assert torch.equal(buffer.snapshot(0, 0), flatten_parameters(network))
    snapshots = [buffer.snapshot(0, epoch) for epoch in range(5)]
    assert all(not torch.equal(a, b) for a, b in pairwise(snapshots))
    assert not torch.equal(buffer.snapshot(0, 4), buffer.snapshot(1, 4))


def test_an_epoch_is_plain_sgd_over_the_training_split_alone(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    """One batch as large as the split, no augmentation: a step that can be taken by hand."""
    config = config.override(
        {"teachers": 1, "teacher_batch_size": 64, "teacher_momentum": 0.0, "augmentation": []}
    )
    buffer = record_trajectories(images, config, out=tmp_path)
    network = build_network(
        config.network,
        channels=1,
        classes=2,
        image_size=16,
        seed=derive_seed(0, "teacher", 0, "initialisation"),
    )
    train = images.part("train")
    loss = F.cross_entropy(network(buffer.normalisation.apply(train.images)), train.labels)
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    step = torch.cat([g.reshape(-1) for g in gradients])
    expected = flatten_parameters(network) - config.teacher.teacher_lr * step
    torch.testing.assert_close(buffer.snapshot(0, 1), expected)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_teacher_stopped_half_way_ends_as_if_it_had_not_been(
    images: ImageSet, config: Config, tmp_path: Path, momentum: float
) -> None:
    config = config.override({"teacher_momentum": momentum})
    undisturbed = record_trajectory(images, config, 0, out=tmp_path / "a")
    with pytest.raises(StopHereError):
        record_trajectory(
            images,
            config,
            0,
            out=tmp_path / "b",
            on_progress=stop_after(3),
            checkpoint_seconds=0,
        )
    epochs: list[int] = []
    resumed = record_trajectory(
        images, config, 0, out=tmp_path / "b", on_progress=lambda p: epochs.append(p.done)
    )
    assert epochs == [4]
    assert resumed.read_bytes() == undisturbed.read_bytes()
    assert list(resumed.parent.iterdir()) == [resumed]


def test_a_recorded_teacher_is_not_trained_again(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    record_trajectories(images, config, out=tmp_path)
    trained: list[Progress] = []
    record_trajectories(images, config, out=tmp_path, on_progress=trained.append)
    assert trained == []
    more = config.override({"teachers": 3})
    assert len(record_trajectories(images, more, out=tmp_path, on_progress=trained.append)) == 3
    assert [p.done for p in trained] == [9, 10, 11, 12]
    assert len(TrajectoryBuffer.open(tmp_path, config)) == 2


def test_balanced_epochs_show_each_class_as_often_as_the_smallest(
    images: ImageSet, config: Config
) -> None:
    keep = torch.ones(len(images), dtype=torch.bool)
    keep[(images.labels == 0).nonzero().squeeze(1)[:12]] = False
    uneven = ImageSet(
        images.images[keep], images.labels[keep], images.classes, images.split[keep]
    ).part("train")
    balanced = replace(config.teacher, teacher_sampling="balanced")
    orders = [
        draw_order(uneven.labels, 2, balanced, torch.Generator().manual_seed(seed))
        for seed in range(20)
    ]
    fewest = min(uneven.count_by_class().values())
    for order in orders:
        assert torch.bincount(uneven.labels[order]).tolist() == [fewest, fewest]
        assert len(order.unique()) == len(order)
    assert len(torch.cat(orders).unique()) == len(uneven)


def test_progress_counts_epochs_over_all_teachers(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    record_trajectories(images, config, out=tmp_path, on_progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 9))
    assert {(p.total, p.unit, p.phase) for p in seen} == {(8, "epochs", "teaching")}
    assert set(seen[-1].metrics) == {"loss", "accuracy"}


def test_the_wrong_trajectories_are_refused_with_a_reason(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    with pytest.raises(TrajectoryError, match="No trajectories"):
        TrajectoryBuffer.open(tmp_path)
    record_trajectory(images, config, 0, out=tmp_path)
    with pytest.raises(TrajectoryError, match="holds 1 of 2 teachers"):
        TrajectoryBuffer.open(tmp_path, config)
    record_trajectory(images, config, 1, out=tmp_path)
    with pytest.raises(TrajectoryError, match="other settings"):
        TrajectoryBuffer.open(tmp_path, config.override({"width": 8}))
    trajectory_path(tmp_path, 1).write_bytes(b"no safetensors")
    with pytest.raises(TrajectoryError, match="is not a trajectory file"):
        TrajectoryBuffer.open(tmp_path, config)


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_a_flat_step_follows_the_gradient_from_uphill(
    images: ImageSet, config: Config, tmp_path: Path, gap: float
) -> None:
    """By hand, on one batch without augmentation, as Foret et al. write it (2021, Algorithm 1) and,
    with the surrogate gap, Zhuang et al. (2022, Algorithm 1)."""
    rho = 0.1
    config = config.override(
        {
            "teachers": 1,
            "teacher_batch_size": 64,
            "teacher_momentum": 0.0,
            "teacher_flatness": rho,
            "teacher_gap": gap,
            "augmentation": [],
        }
    )
    buffer = record_trajectories(images, config, out=tmp_path)
    network = build_network(
        config.network,
        channels=1,
        classes=2,
        image_size=16,
        seed=derive_seed(0, "teacher", 0, "initialisation"),
    )
    train = images.part("train")
    shown = buffer.normalisation.apply(train.images)

    def gradient_at(theta: torch.Tensor) -> torch.Tensor:
        theta = theta.requires_grad_()
        loss = F.cross_entropy(call_with(network, theta, shown), train.labels)
        return torch.autograd.grad(loss, theta)[0]

    start = buffer.snapshot(0, 0)
    gradient = gradient_at(start)
    uphill = (start + rho * gradient / gradient.norm()).detach()
    flat = gradient_at(uphill)
    direction = flat / flat.norm()
    expected = start - config.teacher.teacher_lr * (
        flat - gap * (gradient - (gradient @ direction) * direction)
    )
    torch.testing.assert_close(buffer.snapshot(0, 1), expected.detach())
    assert not torch.allclose(expected, start - config.teacher.teacher_lr * gradient, atol=1e-6)


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_flat_teachers_resume_to_the_same_bits(
    images: ImageSet, config: Config, tmp_path: Path, gap: float
) -> None:
    config = config.override({"teacher_flatness": 0.05, "teacher_gap": gap})
    undisturbed = record_trajectory(images, config, 0, out=tmp_path / "a")
    with pytest.raises(StopHereError):
        record_trajectory(
            images, config, 0, out=tmp_path / "b", on_progress=stop_after(2), checkpoint_seconds=0
        )
    resumed = record_trajectory(images, config, 0, out=tmp_path / "b")
    assert resumed.read_bytes() == undisturbed.read_bytes()
