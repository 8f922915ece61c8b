"""How long the rest of a job takes, from the pace of the phase that it is in.

Work is counted in image passes: one image, once forwards and once backwards through the network.
The pace is measured; only the proportions of the phases are assumed.
"""

from app.core.types import JsonObject
from app.models import DistillationStatus
from iadd.config import Config

MATCHING_PASSES = 4.0
"""A student step costs its forward and backward pass, and the adjoint recursion, with its
directional derivative, about three more."""

ORDER = (
    DistillationStatus.TEACHING,
    DistillationStatus.DISTILLING,
    DistillationStatus.EVALUATING,
)
"""The phases that take long; audit and packaging are left out of the forecast."""


def evaluation_work(config: Config, *, small: int, train: int) -> dict[str, float]:
    """Image passes of the three parts of an evaluation.

    Args:
        config: Settings of the run.
        small: Distilled images in all.
        train: Training images in all.
    """
    evaluation = config.evaluation
    trials = len(evaluation.baseline_lrs) * config.distillation.validation_networks
    each = small * evaluation.evaluation_epochs
    return {
        "distilled": evaluation.evaluation_networks * each,
        "random": (trials + evaluation.evaluation_networks) * each,
        "full": evaluation.evaluation_networks * train * evaluation.full_epochs,
    }


def job_work(config: Config, *, classes: int, train: int) -> dict[DistillationStatus, float]:
    """Image passes of each phase in `ORDER`."""
    distillation, teacher = config.distillation, config.teacher
    small = distillation.images_per_class * classes
    batch = min(distillation.syn_batch_size or small, small)
    validations = (
        1 + distillation.iterations // distillation.validate_every
        if distillation.validate_every
        else 0
    )
    validation = distillation.validation_networks * config.evaluation.evaluation_epochs * small
    return {
        DistillationStatus.TEACHING: teacher.teachers * teacher.teacher_epochs * train,
        DistillationStatus.DISTILLING: distillation.iterations
        * distillation.syn_steps
        * batch
        * MATCHING_PASSES
        + validations * validation,
        DistillationStatus.EVALUATING: sum(
            evaluation_work(config, small=small, train=train).values()
        ),
    }


class Forecast:
    """Of one job, in one of its phases.

    Args:
        phase: The phase that it is in.
        settings: `Config.to_dict()` of the job; None while it is not started.
        classes: Images per class and split, as the dataset has them.
    """

    def __init__(
        self, phase: DistillationStatus, settings: JsonObject | None, classes: JsonObject | None
    ) -> None:
        self._later_per_now = 0.0
        if settings is not None and classes and phase in ORDER:
            work = job_work(
                Config.from_dict(settings),
                classes=len(classes),
                train=sum(splits["train"] for splits in classes.values()),
            )
            later = ORDER[ORDER.index(phase) + 1 :]
            self._later_per_now = sum(work[other] for other in later) / work[phase]

    def seconds_left(self, *, pace: float, done: int, total: int) -> float:
        """Seconds until the end of the job.

        Args:
            pace: Seconds per unit of the phase.
            done: Units of the phase that are done.
            total: Units of the phase in all.
        """
        return round(pace * (total - done + total * self._later_per_now), 1)
