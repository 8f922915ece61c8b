"""Progress of a job: from iadd's `on_progress` to the row and its events, at most once a second.

Both listeners check the claimed row first: the report of a step is where a run is stopped.
"""

import time

from sqlalchemy.orm import Session

from app.core.types import JsonObject
from app.distillations.audit_twins import AuditTwinRepository
from app.distillations.repository import DistillationRepository
from app.distillations.trajectory_sets import TeacherRepository, TrajectorySetRepository
from app.models import (
    AuditTwin,
    Dataset,
    Distillation,
    DistillationStatus,
    EventKind,
    Teacher,
    TeacherStatus,
    TwinStatus,
)
from iadd.runtime.progress import Progress
from worker.jobs.eta import RemainingTime
from worker.jobs.lease import ClaimedRow
from worker.services import Services


class ThroughputMeter:
    """Seconds per unit, measured since the first unit of this run was finished.

    The first one is left out: it may compile for a minute, and always fills caches.
    """

    def __init__(self) -> None:
        self._seen: int | None = None
        self._first: tuple[float, int] | None = None

    def seconds_per_unit(self, done: int) -> float | None:
        """None until a second unit has been finished in this run."""
        now = time.monotonic()
        if self._seen is None or done < self._seen:
            self._seen, self._first = done, None
        elif self._first is None and done > self._seen:
            self._first = (now, done)
        if self._first is None or done == self._first[1]:
            return None
        since, before = self._first
        return (now - since) / (done - before)


class Throttle:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: float | None = None

    def lets_through(self, *, at_once: bool) -> bool:
        """Return True when enough time has passed since the last one that went through."""
        now = time.monotonic()
        if not at_once and self._last is not None and now - self._last < self._seconds:
            return False
        self._last = now
        return True


def _is_urgent(progress: Progress) -> bool:
    """Return True at the end of a run, and for a message: the run may be about to fail."""
    return progress.message is not None or progress.done >= progress.total


class PhaseProgress:
    """Listener of a phase that one worker runs alone."""

    def __init__(
        self, services: Services, claimed: ClaimedRow, row: Distillation, dataset: Dataset
    ) -> None:
        self._services = services
        self._remaining = RemainingTime(row.status, row.settings, dataset.classes)
        self._claimed = claimed
        self._status = row.status
        self._phase = row.status.value
        self._phases = dict(row.phases)
        self._metrics = dict(row.metrics)
        self._timings = dict(row.timings)
        self._seconds_before = float(self._timings.get(self._phase, 0.0))
        self._started_at = time.monotonic()
        self._meter = ThroughputMeter()
        self._throttle = Throttle(services.worker_settings.progress_seconds)
        self._new_metrics: dict[str, float] = {}

    def timings(self) -> JsonObject:
        """Seconds of work in each phase so far, this one's up to now."""
        if self._phase == DistillationStatus.QUEUED:
            return self._timings
        seconds = self._seconds_before + time.monotonic() - self._started_at
        return {**self._timings, self._phase: round(seconds, 3)}

    def __call__(self, progress: Progress) -> None:
        self._claimed.check()
        self._new_metrics.update(progress.metrics)
        seconds_per_unit = self._meter.seconds_per_unit(progress.done)
        if not self._throttle.lets_through(at_once=_is_urgent(progress)):
            return
        done, total = progress.done, progress.total
        eta = self._remaining.seconds_left(
            seconds_per_unit=seconds_per_unit, done=done, total=total
        )
        state = {"done": done, "total": total, "unit": progress.unit}
        self._phases[self._phase] = state
        self._metrics.update(self._new_metrics)
        with self._services.database.transaction() as session:
            repository = DistillationRepository(session)
            repository.write(
                self._claimed.row_id,
                fence=self._claimed.fencing_token,
                phases=self._phases,
                metrics=self._metrics,
                timings=self.timings(),
                eta_seconds=eta,
            )
            events = repository.events
            data = {"phase": self._phase, **state, "eta_seconds": eta}
            events.append(self._claimed.row_id, EventKind.PROGRESS, data)
            if self._new_metrics:
                values = {"phase": self._phase, "done": done, "metrics": self._new_metrics}
                events.append(self._claimed.row_id, EventKind.METRIC, dict(values))
            if progress.message is not None:
                repository.log(self._claimed.row_id, self._status, progress.message)
        self._new_metrics = {}


class TeacherProgress:
    """Listener of one teacher; writes to every distillation that waits for its set."""

    def __init__(
        self,
        services: Services,
        claimed: ClaimedRow,
        teacher: Teacher,
        dataset: Dataset,
        epochs: int,
    ) -> None:
        self._services = services
        self._claimed = claimed
        self._set_id = teacher.trajectory_set_id
        self._teacher = teacher.index
        self._classes = dataset.classes
        self._epochs = epochs
        self._written_at = time.monotonic()
        self._meter = ThroughputMeter()
        self._throttle = Throttle(services.worker_settings.progress_seconds)

    def __call__(self, progress: Progress) -> None:
        self._claimed.check()
        seconds_per_unit = self._meter.seconds_per_unit(progress.done)
        if not self._throttle.lets_through(at_once=_is_urgent(progress)):
            return
        with self._services.database.transaction() as session:
            TeacherRepository(session).write(
                self._claimed.row_id, fence=self._claimed.fencing_token, epochs_done=progress.done
            )
            teachers = TrajectorySetRepository(session).teachers(self._set_id)
            done = sum(teacher.epochs_done for teacher in teachers)
            total = len(teachers) * self._epochs
            # Several workers teach at once: together they are faster than this one alone.
            running = sum(teacher.status == TeacherStatus.RUNNING for teacher in teachers)
            if seconds_per_unit is not None:
                seconds_per_unit /= max(running, 1)
            state = {"done": done, "total": total, "unit": "epochs"}
            self._write(session, state, seconds_per_unit, progress)

    def _write(
        self,
        session: Session,
        state: JsonObject,
        seconds_per_unit: float | None,
        progress: Progress,
    ) -> None:
        now = time.monotonic()
        seconds, self._written_at = now - self._written_at, now
        repository = DistillationRepository(session)
        for row in repository.taught_by(self._set_id):
            session.refresh(row, with_for_update=True)
            if row.status != DistillationStatus.TEACHING:
                continue
            phase = row.status.value
            row.phases = {**row.phases, phase: state}
            row.timings = {**row.timings, phase: round(row.timings.get(phase, 0.0) + seconds, 3)}
            row.eta_seconds = eta = RemainingTime(
                row.status, row.settings, self._classes
            ).seconds_left(
                seconds_per_unit=seconds_per_unit, done=state["done"], total=state["total"]
            )
            data = {"phase": phase, **state, "eta_seconds": eta}
            repository.events.append(row.id, EventKind.PROGRESS, data)
            if progress.message is not None:
                repository.log(row.id, row.status, progress.message, teacher=self._teacher)
            if progress.metrics:
                data = {
                    "phase": phase,
                    "teacher": self._teacher,
                    "done": progress.done,
                    "metrics": dict(progress.metrics),
                }
                repository.events.append(row.id, EventKind.METRIC, data)


class TwinProgress:
    """Listener of some repetitions; writes to the distillation whose audit waits for them."""

    def __init__(
        self,
        services: Services,
        claimed: ClaimedRow,
        twin: AuditTwin,
    ) -> None:
        self._services = services
        self._claimed = claimed
        self._distillation_id = twin.distillation_id
        self._seconds_before = twin.seconds
        self._started_at = self._written_at = time.monotonic()
        self._done = twin.done
        self._meter = ThroughputMeter()
        self._throttle = Throttle(services.worker_settings.progress_seconds)

    def seconds(self) -> float:
        """Seconds of work on these repetitions so far, of all tries."""
        return round(self._seconds_before + time.monotonic() - self._started_at, 3)

    def __call__(self, progress: Progress) -> None:
        self._claimed.check()
        # Tries that go on begin where they stopped; a percentage never falls.
        self._done = max(self._done, int(100 * progress.done / max(progress.total, 1)))
        seconds_per_percent = self._meter.seconds_per_unit(self._done)
        if not self._throttle.lets_through(at_once=_is_urgent(progress)):
            return
        with self._services.database.transaction() as session:
            repository = AuditTwinRepository(session)
            repository.write(
                self._claimed.row_id,
                fence=self._claimed.fencing_token,
                done=self._done,
                seconds=self.seconds(),
            )
            twins = repository.of(self._distillation_id)
            done = sum(twin.done * twin.runs for twin in twins) / 100
            total = sum(twin.runs for twin in twins)
            running = sum(twin.status == TwinStatus.RUNNING for twin in twins)
            runs = next(twin.runs for twin in twins if twin.id == self._claimed.row_id)
            seconds_per_run = None
            if seconds_per_percent is not None:
                seconds_per_run = 100 * seconds_per_percent / runs / max(running, 1)
            self._write(session, done, total, seconds_per_run, progress.message)

    def _write(
        self,
        session: Session,
        done: float,
        total: int,
        seconds_per_run: float | None,
        message: str | None,
    ) -> None:
        now = time.monotonic()
        seconds, self._written_at = now - self._written_at, now
        row = session.get_one(Distillation, self._distillation_id, with_for_update=True)
        if row.status != DistillationStatus.AUDITING:
            return
        phase = row.status.value
        state = {"done": int(done), "total": total, "unit": "runs"}
        row.phases = {**row.phases, phase: state}
        row.timings = {**row.timings, phase: round(row.timings.get(phase, 0.0) + seconds, 3)}
        if seconds_per_run is not None:
            row.eta_seconds = round(seconds_per_run * (total - done), 1)
        repository = DistillationRepository(session)
        data = {"phase": phase, **state, "eta_seconds": row.eta_seconds}
        repository.events.append(row.id, EventKind.PROGRESS, data)
        if message is not None:
            repository.log(row.id, row.status, message)
