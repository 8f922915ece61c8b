"""How long the rest of a job takes, from the pace of the phase that it is in.

Work is counted in image passes: one image, once forwards and once backwards through the network.
The pace is measured; only the proportions of the phases are assumed.
"""

from app.core.types import JsonObject
from app.models import DistillationStatus
from iadd.config import Config
from iadd.training.cost_model import images_per_epoch, job_cost

ORDER = (
    DistillationStatus.TEACHING,
    DistillationStatus.DISTILLING,
    DistillationStatus.EVALUATING,
)
"""The phases that take long; audit and packaging are left out of the forecast."""


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
            config = Config.from_dict(settings)
            train = {name: splits["train"] for name, splits in classes.items()}
            work = job_cost(
                config,
                classes=len(classes),
                train=sum(train.values()),
                per_epoch=images_per_epoch(config, train),
            )
            later = ORDER[ORDER.index(phase) + 1 :]
            if work[phase] > 0:
                self._later_per_now = sum(work[other] for other in later) / work[phase]

    def seconds_left(self, *, pace: float, done: int, total: int) -> float:
        """Seconds until the end of the job.

        Args:
            pace: Seconds per unit of the phase.
            done: Units of the phase that are done.
            total: Units of the phase in all.
        """
        return round(pace * (total - done + total * self._later_per_now), 1)
