"""What a job will take on this device: time, memory and disk, from a few measured steps.

The steps are those of :func:`iadd.forecast.device_benchmark.benchmark_device`; their number and the
sums are :mod:`iadd.forecast.arithmetic`. Nothing is compiled for it: where the job will compile,
what that costs and saves is taken from the counts that the choice is made by
(:mod:`iadd.runtime.compile`).
"""

from dataclasses import replace

import torch

from iadd.config import Config
from iadd.counts import condensing_passes
from iadd.forecast.arithmetic import Forecast, Job, forecast_job
from iadd.forecast.device_benchmark import benchmark_device
from iadd.intake.quality.split import TEST_SHARE, VALIDATION_SHARE
from iadd.runtime.compile import choose_compilation
from iadd.training.cost_model import matching_saving


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
        condensing_passes=condensing_passes(
            config, {str(label): train_images // classes for label in range(classes)}
        ),
    )
    benchmark = benchmark_device(config, classes=classes, channels=channels, device=device)
    saved = matching_saving(config, device, channels=channels, classes=classes)
    choice = choose_compilation(config, saved, device)
    return replace(forecast_job(benchmark, job), compilation=choice.reason, device=str(device))
