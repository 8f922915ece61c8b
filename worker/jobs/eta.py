"""How long the rest of a job takes, from the time of a unit of the phase that it is in.

That time is measured; the proportions of the phases are those of the forecast's arithmetic on a
nominal device.
"""

from app.core.types import JsonObject
from app.models import DistillationStatus
from iadd.config import Config
from iadd.forecast.arithmetic import Job, forecast_job
from iadd.forecast.nominal import nominal_benchmark


class RemainingTime:
    """Remaining time of one job, in one of its phases.

    Args:
        phase: The phase that it is in. Audit and packaging do not take long: they are left out.
        settings: `Config.to_dict()` of the job; None while it is not started.
        classes: Images per class and split, as the dataset has them.
    """

    def __init__(
        self, phase: DistillationStatus, settings: JsonObject | None, classes: JsonObject | None
    ) -> None:
        self._later_per_now = 0.0
        if settings is not None and classes:
            config = Config.from_dict(settings)
            seconds = forecast_job(nominal_benchmark(config), Job.of(config, classes)).statuses
            phases = list(seconds)
            if seconds.get(phase, 0.0) > 0:
                later = phases[phases.index(phase) + 1 :]
                self._later_per_now = sum(seconds[name] for name in later) / seconds[phase]

    def seconds_left(
        self, *, seconds_per_unit: float | None, done: int, total: int
    ) -> float | None:
        """Seconds until the end of the job.

        Args:
            seconds_per_unit: Of the phase; None while it is not known, and then the result is too.
            done: Units of the phase that are done.
            total: Units of the phase in all.
        """
        if seconds_per_unit is None:
            return None
        return round(seconds_per_unit * (total - done + total * self._later_per_now), 1)
