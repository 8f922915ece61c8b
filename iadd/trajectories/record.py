"""Records expert trajectories: teachers on real images, a snapshot per epoch (section 3.1)."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from iadd.config import Config, ConfigError
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation, fit_normalisation, whitening_key
from iadd.dp.private_data import PrivateData
from iadd.runtime.checkpoint import (
    CHECKPOINT_SECONDS,
    CheckpointStore,
    CheckpointTimer,
    pack,
    replacing,
    write_atomically,
)
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.trajectories.buffer import (
    TrajectoryBuffer,
    TrajectoryError,
    read_whitening,
    trajectory_path,
    whitening_path,
)
from iadd.trajectories.checkpoint import group_of, restore_teachers, save_teachers
from iadd.trajectories.private_teacher import record_private_trajectory
from iadd.trajectories.snapshot_file import write_tensors
from iadd.trajectories.teacher_step import TeacherStep
from iadd.trajectories.teacher_trainer import Teachers

__all__ = [
    "TrajectoryBuffer",
    "TrajectoryError",
    "record_trajectories",
    "record_trajectory",
    "teachers_at_once",
    "trajectory_path",
]

_FULL = 2**26
"""Values of a network's widest activation that keep a GPU busy."""

_MOST_AT_ONCE = 16


def record_trajectories(
    train: ImageSet | PrivateData,
    config: Config,
    *,
    out: Path,
    on_progress: ProgressListener | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: torch.device | str = "cpu",
) -> TrajectoryBuffer:
    """Train every teacher of a run; keep those that ``out`` already holds.

    Teachers are trained in groups of :func:`teachers_at_once`. A trajectory is the same to
    rounding whatever its group, and on CPU and at a fixed number of threads the same to the bit
    for the same group, resumed or not.

    Args:
        train: Images; where the set has several splits, only those of ``train`` are used. Under
            ``privacy`` ``dp`` they come behind their ledger, and teachers are trained one by one:
            see :func:`iadd.trajectories.private_teacher.record_private_trajectory`.
        config: Settings of the run.
        out: Folder for the trajectories.
        on_progress: Called after each epoch of each teacher.
        checkpoint_seconds: Time between two checkpoints, at least one epoch.
        device: Device to compute on.

    Raises:
        ConfigError: When ``privacy`` is ``dp`` and the images are not behind a ledger, or the
            other way round.
        BudgetExceededError: When the ledger's budget does not allow a ``dp`` run.
        TrajectoryError: When a checkpoint in ``out`` is damaged or of other settings.
        OutOfMemoryError: When not even one image at a time fits.
    """
    listener = on_progress or ignore_progress
    epochs, count = config.teacher.teacher_epochs, config.teacher.teachers
    if isinstance(train, PrivateData):
        for teacher in range(count):

            def listen_to(progress: Progress, before: int = teacher * epochs) -> None:
                listener(replace(progress, done=before + progress.done, total=count * epochs))

            record_trajectory(
                train,
                config,
                teacher,
                out=out,
                on_progress=listen_to,
                checkpoint_seconds=checkpoint_seconds,
                device=device,
            )
        return TrajectoryBuffer.open(out, config)
    _check_audited(config)
    images = train.part("train")
    at_once = teachers_at_once(config, device)

    @cache
    def teacher_step() -> TeacherStep:
        return TeacherStep(images, config, device, _normalisation(images, config, Path(out)))

    for first in range(0, count, at_once):
        numbers = range(first, min(first + at_once, count))
        partial = Path(out) / f"teachers-{numbers[0]:04d}-{numbers[-1]:04d}.partial"
        groups = _groups(out, list(numbers), partial)
        done = (numbers[-1] + 1 - sum(len(members) for members, _ in groups)) * epochs
        for members, path in groups:

            def listen(progress: Progress, before: int = done) -> None:
                listener(replace(progress, done=before + progress.done, total=count * epochs))

            _record(
                teacher_step,
                members,
                out=out,
                on_progress=listen,
                partial=path,
                checkpoint=None,
                checkpoint_seconds=checkpoint_seconds,
            )
            done += len(members) * epochs
        partial.unlink(missing_ok=True)
    return TrajectoryBuffer.open(out, config)


def record_trajectory(
    train: ImageSet | PrivateData,
    config: Config,
    teacher: int,
    *,
    out: Path,
    on_progress: ProgressListener | None = None,
    checkpoint: CheckpointStore | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: torch.device | str = "cpu",
) -> Path:
    """Train one teacher and write its trajectory.

    On CPU and at a fixed number of threads the file is the same to the bit, resumed or not.

    Args:
        train: Images; those of the ``train`` split are used. Under ``privacy`` ``dp`` they come
            behind their ledger.
        config: Settings of the run.
        teacher: Number of the teacher, from 0; determines its initialisation and its batches.
        out: Folder for the trajectory.
        on_progress: Called after each epoch, with the metrics ``loss`` and ``accuracy`` (training).
        checkpoint: Store for the state between epochs; a file beside the trajectory unless given.
        checkpoint_seconds: Time between two checkpoints, at least one epoch.
        device: Device to compute on.

    Returns:
        Path of the trajectory file.

    Raises:
        ConfigError: When ``privacy`` is ``dp`` and the images are not behind a ledger, or the
            other way round.
        BudgetExceededError: When the ledger's budget does not allow a ``dp`` run.
        TrajectoryError: When the checkpoint is damaged or of other settings.
        OutOfMemoryError: When not even one image at a time fits.
    """
    path = trajectory_path(out, teacher)
    if isinstance(train, PrivateData):
        return record_private_trajectory(
            train,
            config,
            teacher,
            out=out,
            on_progress=on_progress or ignore_progress,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            device=device,
        )
    _check_audited(config)
    if not path.exists():
        images = train.part("train")
        _record(
            lambda: TeacherStep(images, config, device, _normalisation(images, config, Path(out))),
            [teacher],
            out=out,
            on_progress=on_progress or ignore_progress,
            partial=_partial(out, teacher),
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
        )
    return path


def teachers_at_once(config: Config, device: torch.device | str) -> int:
    """Return the number of teachers trained together: ``networks_at_once``, or a rule for 0.

    The rule: one on a CPU, which a single network keeps busy. On a GPU as many as it takes for
    the activations of their first layers to have 2²⁶ values, at most 16: a ConvNetD5 of width 128
    at 112×112 with batches of 256 trains alone, one of width 16 with batches of 64 in fives.
    """
    if config.compute.networks_at_once > 0:
        return config.compute.networks_at_once
    if torch.device(device).type == "cpu":
        return 1
    values = config.teacher.teacher_batch_size * config.network.width * config.image_size**2
    return max(1, min(_MOST_AT_ONCE, _FULL // values))


def _normalisation(images: ImageSet, config: Config, out: Path) -> Normalisation:
    """Fit the normalisation; a whitening is kept beside the trajectories, which share it.

    Fitted again with another number of threads it would be rounded otherwise.
    """
    if config.normalisation.whitening == "none":
        return fit_normalisation(images.images, config)
    path = whitening_path(out, whitening_key(images.images, config))
    if path.exists():
        return replace(Normalisation.of(images.images), whitening=read_whitening(path))
    fitted = fit_normalisation(images.images, config)
    assert fitted.whitening is not None
    write_atomically(path, pack(fitted.whitening.tensors(), {}))
    return fitted


def _check_audited(config: Config) -> None:
    if config.protection.privacy == "dp":
        raise ConfigError(
            "Under privacy dp teachers read images through their ledger alone: pass PrivateData."
        )


def _partial(out: Path, teacher: int) -> Path:
    return trajectory_path(out, teacher).with_suffix(".partial")


def _groups(out: Path, numbers: list[int], partial: Path) -> list[tuple[list[int], Path]]:
    """Return the teachers of a group that are still to be trained, with their checkpoint files.

    A teacher that was begun alone is finished alone, and a group that was begun together is
    finished together, whether or not some members are done: another grouping rounds differently.
    """
    missing = [n for n in numbers if not trajectory_path(out, n).exists()]
    if not missing:
        return []
    if partial.exists():
        return [(group_of(partial), partial)]
    alone = [n for n in missing if _partial(out, n).exists()]
    fresh = [n for n in missing if n not in alone]
    groups = [([n], _partial(out, n)) for n in alone]
    if fresh:
        groups.append((fresh, _partial(out, fresh[0]) if len(fresh) == 1 else partial))
    return groups


def _record(
    teacher_step: Callable[[], TeacherStep],
    numbers: list[int],
    *,
    out: Path,
    on_progress: ProgressListener,
    partial: Path,
    checkpoint: CheckpointStore | None,
    checkpoint_seconds: float,
) -> None:
    """Train some teachers together and write their trajectories."""
    teachers = Teachers(teacher_step(), numbers, Path(out))
    try:
        restore_teachers(teachers, partial, checkpoint)
        timer = CheckpointTimer(checkpoint_seconds)
        epochs = teachers.teacher_step.config.teacher.teacher_epochs
        while teachers.epoch < epochs:
            rows = teachers.train_epoch()
            if teachers.epoch < epochs:
                timer.run_if_due(lambda: save_teachers(teachers, partial, checkpoint))
            for position, metrics in enumerate(rows):
                on_progress(
                    Progress(
                        phase="teaching",
                        done=(teachers.epoch - 1) * len(rows) + position + 1,
                        total=epochs * len(rows),
                        unit="epochs",
                        metrics=metrics,
                    )
                )
        for position, number in enumerate(numbers):
            path = trajectory_path(out, number)
            if not path.exists():
                with replacing(path) as file:
                    kept = {"snapshots": teachers.snapshots[position]}
                    write_tensors(file, kept, teachers.document(position))
            _partial(out, number).unlink(missing_ok=True)
    finally:
        teachers.close()
    partial.unlink(missing_ok=True)
