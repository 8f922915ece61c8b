"""Runs twins: the shipped configuration with fresh seeds, and each audit unit in or out."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from iadd.config import Config
from iadd.counts import (
    PASSES_OF_TRAINING,
    condensing_passes,
    images_per_epoch,
    matching_passes,
    teaching_passes,
    validations,
)
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.distillation.initialisation import contributors, correctly_classified
from iadd.privacy.membership.filter import ClassStatistics, matched
from iadd.privacy.membership.measure import (
    SINGLE_STARTS,
    Candidates,
    averaged_images,
    intensities,
    nearest,
    population_of,
    students_of,
)
from iadd.privacy.membership.plan import (
    AuditUnits,
    audit_units,
    membership_bits,
    plan_audit,
    twin_seed,
)
from iadd.privacy.membership.scores import TwinScores
from iadd.privacy.membership.teachers import TwinStep, teach_twins
from iadd.runtime.checkpoint import CHECKPOINT_SECONDS, write_atomically
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.trajectories.record import TrajectoryBuffer, teachers_at_once

_POPULATION = 1000


def run_twins(
    images: ImageSet,
    config: Config,
    numbers: Sequence[int],
    *,
    secret: int,
    scratch: Path,
    on_progress: ProgressListener | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: torch.device | str = "cpu",
) -> list[TwinScores]:
    """Repeat a run with each audit unit in or out, and score every unit.

    Teachers of several twins are trained together where that pays. A call that finds files of an
    earlier one in `scratch` resumes; trajectories are deleted once their twin is scored. Scores do
    not depend on which twins a call runs, but by rounding.

    Args:
        images: The whole set. Audit units are of its ``train`` split; the ``test`` split takes no
            part in a run and is the population that attacks compare with.
        config: Settings of the shipped run.
        numbers: Of the twins.
        secret: Whoever knows it knows the coins. The same for all twins of an audit.
        scratch: Folder of this call alone.
        on_progress: Called after each epoch, iteration and student's pass; phase ``auditing``.
        checkpoint_seconds: Time between two checkpoints.
        device: Device to compute on.

    Returns:
        The scores, in the order of `numbers`.

    Raises:
        ValueError: When there are too few units.
        TooFewImagesError: When a class holds fewer images than its start needs.
        DistillationDivergedError: When a loss is not finite.
        OutOfMemoryError: When not even one image at a time fits.
        DeviceLostError: When the GPU stops responding.
    """
    plan = plan_audit(images, config)
    if plan.units < 1:
        raise ValueError("an audit by repetition needs five units or more")
    twins = _Twins(
        images,
        config,
        audit_units(images.part("train"), plan.units, secret=secret),
        secret=secret,
        scratch=Path(scratch),
        progress=_Work(config, images, len(numbers), on_progress or ignore_progress),
        checkpoint_seconds=checkpoint_seconds,
        device=device,
    )
    together = max(1, teachers_at_once(config, device) // config.teacher.teachers)
    return [
        scores
        for first in range(0, len(numbers), together)
        for scores in twins.run(numbers[first : first + together])
    ]


class _Work:
    """Counts finished work in forward passes of one image, and reports it."""

    def __init__(
        self, config: Config, images: ImageSet, twins: int, listener: ProgressListener
    ) -> None:
        classes, audit = len(images.classes), config.audit
        counts = images.part("train").count_by_class()
        shown = images_per_epoch(config, counts)
        trained = PASSES_OF_TRAINING * config.distillation.images_per_class * classes
        validated = config.evaluation.evaluation_epochs * config.distillation.validation_networks
        self.epoch = teaching_passes(config, shown) / config.teacher.teacher_epochs
        matching = matching_passes(config, classes) + validations(config) * validated * trained
        matching += condensing_passes(config, counts)
        self.iteration = matching / config.distillation.iterations if matching else 1.0
        self.student_epoch = float(trained)
        teaching = self.epoch * config.teacher.teacher_epochs * config.teacher.teachers
        students = audit.audit_students * config.evaluation.evaluation_epochs * trained
        self.twin = teaching + self.iteration * config.distillation.iterations + students
        self._total, self._done, self._listener = self.twin * twins, 0.0, listener
        self._twins, self._scored = twins, 0

    def count(self, work: float, message: str | None = None) -> None:
        """Count some work."""
        self._done = min(self._done + work, self._total)
        self._listener(
            Progress(
                phase="auditing",
                done=round(self._done),
                total=max(1, round(self._total)),
                unit="image passes",
                message=message,
            )
        )

    def scored(self, work: float = 0.0) -> None:
        """Count a finished twin."""
        self._scored += 1
        self.count(work, f"Repeated the run {self._scored} of {self._twins} times.")


class _Twins:
    def __init__(
        self,
        images: ImageSet,
        config: Config,
        units: AuditUnits,
        *,
        secret: int,
        scratch: Path,
        progress: _Work,
        checkpoint_seconds: float,
        device: torch.device | str,
    ) -> None:
        self._config, self._units, self._secret = config, units, secret
        self._scratch, self._work = scratch, progress
        self._seconds, self._device = checkpoint_seconds, device
        self._train = images.part("train")
        self._validation = images.part("validation")
        self._candidates = Candidates(
            self._train.images[units.rows], self._train.labels[units.rows]
        )
        self._population = population_of(images, "test", _POPULATION)
        self._statistics = ClassStatistics.of(images.part("test"))
        self._key = _key(config, units)

    def run(self, numbers: Sequence[int]) -> list[TwinScores]:
        """Run twins whose teachers are trained together."""
        missing = [number for number in numbers if not self._result(number).exists()]
        for _ in range(len(numbers) - len(missing)):
            self._work.scored(self._work.twin)
        if missing:
            self._teach(numbers)
        for number in missing:
            write_atomically(self._result(number), self._score(number).to_bytes())
            shutil.rmtree(self._folder(number), ignore_errors=True)
            self._work.scored()
        return [TwinScores.from_bytes(self._result(number).read_bytes()) for number in numbers]

    def _folder(self, number: int) -> Path:
        return self._scratch / f"twin-{number:04d}"

    def _result(self, number: int) -> Path:
        return self._scratch / f"twin-{number:04d}.scores"

    def _rows(self, number: int) -> Tensor:
        """Return the training images of a twin, in rising order."""
        bits = membership_bits(self._secret, number, len(self._units))
        chosen = torch.ones(len(self._train), dtype=torch.bool)
        chosen[self._units.rows] = bits[self._units.unit]
        return chosen.nonzero().squeeze(1)

    def _teach(self, numbers: Sequence[int]) -> None:
        # A twin that is scored has no teachers any more; the others keep their groups.
        missing = [number for number in numbers if not self._result(number).exists()]
        untaught = [
            number for number in missing if not (self._folder(number) / "distilled").exists()
        ]
        for number in missing:
            if number not in untaught:
                self._work.count(
                    self._work.epoch
                    * self._config.teacher.teachers
                    * self._config.teacher.teacher_epochs
                )
        if not untaught:
            return
        step = TwinStep(
            self._train,
            {number: self._rows(number) for number in untaught},
            self._units.rows,
            self._config.with_private_seed(twin_seed(self._secret, "teachers")),
            self._device,
        )
        teach_twins(
            step,
            untaught,
            self._folder,
            partial=self._scratch / "teachers.partial",
            on_epochs=lambda epochs: self._work.count(epochs * self._work.epoch),
            checkpoint_seconds=self._seconds,
        )

    def _score(self, number: int) -> TwinScores:
        config = self._config.with_private_seed(twin_seed(self._secret, number))
        rows = self._rows(number)
        train = self._train.take(rows)
        distilled = self._distil(number, config, train)
        students = students_of(
            distilled,
            config,
            count=config.audit.audit_students,
            on_epoch=lambda: self._work.count(self._work.student_epoch),
            device=self._device,
        )
        units, candidates = self._units, self._candidates
        own = students.respond(candidates.images, candidates.labels)
        others = students.respond(self._population.images, self._population.labels)
        pictures = intensities(distilled)
        return TwinScores(
            number=number,
            key=self._key,
            classes=self._train.classes,
            bits=membership_bits(self._secret, number, len(units)),
            labels=units.labels,
            signals={
                "phi": units.mean(own.phi),
                "log_p": units.mean(own.log_p),
                "p": units.mean(own.p),
                "norm": units.mean(own.norm),
                "gradient": units.mean(students.alignment(candidates.images, candidates.labels)),
                "nearest": units.most(nearest(candidates, pictures, distilled.labels)),
                "matched_filter": units.most(
                    matched(
                        candidates.images,
                        candidates.labels,
                        pictures,
                        distilled.labels,
                        self._statistics,
                        averaged=averaged_images(config),
                    )
                ),
            },
            population=others.p,
            contributors=self._contributors(number, config, train, rows),
        )

    def _distil(self, number: int, config: Config, train: ImageSet) -> DistilledDataset:
        folder = self._folder(number)
        path = folder / "distilled"
        if path.exists():
            self._work.count(self._work.iteration * config.distillation.iterations)
            return DistilledDataset.from_bytes(path.read_bytes())
        before = 0

        def listen(progress: Progress) -> None:
            nonlocal before
            new = progress.done - before
            before = progress.done
            self._work.count(new * self._work.iteration)

        distilled = distill(
            joined(train, self._validation),
            TrajectoryBuffer.open(folder, config),
            config,
            on_progress=listen,
            checkpoint=folder / "distilling.partial",
            checkpoint_seconds=self._seconds,
            device=self._device,
        )
        write_atomically(path, distilled.to_bytes())
        return distilled

    def _contributors(
        self, number: int, config: Config, train: ImageSet, rows: Tensor
    ) -> Tensor | None:
        """Return the units that starts are made of, bool (m,)."""
        if config.distillation.initialisation not in SINGLE_STARTS:
            return None
        correct = None
        if config.distillation.start_from == "correct":
            buffer = TrajectoryBuffer.open(self._folder(number), config)
            correct = correctly_classified(train, buffer, config, device=self._device)
        used = contributors(train, config, correct=correct)
        if used is None:
            return None
        chosen = torch.zeros(len(self._train), dtype=torch.bool)
        chosen[rows[used.flatten()]] = True
        found = torch.zeros(len(self._units), dtype=torch.bool)
        found[self._units.unit[chosen[self._units.rows]]] = True
        return found


def joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """Join two parts of one set."""
    groups = None
    if first.groups is not None and second.groups is not None:
        groups = torch.cat([first.groups, second.groups])
    return replace(
        first,
        images=torch.cat([first.images, second.images]),
        labels=torch.cat([first.labels, second.labels]),
        split=torch.cat([first.split, second.split]),
        groups=groups,
    )


def _key(config: Config, units: AuditUnits) -> str:
    """Name the settings and the units of twins that may be compared."""
    document = config.to_dict()
    # More runs may be added to those that there are.
    document["audit"] = {"audit_students": config.audit.audit_students}
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for tensor in (units.rows, units.unit, units.labels):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]
