"""What a job will take on this device: time, memory and disk, from a few measured steps.

A few epochs, iterations and networks are run through the very calls that the job will make, on
drawn images, and their pace is multiplied by how many there will be
(:mod:`iadd.training.cost_model`). Nothing is compiled for it: where the job will compile, what that
costs and saves is taken from the counts that the choice is made by (:mod:`iadd.runtime.compile`).

Shapes: P parameters, E teacher epochs, J student steps.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from iadd.config import Config, NetworkName
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.split import TEST_SHARE, VALIDATION_SHARE
from iadd.distillation.distill import distill
from iadd.evaluation.evaluator import evaluate, evaluate_full
from iadd.forecast.timing import Pace, measure_pace
from iadd.runtime.compile import SECONDS_TO_COMPILE, choose_compilation, seconds_saved
from iadd.runtime.peak_memory import MemoryWatch
from iadd.runtime.seed import make_generator
from iadd.training.cost_model import (
    PASSES_OF_TRAINING,
    forward_flops,
    matching_flops,
    teaching_flops,
    teaching_steps,
    validations,
)
from iadd.trajectories.record import TrajectoryBuffer, record_trajectories, teachers_at_once
from iadd.trajectories.teacher_step import choose_teaching_compilation

_OPERATIONS = {"cpu": 2e10, "cuda": 2e13}
"""Of the student steps that one measured iteration may have: about a second."""

_CROSS_OPERATIONS = {"cpu": 1e11, "cuda": 2e13}
"""Of a measured epoch of another network: about a second. A larger set is in proportion."""

_SHOWN = {"cpu": 64, "cuda": 2048}
"""Images that a measured epoch has at least, unless the job's epoch has fewer; a batch if more."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a job will take.

    Attributes:
        teaching: Seconds of all teachers, one after the other or in groups on this device.
        distilling: Seconds of the iterations, without validations.
        validating: Seconds of the evaluations on the validation split.
        evaluating: Seconds of the figures of the distilled set and of the random sets.
        full_evaluating: Seconds of the figure of the full data.
        cross_evaluating: Seconds of the figures of the other networks; 0 without.
        compiling: Seconds that compilation takes at most, nothing cached; 0 without.
        compilation: Whether the matching step will be compiled, in a sentence.
        peak_bytes: The most memory: of the process on a CPU, of the tensors on a GPU.
        disk_bytes: Trajectories, checkpoint and distilled set.
        device: Where it was measured.
    """

    teaching: float
    distilling: float
    validating: float
    evaluating: float
    full_evaluating: float
    cross_evaluating: float
    compiling: float
    compilation: str
    peak_bytes: int
    disk_bytes: int
    device: str

    @property
    def phases(self) -> dict[str, float]:
        """Seconds by phase, in the order of a job."""
        return {
            "teaching": self.teaching,
            "compiling": self.compiling,
            "distilling": self.distilling,
            "validating": self.validating,
            "evaluating": self.evaluating,
            "full_evaluating": self.full_evaluating,
            "cross_evaluating": self.cross_evaluating,
        }

    @property
    def seconds(self) -> float:
        """Of the whole job."""
        return sum(self.phases.values())

    def to_dict(self) -> dict[str, Any]:
        """As JSON knows it, with the sum."""
        return asdict(self) | {"seconds": self.seconds}


def forecast(
    train_images: int,
    classes: int,
    config: Config,
    *,
    channels: int = 1,
    images_per_epoch: int | None = None,
    validation_images: int | None = None,
    test_images: int | None = None,
    device: torch.device | str = "cpu",
) -> Forecast:
    """Measure a few steps on this device and tell what the whole job will take.

    Args:
        train_images: Images of the training split.
        classes: How many there are.
        config: Settings of the job.
        channels: C of the images.
        images_per_epoch: Images that a teacher sees in an epoch; all of them unless given.
        validation_images: Images of the validation split; as the intake splits unless given.
        test_images: Images of the test split; as the intake splits unless given.
        device: Where the job will compute, and where the steps are measured.
    """
    if train_images < classes or classes < 1:
        raise ValueError("A forecast needs at least one class and an image of each.")
    with MemoryWatch(device) as memory:
        sample = Sample.draw(images_per_epoch or train_images, classes, channels, config, device)
        paces = sample.measure()
    teacher, evaluation = config.teacher, config.evaluation
    per_epoch = images_per_epoch or train_images
    held_out = round(train_images * TEST_SHARE / (1 - TEST_SHARE) / (1 - VALIDATION_SHARE))
    asked = held_out if test_images is None else test_images
    tuned = (
        round(train_images * VALIDATION_SHARE / (1 - VALIDATION_SHARE))
        if validation_images is None
        else validation_images
    )
    # Naming an image is the first of the three passes that learning from it takes.
    naming = paces.full.each / paces.shown / PASSES_OF_TRAINING
    trials = len(evaluation.baseline_lrs) * config.distillation.validation_networks
    networks = evaluation.evaluation_networks
    checks = validations(config) * config.distillation.validation_networks
    teaching = paces.teaching.seconds(
        teacher.teacher_epochs * teacher.teachers * per_epoch / paces.shown,
        calls=teacher.teachers / paces.teachers,
    )
    steps = config.distillation.iterations * config.distillation.syn_steps
    distilling = paces.step.each * steps
    matching = matching_flops(config, channels=channels, classes=classes)
    choice = choose_compilation(config, matching, device, steps=steps)
    compiling = 0.0
    if choice.compiled:
        distilling = _compiled(distilling, seconds_saved(matching, device, steps=steps))
        compiling += SECONDS_TO_COMPILE
    lesson = teaching_flops(config, channels=channels, classes=classes, images=per_epoch)
    lessons = teaching_steps(config, per_epoch)
    if choose_teaching_compilation(
        config, device, channels=channels, classes=classes, images=per_epoch
    ).compiled:
        saved = teacher.teachers * seconds_saved(lesson, device, steps=lessons)
        teaching = _compiled(teaching, saved)
        compiling += SECONDS_TO_COMPILE
    return Forecast(
        teaching=teaching,
        distilling=distilling,
        validating=checks * (paces.small.seconds(evaluation.evaluation_epochs) + tuned * naming),
        evaluating=(networks * 2 + trials) * paces.small.seconds(evaluation.evaluation_epochs)
        + (2 * networks * asked + trials * tuned) * naming,
        full_evaluating=networks
        * (paces.full.each * evaluation.full_epochs * train_images / paces.shown + asked * naming),
        cross_evaluating=sum(
            _across(pace, config.across(name), small=classes, asked=asked, tuned=tuned)
            for name, pace in paces.across.items()
        ),
        compiling=compiling,
        compilation=choice.reason,
        peak_bytes=memory.peak + _bytes_beyond(train_images + asked + tuned, config, paces),
        disk_bytes=_disk_bytes(config, paces.distilled, paces.parameters),
        device=str(device),
    )


def _across(pace: "CrossPace", config: Config, *, small: int, asked: int, tuned: int) -> float:
    """Seconds of the figures of one other network.

    Args:
        pace: Of that network.
        config: Settings on it.
        small: Classes that the distilled images are of.
        asked: Test images.
        tuned: Validation images.
    """
    networks = config.evaluation.evaluation_networks
    # For the distilled set α is one more rate to try.
    rates = 2 * len(config.evaluation.baseline_lrs) + 1
    trials = rates * config.distillation.validation_networks
    images = config.distillation.images_per_class * small
    learning = Pace(pace.fixed, pace.each * images / pace.images).seconds(
        config.evaluation.evaluation_epochs
    )
    naming = pace.each / pace.images / PASSES_OF_TRAINING
    return (2 * networks + trials) * learning + (2 * networks * asked + trials * tuned) * naming


def _compiled(eager: float, saved: float) -> float:
    """Seconds of compiled steps, and at least half of the eager ones, whatever the count says."""
    return max(eager - saved, eager / 2)


@dataclass(frozen=True)
class CrossPace:
    """Of an epoch of another network on a distilled set of so many images.

    Attributes:
        images: How many were shown: where the whole set would take long, a part of it.
        each: Seconds of an epoch.
        fixed: Seconds that a network takes besides its epochs.
    """

    images: int
    each: float
    fixed: float


@dataclass(frozen=True)
class Paces:
    """What was measured of one sample.

    Attributes:
        teaching: Of a teacher's epoch over ``shown`` images.
        step: Of a student step.
        small: Of an epoch of one network on the distilled set.
        full: Of an epoch of one network over ``shown`` images.
        shown: Images of a measured epoch.
        teachers: How many were trained at once.
        steps: J of the measured iterations.
        parameters: P.
        distilled: A distilled set of the job's form.
        across: Of the other networks that it is tried with.
    """

    teaching: Pace
    step: Pace
    small: Pace
    full: Pace
    shown: int
    teachers: int
    steps: int
    parameters: int
    distilled: DistilledDataset
    across: Mapping[NetworkName, CrossPace] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """A job like the one to forecast, made small: drawn images, few epochs, few iterations."""

    images: ImageSet
    config: Config
    channels: int
    shown: int
    device: torch.device

    @classmethod
    def draw(
        cls,
        per_epoch: int,
        classes: int,
        channels: int,
        config: Config,
        device: torch.device | str,
    ) -> "Sample":
        """Images at random: the time that a step takes is the same whatever they show."""
        kind = torch.device(device).type
        batch = config.teacher.teacher_batch_size
        count = max(_SHOWN.get(kind, _SHOWN["cpu"]) // batch, 1) * batch
        # As many of each class, so that a balanced epoch shows all of them.
        shown = max(min(count, per_epoch) // classes, 1) * classes
        held_out = classes * len(("validation", "test"))
        size = config.image_size
        labels = torch.arange(shown + held_out) % classes
        splits = torch.zeros(shown + held_out, dtype=torch.int8)
        splits[shown : shown + classes], splits[shown + classes :] = 1, 2
        pixels = torch.randint(
            0,
            256,
            (shown + held_out, channels, size, size),
            generator=make_generator(config.seed, "forecast"),
            dtype=torch.uint8,
        )
        names = tuple(f"class {number}" for number in range(classes))
        short = config.override(
            {
                "compilation": "never",
                "initialisation": "noise",
                "start_from": "all",
                "validate_every": 0,
                "expert_epochs": 1,
                "max_start_epoch": 1,
                "first_max_start_epoch": 0,
                "teachers": min(config.teacher.teachers, teachers_at_once(config, device)),
                "syn_steps": _steps(config, channels, classes, kind),
            }
        )
        return cls(
            ImageSet(pixels, labels, names, splits), short, channels, shown, torch.device(device)
        )

    def measure(self) -> Paces:
        """Everything, one after the other."""
        with tempfile.TemporaryDirectory() as folder:
            teaching, buffer = self.teach(Path(folder))
            step, distilled = self.match(buffer)
        return Paces(
            teaching=teaching,
            step=step,
            small=self.learn(distilled),
            full=self.learn_all(),
            shown=self.shown,
            teachers=self.config.teacher.teachers,
            steps=self.config.distillation.syn_steps,
            parameters=buffer.parameter_count,
            distilled=distilled,
            across={
                name: self.learn_across(distilled, name) for name in self.config.other_networks()
            },
        )

    def teach(self, folder: Path) -> tuple[Pace, TrajectoryBuffer]:
        """The pace of a teacher's epoch, and the trajectories that were recorded for it."""
        teachers = self.config.teacher.teachers
        buffers: list[TrajectoryBuffer] = []

        def record(epochs: int) -> None:
            out = folder / str(len(buffers))
            config = self.config.override({"teacher_epochs": epochs})
            buffers.append(record_trajectories(self.images, config, out=out, device=self.device))

        pace = measure_pace(record)
        return Pace(pace.fixed, pace.each / teachers), buffers[-1]

    def match(self, buffer: TrajectoryBuffer) -> tuple[Pace, DistilledDataset]:
        """The pace of a student step, and what came of it."""
        results: list[DistilledDataset] = []

        def run(iterations: int) -> None:
            config = self.config.override(
                {"teacher_epochs": buffer.epochs, "iterations": iterations}
            )
            results.append(distill(self.images, buffer, config, device=self.device))

        pace, steps = measure_pace(run), self.config.distillation.syn_steps
        return Pace(pace.fixed / steps, pace.each / steps), results[-1]

    def learn(self, distilled: DistilledDataset) -> Pace:
        """The pace of an epoch of one network on a distilled set."""
        return self._learn(distilled, self.config)

    def learn_across(self, distilled: DistilledDataset, name: NetworkName) -> CrossPace:
        """The pace of an epoch of another network on a distilled set, or on a part of it."""
        config = self.config.across(name)
        forward = forward_flops(
            config.network,
            channels=self.channels,
            classes=len(distilled.classes),
            image_size=config.image_size,
        )
        allowed = _CROSS_OPERATIONS.get(self.device.type, _CROSS_OPERATIONS["cpu"])
        images = min(len(distilled), max(1, int(allowed / (PASSES_OF_TRAINING * forward))))
        part = replace(
            distilled, images=distilled.images[:images], labels=distilled.labels[:images]
        )
        pace = self._learn(part, config)
        return CrossPace(images, pace.each, pace.fixed)

    def _learn(self, distilled: DistilledDataset, config: Config) -> Pace:
        networks = self._networks_at_once(config)

        def run(epochs: int) -> None:
            short = config.override({"evaluation_epochs": epochs, "evaluation_networks": networks})
            evaluate(distilled, self.images, short, device=self.device)

        pace = measure_pace(run)
        return Pace(pace.fixed / networks, pace.each / networks)

    def learn_all(self) -> Pace:
        """The pace of an epoch of one network over the images shown."""
        networks = self._networks_at_once(self.config)

        def run(epochs: int) -> None:
            config = self.config.override({"full_epochs": epochs, "evaluation_networks": networks})
            evaluate_full(self.images, config, device=self.device)

        pace = measure_pace(run)
        return Pace(pace.fixed / networks, pace.each / networks)

    def _networks_at_once(self, config: Config) -> int:
        """Networks that are trained together, as far as it can be told before."""
        networks = config.evaluation.evaluation_networks
        if self.device.type == "cuda":
            return networks
        return min(networks, max(config.compute.networks_at_once, 1))


def _steps(config: Config, channels: int, classes: int, kind: str) -> int:
    """J of a measured iteration: the job's, or as many as take about a second."""
    step = matching_flops(config, channels=channels, classes=classes) / (
        config.distillation.iterations * config.distillation.syn_steps
    )
    allowed = int(_OPERATIONS.get(kind, _OPERATIONS["cpu"]) / step)
    return max(1, min(config.distillation.syn_steps, allowed))


def _bytes_beyond(images: int, config: Config, paces: Paces) -> int:
    """Memory that the job takes and the sample did not: the images, and the vectors θ_j."""
    _, channels, height, width = paces.distilled.images.shape
    pixels = max(images - paces.shown, 0) * channels * height * width
    thetas = 4 * paces.parameters * (config.distillation.syn_steps - paces.steps)
    return pixels + thetas


def _disk_bytes(config: Config, distilled: DistilledDataset, parameters: int) -> int:
    """Trajectories, the checkpoint of the distillation, and the distilled set."""
    images = distilled.images.numel()
    trajectories = config.teacher.teachers * (config.teacher.teacher_epochs + 1) * parameters
    # A checkpoint holds the images four times (as they are, averaged, moving, the best) and a
    # vector for W and for the mean difference; the result its start too, and W.
    checkpoint = 4 * images + 2 * parameters
    return 4 * (trajectories + checkpoint + 2 * images + parameters)
