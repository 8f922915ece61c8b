"""Expert trajectories: teachers trained on the real images, a snapshot per epoch (section 3.1).

One safetensors file per teacher holds ``snapshots`` (E + 1, P) float32; snapshot 0 is the
initialisation. Files are opened lazily, and a snapshot is read when it is asked for.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from iadd.augment import augment, draw_augmentation
from iadd.checkpoint import (
    CHECKPOINT_SECONDS,
    CheckpointStore,
    FileCheckpoint,
    Pacer,
    pack,
    unpack,
    write_atomically,
)
from iadd.config import Config
from iadd.imageset import ImageSet
from iadd.networks import build_network, flatten_parameters, load_parameters
from iadd.normalisation import Normalisation
from iadd.progress import Progress, ProgressListener, ignore_progress
from iadd.seeding import derive_seed, make_generator


class TrajectoryError(ValueError):
    """Trajectories are missing, damaged, or of other settings than the run's."""


def trajectory_path(out: Path, teacher: int) -> Path:
    """Where the trajectory of one teacher lies."""
    return Path(out) / f"teacher-{teacher:04d}.safetensors"


def record_trajectories(
    train: ImageSet,
    config: Config,
    *,
    out: Path,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> "TrajectoryBuffer":
    """Train every teacher of a run; what ``out`` holds already is kept and not trained again.

    Args:
        train: Images; where the set has several splits, those of ``train`` alone are seen.
        config: Settings of the run.
        out: Folder for the trajectories.
        on_progress: Called after each epoch of each teacher.
        device: Where to compute.
    """
    listener = on_progress or ignore_progress
    epochs, teachers = config.teacher.teacher_epochs, config.teacher.teachers

    for teacher in range(teachers):

        def listen(progress: Progress, before: int = teacher * epochs) -> None:
            listener(
                Progress(
                    phase=progress.phase,
                    done=before + progress.done,
                    total=teachers * epochs,
                    unit=progress.unit,
                    metrics=progress.metrics,
                )
            )

        record_trajectory(train, config, teacher, out=out, on_progress=listen, device=device)
    return TrajectoryBuffer.open(out, config)


def record_trajectory(
    train: ImageSet,
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
        train: Images; those of the ``train`` split are seen.
        config: Settings of the run.
        teacher: Number of the teacher, from 0: its initialisation and its batches follow from it.
        out: Folder for the trajectory.
        on_progress: Called after each epoch, with the metrics ``loss`` and ``accuracy`` (training).
        checkpoint: Where to leave the state between epochs; a file beside the trajectory unless
            given.
        checkpoint_seconds: Time between two checkpoints, at least one epoch.
        device: Where to compute.

    Returns:
        Path of the trajectory file.
    """
    path = trajectory_path(out, teacher)
    partial = path.with_suffix(".partial")
    if path.exists():
        return path
    store = checkpoint or FileCheckpoint(partial)
    run = _TeacherRun.resume_or_start(train.part("train"), config, teacher, store, device)
    pacer = Pacer(checkpoint_seconds)
    epochs = config.teacher.teacher_epochs
    while run.epoch < epochs:
        metrics = run.train_epoch()
        if run.epoch < epochs:
            pacer.run_if_due(lambda: store.write(run.to_bytes()))
        if on_progress:
            on_progress(
                Progress(
                    phase="teaching", done=run.epoch, total=epochs, unit="epochs", metrics=metrics
                )
            )
    write_atomically(path, run.to_bytes(finished=True))
    partial.unlink(missing_ok=True)
    return path


class _TeacherRun:
    """A teacher in training: everything that a checkpoint holds."""

    def __init__(
        self, train: ImageSet, config: Config, teacher: int, device: torch.device | str
    ) -> None:
        self.config, self.teacher, self.device = config, teacher, device
        self.images, self.labels = train.images.to(device), train.labels.to(device)
        self.normalisation = Normalisation.of(train.images)
        self.classes = train.classes
        self.network = build_network(
            config.network,
            channels=train.images.shape[1],
            classes=len(train.classes),
            image_size=config.image_size,
            seed=derive_seed(config.seed, "teacher", teacher, "initialisation"),
        ).to(device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=config.teacher.teacher_lr,
            momentum=config.teacher.teacher_momentum,
        )
        self.snapshots = [flatten_parameters(self.network).cpu()]
        self.curves: dict[str, list[float]] = {"loss": [], "accuracy": []}

    @property
    def epoch(self) -> int:
        return len(self.snapshots) - 1

    @classmethod
    def resume_or_start(
        cls,
        train: ImageSet,
        config: Config,
        teacher: int,
        store: CheckpointStore,
        device: torch.device | str,
    ) -> Self:
        run = cls(train, config, teacher, device)
        data = store.read()
        if data is None:
            return run
        tensors, document = unpack(data)
        if document["teacher_key"] != config.teacher_key() or document["teacher"] != teacher:
            raise TrajectoryError(
                "The checkpoint belongs to a teacher of other settings: remove it, or choose "
                "another folder."
            )
        run.snapshots = list(tensors["snapshots"])
        run.curves = document["curves"]
        load_parameters(run.network, run.snapshots[-1].to(device))
        for index, parameter in enumerate(run.network.parameters()):
            if f"momentum.{index}" in tensors:
                buffer = tensors[f"momentum.{index}"].to(device)
                run.optimizer.state[parameter]["momentum_buffer"] = buffer
        return run

    def train_epoch(self) -> dict[str, float]:
        """One pass over the images in shuffled batches (the last may be smaller)."""
        generator = make_generator(self.config.seed, "teacher", self.teacher, "epoch", self.epoch)
        order = self._draw_order(generator).to(self.device)
        losses = torch.zeros((), device=self.device)
        hits = torch.zeros((), device=self.device)
        for batch in order.split(self.config.teacher.teacher_batch_size):
            images = self.normalisation.apply(self.images[batch])
            draw = draw_augmentation(self.config.augmentation, len(batch), generator)
            images = augment(images, draw, self.config.augmentation)
            logits = self.network(images)
            loss = F.cross_entropy(logits, self.labels[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses += loss.detach() * len(batch)
            hits += (logits.detach().argmax(dim=1) == self.labels[batch]).sum()
        self.snapshots.append(flatten_parameters(self.network).cpu())
        metrics = {
            "loss": losses.item() / len(order),
            "accuracy": hits.item() / len(order),
        }
        for name, value in metrics.items():
            self.curves[name].append(value)
        return metrics

    def _draw_order(self, generator: torch.Generator) -> Tensor:
        """Which images the epoch shows, in which order."""
        if self.config.teacher.teacher_sampling == "all":
            return torch.randperm(len(self.labels), generator=generator)
        labels = self.labels.cpu()
        members = [(labels == label).nonzero().squeeze(1) for label in range(len(self.classes))]
        fewest = min(len(indices) for indices in members)
        shown = [
            indices[torch.randperm(len(indices), generator=generator)[:fewest]]
            for indices in members
        ]
        return torch.cat(shown)[torch.randperm(fewest * len(shown), generator=generator)]

    def to_bytes(self, *, finished: bool = False) -> bytes:
        tensors = {"snapshots": torch.stack(self.snapshots)}
        if not finished:
            for index, parameter in enumerate(self.network.parameters()):
                buffer = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
                if buffer is not None:
                    tensors[f"momentum.{index}"] = buffer
        document: dict[str, Any] = {
            "teacher": self.teacher,
            "teacher_key": self.config.teacher_key(),
            "classes": self.classes,
            "mean": self.normalisation.mean,
            "std": self.normalisation.std,
            "curves": self.curves,
        }
        return pack(tensors, document)


@dataclass(frozen=True)
class TrajectoryBuffer:
    """The teachers of a run, on disk.

    Attributes:
        paths: One trajectory file per teacher.
        teacher_key: Name of the settings that they were trained with.
        normalisation: What the teachers saw: distilled images live in the same space.
        epochs: E: snapshots are numbered 0 to E.
    """

    paths: Sequence[Path]
    teacher_key: str
    normalisation: Normalisation
    epochs: int

    @classmethod
    def open(cls, folder: Path, config: Config | None = None) -> Self:
        """Open a folder of trajectories.

        Args:
            folder: Where :func:`record_trajectories` wrote.
            config: When given, the settings that the teachers must have been trained with, and
                how many of them to take.

        Raises:
            TrajectoryError: When trajectories are missing, damaged, or of other settings.
        """
        paths = sorted(
            p for p in Path(folder).glob("teacher-*.safetensors") if re.search(r"-\d+\.", p.name)
        )
        if not paths:
            raise TrajectoryError(f"No trajectories in {folder}: run `iadd teach` first.")
        documents = [_document(path) for path in paths]
        keys = {document["teacher_key"] for document in documents}
        if len(keys) > 1:
            raise TrajectoryError(f"The trajectories in {folder} come from different settings.")
        if config is not None:
            if keys != {config.teacher_key()}:
                raise TrajectoryError(
                    f"The trajectories in {folder} were recorded with other settings than this "
                    "run's (network, augmentation, teacher, seed or image size): record them "
                    "again, in another folder."
                )
            if len(paths) < config.teacher.teachers:
                raise TrajectoryError(
                    f"{folder} holds {len(paths)} of {config.teacher.teachers} teachers: run "
                    "`iadd teach` again, it goes on where it stopped."
                )
            paths = paths[: config.teacher.teachers]
        first = documents[0]
        return cls(
            paths=tuple(paths),
            teacher_key=first["teacher_key"],
            normalisation=Normalisation(tuple(first["mean"]), tuple(first["std"])),
            epochs=len(first["curves"]["loss"]),
        )

    def __len__(self) -> int:
        return len(self.paths)

    def snapshot(self, teacher: int, epoch: int) -> Tensor:
        """θ of one teacher after one epoch, (P,) float32; nothing else is read."""
        with _open(self.paths[teacher]) as file:
            theta: Tensor = file.get_slice("snapshots")[epoch]
        return theta

    @cached_property
    def parameter_count(self) -> int:
        """P."""
        return self.snapshot(0, 0).numel()


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as error:
        raise TrajectoryError(f"{path.name} is no trajectory file: {error}.") from error


def _document(path: Path) -> dict[str, Any]:
    with _open(path) as file:
        document: dict[str, Any] = json.loads((file.metadata() or {}).get("document", "null"))
    if not document:
        raise TrajectoryError(f"{path.name} is no trajectory file.")
    return document
