"""Trains the teachers of several twins together: one set of images, each teacher its own part.

Teachers are numbered over all twins: twin·K + teacher, K teachers of a twin. All take as many
steps, so that any of them can be trained together.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.augmentation import AugmentationDraw, augment, draw_augmentation
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.runtime.checkpoint import CheckpointTimer, replacing
from iadd.runtime.seed import make_generator
from iadd.trajectories.checkpoint import restore_teachers, save_teachers
from iadd.trajectories.record import teachers_at_once, trajectory_path
from iadd.trajectories.snapshot_file import write_tensors
from iadd.trajectories.teacher_step import Batch, TeacherStep
from iadd.trajectories.teacher_trainer import Teachers


@dataclass(frozen=True)
class _TwinBatch(Batch):
    """A batch, with the normalisation of its twin's own images."""

    normalisation: Normalisation


class TwinStep(TeacherStep):
    """The training step of teachers of different twins.

    Args:
        train: All training images.
        rows: For each twin its own training images, rows of `train`, in rising order.
        left_out: Training images that a coin is tossed for.
        config: Settings of the run, with the private seed of the teachers.
        device: Device to compute on.
    """

    def __init__(
        self,
        train: ImageSet,
        rows: Mapping[int, Tensor],
        left_out: Tensor,
        config: Config,
        device: torch.device | str,
    ) -> None:
        super().__init__(train, config, device)
        self._rows = rows
        self._normalisations = {
            twin: Normalisation.of(train.images[own]) for twin, own in rows.items()
        }
        counts = torch.bincount(train.labels, minlength=len(self.classes))
        tossed = torch.bincount(train.labels[left_out], minlength=len(self.classes))
        # What a twin holds on average: each epoch shows as many images, whatever the coins.
        self._counts = [max(1, round(n)) for n in (counts - tossed / 2).tolist()]

    def normalisation_of(self, teacher: int) -> Normalisation:
        """Return the normalisation of a teacher's twin."""
        return self._normalisations[teacher // self.config.teacher.teachers]

    def draw_epoch(self, teacher: int, epoch: int) -> list[Batch]:
        """Draw an epoch of the twin's own images."""
        config = self.config
        generator = make_generator(config.data_seed, "twin", teacher, "epoch", epoch)
        own = self._rows[teacher // config.teacher.teachers]
        order = own[self._order(self._cpu_labels[own], generator)]
        parts = order.to(self.device).split(config.teacher.teacher_batch_size)
        normalisation = self.normalisation_of(teacher)
        batches: list[Batch] = []
        for part in parts:
            draw = draw_augmentation(config.augmentation, len(part), generator)
            numbers = draw.uniforms.to(self.device)
            batches.append(
                _TwinBatch(part, AugmentationDraw(draw.operation, numbers), normalisation)
            )
        return batches

    def _order(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the images of an epoch, as `draw_order` does, but as many for each twin."""
        if self.config.teacher.teacher_sampling == "all":
            return _shuffled(len(labels), sum(self._counts), generator)
        fewest = min(self._counts)
        shown = []
        for label in range(len(self.classes)):
            members = (labels == label).nonzero().squeeze(1)
            shown.append(members[_shuffled(len(members), fewest, generator)])
        return torch.cat(shown)[torch.randperm(fewest * len(shown), generator=generator)]

    def _augmented(self, batch: Batch, part: slice) -> Tensor:
        assert isinstance(batch, _TwinBatch), "draw_epoch makes no others"
        images = batch.normalisation.apply(self.images[batch.indices[part]])
        return augment(images, batch.draw.part(part), self.config.augmentation)


class _TwinTeachers(Teachers):
    def document(self, position: int) -> dict[str, Any]:
        step = self.teacher_step
        assert isinstance(step, TwinStep), "made of one below"
        normalisation = step.normalisation_of(self.numbers[position])
        return {
            **super().document(position),
            "mean": normalisation.mean,
            "std": normalisation.std,
        }


def teach_twins(
    step: TwinStep,
    twins: Sequence[int],
    folder_of: Callable[[int], Path],
    *,
    partial: Path,
    on_epochs: Callable[[int], None],
    checkpoint_seconds: float,
) -> None:
    """Train the teachers of some twins; keep those that are there.

    Args:
        step: Their training step.
        twins: Numbers of the twins.
        folder_of: Folder for the trajectories of a twin.
        partial: File for the state of those in training; in a folder of its own.
        on_epochs: Called with a number of epochs that single teachers finished, or that were
            there already; may raise to stop.
        checkpoint_seconds: Time between two checkpoints, at least one epoch.
    """
    config = step.config
    each, epochs = config.teacher.teachers, config.teacher.teacher_epochs
    numbers = [twin * each + teacher for twin in twins for teacher in range(each)]

    def path_of(number: int) -> Path:
        return trajectory_path(folder_of(number // each), number % each)

    at_once = teachers_at_once(config, step.device)
    for first in range(0, len(numbers), at_once):
        group = numbers[first : first + at_once]
        if all(path_of(number).exists() for number in group):
            on_epochs(len(group) * epochs)
            continue
        own = partial.with_name(f"{partial.name}-{group[0]:06d}-{group[-1]:06d}")
        teachers = _TwinTeachers(step, group, partial.parent)
        try:
            restore_teachers(teachers, own, None)
            on_epochs(teachers.epoch * len(group))
            timer = CheckpointTimer(checkpoint_seconds)
            while teachers.epoch < epochs:
                teachers.train_epoch()
                if teachers.epoch < epochs:
                    timer.run_if_due(functools.partial(save_teachers, teachers, own, None))
                on_epochs(len(group))
            for position, number in enumerate(group):
                document = {**teachers.document(position), "teacher": number % each}
                with replacing(path_of(number)) as file:
                    write_tensors(file, {"snapshots": teachers.snapshots[position]}, document)
        finally:
            teachers.close()
        own.unlink(missing_ok=True)


def _shuffled(count: int, wanted: int, generator: torch.Generator) -> Tensor:
    """Draw indices below `count`, each once before any comes again."""
    rounds = -(-wanted // max(count, 1))
    drawn = [torch.randperm(count, generator=generator) for _ in range(rounds)]
    return torch.cat(drawn)[:wanted]
