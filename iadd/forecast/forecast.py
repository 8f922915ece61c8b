"""What a job will take on this device: time, memory and disk, from a few measured steps.

The steps are those of :func:`iadd.forecast.device_benchmark.benchmark_device`; their number and the
sums are :mod:`iadd.forecast.arithmetic`. Nothing is compiled for it: where the job will compile,
what that costs and saves is taken from the counts that the choice is made by
(:mod:`iadd.runtime.compile`).
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch

from iadd.config import Config
from iadd.data.split import TEST_SHARE, VALIDATION_SHARE
from iadd.forecast.arithmetic import Job, disk_bytes, job_seconds, peak_bytes
from iadd.forecast.device_benchmark import benchmark_device
from iadd.runtime.compile import choose_compilation
from iadd.training.cost_model import matching_flops


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
        """Seconds of the whole job."""
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
    """Measure a few steps on this device and calculate what the whole job will take.

    Args:
        train_images: Images of the training split.
        classes: How many there are.
        config: Settings of the job.
        channels: C of the images.
        images_per_epoch: Images that a teacher sees in an epoch; all of them unless given.
        validation_images: Images of the validation split; as the intake splits unless given.
        test_images: Images of the test split; as the intake splits unless given.
        device: Where the job will compute, and where the steps are measured.

    Raises:
        ValueError: When there is no class, or a class without an image.
    """
    if train_images < classes or classes < 1:
        raise ValueError("A forecast needs at least one class and an image of each.")
    tuned = train_images * VALIDATION_SHARE / (1 - VALIDATION_SHARE)
    held_out = train_images * TEST_SHARE / (1 - TEST_SHARE) / (1 - VALIDATION_SHARE)
    job = Job(
        config=config,
        classes=classes,
        train=train_images,
        per_epoch=images_per_epoch or train_images,
        validation=round(tuned) if validation_images is None else validation_images,
        test=round(held_out) if test_images is None else test_images,
    )
    benchmark = benchmark_device(config, classes=classes, channels=channels, device=device)
    seconds = job_seconds(benchmark, job)
    figures = dict(seconds.figures)
    evaluating = figures.pop(("", "distilled")) + figures.pop(("", "random"))
    flops = matching_flops(config, channels=channels, classes=classes)
    steps = config.distillation.iterations * config.distillation.syn_steps
    return Forecast(
        teaching=seconds.teaching,
        distilling=seconds.distilling,
        validating=seconds.validating,
        evaluating=evaluating,
        full_evaluating=figures.pop(("", "full")),
        cross_evaluating=sum(figures.values()),
        compiling=seconds.compiling_teachers + seconds.compiling_iterations,
        compilation=choose_compilation(config, flops, device, steps=steps).reason,
        peak_bytes=peak_bytes(benchmark, job),
        disk_bytes=disk_bytes(benchmark, job),
        device=str(device),
    )
