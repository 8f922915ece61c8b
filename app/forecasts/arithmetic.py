"""From the pace of a step to the time of a job: what `iadd.forecast` does, without torch.

A test holds the two together, so a change there is a change here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.forecasts.paces import Paces

PASSES_OF_TRAINING = 3
PASSES_OF_MATCHING = 11
"""Convolutions per layer, image and step, as `iadd.training.cost_model` counts them."""
WORTH_COMPILING = 1.25
MOST_CROSS_NETWORKS = 3
"""Networks per figure of each other network."""

Counts = Mapping[str, Mapping[str, int]]
"""Images per class and split."""


@dataclass(frozen=True)
class Job:
    """How much there is to do: the settings, and the images that they meet."""

    settings: Mapping[str, Any]
    counts: Counts

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    def with_settings(self, **changes: Any) -> "Job":
        return replace(self, settings={**self.settings, **changes})

    @property
    def classes(self) -> int:
        return len(self.counts)

    def images(self, split: str) -> int:
        return sum(splits[split] for splits in self.counts.values())

    @property
    def per_epoch(self) -> int:
        """Training images that a teacher sees in an epoch."""
        train = [splits["train"] for splits in self.counts.values()]
        return min(train) * len(train) if self["teacher_sampling"] == "balanced" else sum(train)

    @property
    def distilled(self) -> int:
        return int(self["images_per_class"]) * self.classes

    @property
    def batch(self) -> int:
        """Distilled images in a student step."""
        return min(int(self["syn_batch_size"]) or self.distilled, self.distilled)

    @property
    def in_memory(self) -> int:
        """Of them, at once."""
        return min(int(self["micro_batch_size"]) or self.batch, self.batch)

    @property
    def steps(self) -> int:
        return int(self["iterations"] * self["syn_steps"])

    @property
    def validations(self) -> int:
        every = self["validate_every"]
        return 1 + -(-self["iterations"] // every) if every else 0


@dataclass(frozen=True)
class Seconds:
    """By phase of a distillation; compiling is within the phase that compiles."""

    teaching: float
    distilling: float
    evaluating: float

    @property
    def total(self) -> float:
        return self.teaching + self.distilling + self.evaluating


def seconds(paces: Paces, job: Job, *, teachers_are_there: bool = False) -> Seconds:
    """Of a whole job on this device, one phase after the other."""
    # Naming an image is the first of the three passes that learning from it takes.
    naming = paces.full.each / paces.shown / PASSES_OF_TRAINING
    small = paces.epoch(job.distilled)
    epochs, networks = job["evaluation_epochs"], job["evaluation_networks"]
    learning = small.fixed + small.each * epochs
    trials = len(job["baseline_lrs"]) * job["validation_networks"]
    tuned, asked = job.images("validation"), job.images("test")
    checks = job.validations * job["validation_networks"]
    full = paces.full.each * job["full_epochs"] * job.images("train") / paces.shown
    return Seconds(
        teaching=0.0 if teachers_are_there else _teaching(paces, job),
        distilling=_matching(paces, job) + checks * (learning + tuned * naming),
        evaluating=(networks * 2 + trials) * learning
        + (2 * networks * asked + trials * tuned) * naming
        + networks * (full + asked * naming)
        + sum(_across(paces, job, network) for network in paces.across),
    )


def _across(paces: Paces, job: Job, network: str) -> float:
    """The figures of another network: of the distilled set, and of the random ones."""
    pace = paces.epoch_across(network, job.distilled)
    naming = pace.each / job.distilled / PASSES_OF_TRAINING
    networks = min(int(job["evaluation_networks"]), MOST_CROSS_NETWORKS)
    # For the distilled set its own rate is one more to try.
    trials = (2 * len(job["baseline_lrs"]) + 1) * int(job["validation_networks"])
    asked, tuned = job.images("test"), job.images("validation")
    learning = pace.fixed + pace.each * int(job["evaluation_epochs"])
    return (2 * networks + trials) * learning + (2 * networks * asked + trials * tuned) * naming


def _teaching(paces: Paces, job: Job) -> float:
    teachers, epochs = job["teachers"], job["teacher_epochs"]
    eager = paces.teaching.fixed * teachers / paces.teachers_at_once + (
        paces.teaching.each * epochs * teachers * job.per_epoch / paces.shown
    )
    gradients = 2 if job["teacher_flatness"] > 0 else 1
    batches = -(-job.per_epoch // job["teacher_batch_size"])
    operations = (
        PASSES_OF_TRAINING
        * paces.forward_operations
        * (job.per_epoch * epochs * gradients)
        * teachers
    )
    return _compiled(paces, job, eager, operations, teachers * epochs * batches * gradients)


def _matching(paces: Paces, job: Job) -> float:
    operations = PASSES_OF_MATCHING * paces.forward_operations * job.steps * job.batch
    return _compiled(paces, job, paces.step(job.batch) * job.steps, operations, job.steps)


def _compiled(paces: Paces, job: Job, eager: float, operations: float, steps: int) -> float:
    """With what compiling costs and saves, where the job will compile."""
    compilation = paces.compilation
    if job["compilation"] == "never" or not compilation.possible:
        return eager
    saved = steps * compilation.saved_per_step + operations * compilation.saved_per_operation
    if job["compilation"] == "auto" and saved < WORTH_COMPILING * compilation.seconds:
        return eager
    return max(eager - saved, eager / 2) + compilation.seconds


def peak_bytes(paces: Paces, job: Job) -> int:
    """The most memory: of the process on a CPU, of the tensors on a GPU."""
    every = sum(job.images(split) for split in ("train", "validation", "test"))
    pixels = max(every - paces.shown, 0) * paces.channels * job["image_size"] ** 2
    thetas = 4 * paces.parameters * (job["syn_steps"] - paces.steps)
    return round(paces.peak_bytes(job.in_memory)) + int(pixels + thetas)


def disk_bytes(paces: Paces, job: Job) -> int:
    """Trajectories, the checkpoint of the distillation, and the distilled set."""
    images = job.distilled * paces.channels * job["image_size"] ** 2
    trajectories = job["teachers"] * (job["teacher_epochs"] + 1) * paces.parameters
    checkpoint = 4 * images + 2 * paces.parameters
    return int(4 * (trajectories + checkpoint + 2 * images + paces.parameters))
