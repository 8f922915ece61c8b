import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import CURVES, DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import CheckpointMismatchError, DistillationDivergedError, distill
from iadd.distillation.distiller import DistillationRun
from iadd.distillation.matching import MatchingGradients
from iadd.distillation.student import StudentSteps
from iadd.distillation.trajectory_matching import TrajectoryMatching
from iadd.networks.build import build_architecture
from iadd.runtime.device import DeviceLostError
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.progress import Progress
from iadd.trajectories.record import TrajectoryBuffer, record_trajectories


class StopHereError(Exception):
    """Raised from a progress listener, as a killed or cancelled run would stop."""


@pytest.fixture
def buffer(images: ImageSet, config: Config, tmp_path: Path) -> TrajectoryBuffer:
    return record_trajectories(images, config, out=tmp_path / "teachers")


def test_the_result_has_the_contracted_form(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    distilled = distill(images, buffer, config)
    assert distilled.images.shape == (4, 1, 16, 16)
    assert distilled.images.dtype == torch.float32
    assert distilled.labels.tolist() == [0, 0, 1, 1]
    assert distilled.classes == ("plain", "square")
    assert distilled.syn_lr > 0
    assert distilled.importance_weights is not None
    assert len(distilled.importance_weights) == buffer.parameter_count
    assert distilled.initial_images is not None
    assert all(len(distilled.history.curves[name]) == 6 for name in CURVES)
    assert distilled.history.curves["iteration"] == [1, 2, 3, 4, 5, 6]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    first = distill(images, buffer, config)
    assert distill(images, buffer, config).to_bytes() == first.to_bytes()
    other = distill(images, buffer, config.override({"seed": 1}))
    assert not torch.equal(other.images, first.images)


@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_a_run_stopped_anywhere_resumes_to_the_same_bytes(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, tmp_path: Path, stop_at: int
) -> None:
    undisturbed = distill(images, buffer, config)

    def stop(progress: Progress) -> None:
        if progress.done == stop_at and progress.metrics:
            raise StopHereError

    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(StopHereError):
        distill(
            images,
            buffer,
            config,
            on_progress=stop,
            checkpoint=checkpoint,
            checkpoint_seconds=0,
        )
    seen: list[int] = []
    resumed = distill(
        images,
        buffer,
        config,
        on_progress=lambda p: seen.append(p.done) if p.metrics else None,
        checkpoint=checkpoint,
    )
    assert min(seen) == stop_at + 1
    assert resumed.to_bytes() == undisturbed.to_bytes()


def test_a_checkpoint_of_other_settings_is_refused(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    distill(images, buffer, config, checkpoint=checkpoint, checkpoint_seconds=0)
    with pytest.raises(CheckpointMismatchError, match="other settings"):
        distill(images, buffer, config.override({"lr_img": 2.0}), checkpoint=checkpoint)


def test_the_matching_loss_falls(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    settings = {"iterations": 60, "validate_every": 0, "lr_img": 3.0, "augmentation": []}
    config = config.override(settings | {"syn_steps": 6, "syn_batch_size": 0, "lr_lr": 1e-3})
    # Trajectories of other augmentation than the run's: only their snapshots matter here.
    losses = distill(images, buffer, config).history.curves["unweighted_loss"]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])


@pytest.mark.parametrize("settings", [{"method": "mtt"}, {"lr_weights": 0.0}])
def test_frozen_weights_are_mtt(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, settings: dict[str, object]
) -> None:
    distilled = distill(images, buffer, config.override(settings))
    assert distilled.importance_weights is not None
    assert torch.equal(distilled.importance_weights, torch.ones(buffer.parameter_count))
    curves = distilled.history.curves
    assert curves["loss"] == curves["unweighted_loss"]


def test_ddpp_leaves_out_what_is_not_alike_and_tells_how_often(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    pruned = distill(images, buffer, config.override({"method": "ddpp"}))
    curves = pruned.history.curves
    assert all(
        0 < loss < whole
        for loss, whole in zip(curves["loss"], curves["unweighted_loss"], strict=True)
    )
    counted = pruned.importance_weights
    assert counted is not None
    # Six iterations: a parameter counted in so many sixths of them.
    torch.testing.assert_close(counted * 6, (counted * 6).round(), atol=1e-4, rtol=0)
    unpruned = distill(
        images, buffer, config.override({"method": "ddpp", "pruning_threshold": 0.0})
    )
    mtt = distill(images, buffer, config.override({"method": "mtt"}))
    assert torch.equal(unpruned.images, mtt.images)


def test_under_hop_tm_parameters_enter_one_after_the_other_and_stay(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    settings = {"method": "hop_tm", "entry_threshold": 1e-7, "entry_growth": 4.0}
    run = distill(images, buffer, config.override(settings | {"entry_growths": 6}))
    counted = run.history.curves["weights_mean"]
    assert counted == sorted(counted)
    assert 0 < counted[0] < counted[-1] < 1
    assert run.importance_weights is not None
    assert set(run.importance_weights.tolist()) == {0.0, 1.0}
    assert run.importance_weights.mean().item() == pytest.approx(counted[-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"matched_step": "nearest"},
        {"adjoint": "frozen"},
        {"differentiated_share": 0.5},
        {"method": "hop_tm"},
        {"method": "hop_tm", "angle_factor": 0.0},
        {"relative_to": "weighted", "method": "iadd", "lr_weights": 1.0},
    ],
    ids=lambda settings: "-".join(f"{name}={value}" for name, value in settings.items()),
)
def test_every_method_learns_other_images_than_mtt(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, settings: dict[str, object]
) -> None:
    # A student that goes too far is nearest to the teacher before its last step.
    mtt = config.override({"method": "mtt", "syn_lr": 0.5, "validate_every": 0})
    found = distill(images, buffer, mtt.override(settings))
    assert found.images.isfinite().all()
    assert not torch.equal(found.images, distill(images, buffer, mtt).images)


def test_weights_on_both_sides_of_the_loss_rise_too(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    changes = {"relative_to": "weighted", "lr_weights": 0.01}
    weights = distill(images, buffer, config.override(changes)).importance_weights
    assert weights is not None
    assert weights.min() < 1 < weights.max()


def test_weights_only_fall_and_the_weighted_loss_with_them(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    distilled = distill(images, buffer, config.override({"lr_weights": 0.01}))
    assert distilled.importance_weights is not None
    assert distilled.importance_weights.max() <= 1
    assert distilled.importance_weights.std() > 0
    curves = distilled.history.curves
    assert curves["loss"][-1] < curves["unweighted_loss"][-1]


def test_the_best_iteration_on_validation_is_kept(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    distilled = distill(images, buffer, config.override({"validate_every": 2}))
    scores = {v["iteration"]: v["balanced_accuracy"] for v in distilled.history.validation}
    assert list(scores) == [0, 2, 4, 6]
    assert scores[distilled.best_iteration] == max(scores.values())
    if distilled.best_iteration == 0:
        assert distilled.initial_images is not None
        rounded = distilled.normalisation.round_to_grey_levels(distilled.initial_images)
        assert torch.equal(distilled.images, rounded)


def test_without_validation_images_the_last_iteration_is_kept(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    unasked = distill(images, buffer, config.override({"validate_every": 0}))
    train_alone = distill(images.part("train"), buffer, config)
    assert (unasked.best_iteration, unasked.history.validation) == (6, [])
    assert torch.equal(train_alone.images, unasked.images)


def test_the_test_split_is_never_read(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    blanked = images.images.clone()
    blanked[images.split == 2] = 0
    without_test = ImageSet(blanked, images.labels, images.classes, images.split)
    assert distill(without_test, buffer, config).to_bytes() == (
        distill(images, buffer, config).to_bytes()
    )


def test_micro_batches_change_the_result_by_rounding_alone(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    whole = distill(images, buffer, config)
    parts = distill(images, buffer, config.override({"micro_batch_size": 1}))
    torch.testing.assert_close(parts.images, whole.images, atol=1e-4, rtol=1e-4)


def test_a_run_that_diverges_names_the_settings_and_keeps_its_checkpoint(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    wild = config.override(
        {
            "lr_img": 1e9,
            "validate_every": 0,
            "iterations": 50,
            "syn_lr": 10,
            "image_format": "float",
        }
    )
    with pytest.raises(DistillationDivergedError, match="Lower syn_lr"):
        distill(images, buffer, wild, checkpoint=checkpoint, checkpoint_seconds=0)
    assert checkpoint.exists()


def test_alpha_stays_positive(images: ImageSet, buffer: TrajectoryBuffer, config: Config) -> None:
    curves = distill(images, buffer, config.override({"lr_lr": 1.0})).history.curves
    assert all(lr > 0 and math.isfinite(lr) for lr in curves["syn_lr"])


def test_a_distilled_set_survives_storage(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    distilled = distill(images, buffer, config)
    copy = DistilledDataset.from_bytes(distilled.to_bytes())
    equal: Callable[[Tensor, Tensor], bool] = torch.equal
    assert equal(copy.images, distilled.images)
    assert (copy.config, copy.syn_lr, copy.classes) == (
        distilled.config,
        distilled.syn_lr,
        distilled.classes,
    )
    assert copy.history == distilled.history


def test_the_average_of_the_images_is_kept_and_survives_a_stop(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config, tmp_path: Path
) -> None:
    config = config.override({"image_format": "float"})
    settings = {"validate_every": 0, "iterations": 3, "image_average": 0.75}
    averaged = distill(images, buffer, config.override(settings))
    assert averaged.initial_images is not None
    expected = averaged.initial_images
    for iterations in (1, 2, 3):
        plain = {"validate_every": 0, "iterations": iterations}
        step = distill(images, buffer, config.override(plain)).images
        expected = 0.75 * expected + 0.25 * step
    torch.testing.assert_close(averaged.images, expected)

    def stop(progress: Progress) -> None:
        if progress.done == 2 and progress.metrics:
            raise StopHereError

    checkpoint = tmp_path / "checkpoint"
    changed = config.override(settings)
    with pytest.raises(StopHereError):
        distill(
            images, buffer, changed, on_progress=stop, checkpoint=checkpoint, checkpoint_seconds=0
        )
    assert distill(images, buffer, changed, checkpoint=checkpoint).to_bytes() == averaged.to_bytes()


def test_start_epochs_grow_to_their_bound(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    settings = {"first_max_start_epoch": 1, "max_start_epoch": 3, "start_growth": 0.5}
    matching = TrajectoryMatching(
        config.override({**settings, "iterations": 10, "warm_start_share": 0.2}),
        buffer,
        build_architecture(config, channels=1, classes=2),
        torch.tensor([0, 1]),
        channels=1,
        device="cpu",
        on_message=lambda _: None,
    )
    bounds = [matching.start_epochs(iteration) for iteration in range(2, 10)]
    assert bounds == [1, 1, 2, 2, 3, 3, 3, 3]


def test_the_difference_is_the_mean_over_the_iterations(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    settings = {"validate_every": 0, "iterations": 2}
    run = DistillationRun.start(images, buffer, config.override(settings), device="cpu")
    seen: list[Tensor] = []
    update = run._update

    def watch(gradients: MatchingGradients) -> None:
        seen.append(gradients.difference.abs())
        update(gradients)

    run._update = watch  # type: ignore[method-assign]
    run.iterate()
    run.iterate()
    difference = run.result(images.classes).difference
    assert difference is not None
    torch.testing.assert_close(difference, (seen[0] + seen[1]) / 2)


def test_the_way_of_computing_is_told(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    reports: list[Progress] = []
    distill(images, buffer, config, on_progress=reports.append)
    assert reports[0].message is not None
    assert "computed eagerly" in reports[0].message


def test_memory_that_runs_out_halves_the_micro_batch_and_the_run_goes_on(
    images: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = distill(images, buffer, config)
    real, sizes = StudentSteps.pull_back, []

    def scarce(self: StudentSteps, theta: Tensor, batch: Tensor, *rest: Tensor) -> object:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, theta, batch, *rest)

    monkeypatch.setattr(StudentSteps, "pull_back", scarce)
    messages: list[str] = []
    parts = distill(
        images,
        buffer,
        config,
        on_progress=lambda p: messages.append(p.message) if p.message else None,
    )
    assert max(sizes) > 1
    torch.testing.assert_close(parts.images, whole.images, atol=1e-4, rtol=1e-4)
    assert any("continuing with 1 images at once" in message for message in messages)


def test_no_memory_for_one_image_names_the_settings_and_keeps_the_checkpoint(
    images: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_later(monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(OutOfMemoryError, match="smaller image_size, width or depth"):
        distill(images, buffer, config, checkpoint=checkpoint, checkpoint_seconds=0)
    monkeypatch.undo()
    undisturbed = distill(images, buffer, config).to_bytes()
    assert distill(images, buffer, config, checkpoint=checkpoint).to_bytes() == undisturbed


def test_a_lost_gpu_is_named_and_the_run_goes_on_from_its_checkpoint(
    images: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_later(monkeypatch, torch.AcceleratorError("CUDA error: device lost"))
    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(DeviceLostError, match="up to the last checkpoint is kept"):
        distill(images, buffer, config, checkpoint=checkpoint, checkpoint_seconds=0)
    monkeypatch.undo()
    undisturbed = distill(images, buffer, config).to_bytes()
    assert distill(images, buffer, config, checkpoint=checkpoint).to_bytes() == undisturbed


def fail_later(monkeypatch: pytest.MonkeyPatch, error: RuntimeError) -> None:
    """Let the device fail from the third iteration on."""
    real, calls = StudentSteps.sweep, []

    def failing(self: StudentSteps, theta: Tensor, batch: Tensor, labels: Tensor) -> object:
        calls.append(batch)
        if len(calls) > 2 * 6:
            raise error
        return real(self, theta, batch, labels)

    monkeypatch.setattr(StudentSteps, "sweep", failing)


def test_a_collapse_of_the_weights_is_told_once(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    messages: list[str] = []
    distill(
        images,
        buffer,
        config.override({"lr_weights": 10.0}),
        on_progress=lambda p: messages.append(p.message) if p.message else None,
    )
    assert len([m for m in messages if "collapsing" in m and "lower lr_weights" in m]) == 1


def test_starts_from_what_the_teachers_understood(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    settings = {"iterations": 1, "initialisation": "real", "start_from": "correct"}
    chosen = distill(images, buffer, config.override(settings)).initial_images
    anything = distill(images, buffer, config.override({**settings, "start_from": "all"}))
    assert chosen is not None
    assert anything.initial_images is not None
    assert chosen.shape == anything.initial_images.shape


def test_what_is_released_are_grey_levels_and_floats_are_said_to_be_none(
    images: ImageSet, buffer: TrajectoryBuffer, config: Config
) -> None:
    assert distill(images, buffer, config).is_on_grey_levels
    floats = distill(images, buffer, config.override({"image_format": "float", "lr_img": 30.0}))
    assert not floats.is_on_grey_levels
    hidden = 0.002 * floats.normalisation.apply(images.images[:4])
    assert not replace(floats, images=hidden).is_on_grey_levels


def test_the_published_seed_reproduces_no_draw_that_touches_images(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    def run(name: str, private_seed: int | None) -> DistilledDataset:
        secret = config.override({"initialisation": "noise"}).with_private_seed(private_seed)
        teachers = record_trajectories(images, secret, out=tmp_path / name)
        return distill(images, teachers, secret)

    first, again, other, published = (
        run("first", 2**100 + 1),
        run("again", 2**100 + 1),
        run("other", 2**100 + 2),
        run("published", None),
    )
    assert first.to_bytes() == again.to_bytes()
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.images, published.images)
    assert first.initial_images is not None
    assert published.initial_images is not None
    assert not torch.equal(first.initial_images, published.initial_images)
    assert str(2**100 + 1).encode() not in first.to_bytes()
