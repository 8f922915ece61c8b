"""The state of the service for Prometheus, read at each scrape: ids, names and texts of nobody.

Workers have no port of their own: what they measure is in the database.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.outbox import Outbox
from app.core.portal import Portal
from app.core.queue import Queue
from app.maintenance.drain import drained_since
from app.maintenance.workers import working_workers
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import PHASES, Distillation, DistillationStatus
from app.models.scheduled_backup import ONLY as SCHEDULED
from app.models.scheduled_backup import BackupStatus, ScheduledBackup
from app.models.teacher import Teacher
from app.notifications.repository import MAILS
from app.operations.failures import failures_since
from app.operations.repository import OperationsRepository
from app.scheduling.duties import duties_of
from app.scheduling.turns import used_seconds
from app.webhooks.repository import DELIVERIES

logger = logging.getLogger(__name__)

WINDOWS = {"1h": timedelta(hours=1), "24h": timedelta(days=1)}
_OUTBOXES: dict[str, Outbox[Any]] = {"mail": MAILS, "webhook": DELIVERIES}


class ServiceState(Collector):
    """Gauges of one portal and of the database that all portals share."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def describe(self) -> Iterable[Metric]:
        """Registering queries no database, which may not be migrated yet."""
        return [*_of_process(self._portal), *DatabaseMetrics().all()]

    def collect(self) -> Iterator[Metric]:
        yield from _of_process(self._portal)
        families = DatabaseMetrics()
        try:
            with self._portal.database.reading() as session:
                families.read(session, utc_now())
        except SQLAlchemyError as error:
            # What the process knows by itself is still told, and that the rest is missing.
            logger.warning("metrics without the database: %s", type(error).__name__)
            families = DatabaseMetrics()
            families.up.add_metric([], 0)
        else:
            families.up.add_metric([], 1)
        yield from families.all()


def _of_process(portal: Portal) -> Iterator[Metric]:
    info = GaugeMetricFamily("exchange_info", "Version of the portal.", labels=["version"])
    info.add_metric([version("iadd-exchange")], 1)
    yield info
    rounds = GaugeMetricFamily(
        "exchange_round_timestamp_seconds",
        "When a periodic task of this portal last ended a round.",
        labels=["task"],
    )
    for task, ended_at in portal.rounds.ended_at().items():
        rounds.add_metric([task], ended_at)
    yield rounds
    if (free := portal.reserve.free_bytes) is not None:
        yield GaugeMetricFamily(
            "exchange_disc_free_bytes", "Free on the fullest disc of the data.", value=free
        )
    yield GaugeMetricFamily(
        "exchange_disc_reserve_bytes",
        "Below so much free room uploads are refused (EXCHANGE_RESERVE_BYTES).",
        value=portal.settings.reserve_bytes,
    )


class DatabaseMetrics:
    """What the database says, each with its name, its meaning and its labels."""

    def __init__(self) -> None:
        self.up = GaugeMetricFamily("exchange_database_up", "1 if the database answered.")
        self.rows = GaugeMetricFamily(
            "exchange_rows", "Rows by table and status.", labels=["table", "status"]
        )
        self.queue = GaugeMetricFamily(
            "exchange_queue_rows",
            "Rows with work for a queue: waiting, or held by a worker.",
            labels=["queue", "state"],
        )
        self.oldest = GaugeMetricFamily(
            "exchange_queue_oldest_seconds",
            "Seconds since the row that has waited longest was touched; 0: none waits.",
            labels=["queue"],
        )
        self.workers = GaugeMetricFamily(
            "exchange_workers",
            "Worker processes that live and take work, by queue.",
            labels=["queue"],
        )
        self.used = GaugeMetricFamily(
            "exchange_device_seconds",
            "Seconds that workers of a queue worked on what they ended within the last hour.",
            labels=["queue"],
        )
        self.failures = GaugeMetricFamily(
            "exchange_failures",
            "Jobs that failed in the last hour, and in the last day, by code of the problem.",
            labels=["kind", "problem", "window"],
        )
        self.phases = SummaryMetricFamily(
            "exchange_phase_seconds",
            "Seconds of work in each phase of the distillations that are ready.",
            labels=["phase", "preset"],
        )
        self.pending = GaugeMetricFamily(
            "exchange_outbox_pending", "Messages that were not sent yet.", labels=["outbox"]
        )
        self.pending_oldest = GaugeMetricFamily(
            "exchange_outbox_oldest_seconds",
            "Age of the oldest of them; 0: there is none.",
            labels=["outbox"],
        )

        self.drained = GaugeMetricFamily("exchange_drained", "1 while no worker takes work.")
        self.backup_age = GaugeMetricFamily(
            "exchange_backup_age_seconds", "Since the last good scheduled backup."
        )
        self.backup_failed = GaugeMetricFamily(
            "exchange_backup_failed", "1 after a scheduled backup that failed."
        )

    def all(self) -> list[Metric]:
        return list(vars(self).values())

    def read(self, session: Session, now: datetime) -> None:
        self._read_rows(session)
        self._read_queues(session, now)
        for window, length in WINDOWS.items():
            for found in failures_since(session, now - length):
                self.failures.add_metric([found.kind, found.problem, window], found.count)
        self._read_phases(session)
        self._read_outboxes(session, now)
        self._read_maintenance(session, now)

    def _read_rows(self, session: Session) -> None:
        for model in (Dataset, Distillation, Teacher, AuditTwin):
            query = select(model.status, func.count()).group_by(model.status)
            for status, count in session.execute(query):
                self.rows.add_metric([model.__tablename__, status.value], count)

    def _read_queues(self, session: Session, now: datetime) -> None:
        operations = OperationsRepository(session)
        working = working_workers(session)
        for queue in Queue:
            loads = [operations.load(duty, now) for duty in duties_of(queue)]
            since = min((load.oldest for load in loads if load.oldest is not None), default=None)
            self.queue.add_metric([queue, "waiting"], sum(load.waiting for load in loads))
            self.queue.add_metric([queue, "held"], sum(load.held for load in loads))
            self.oldest.add_metric([queue], _age(since, now))
            self.workers.add_metric([queue], sum(queue in worker.queues for worker in working))
            used = used_seconds(session, queue, now - WINDOWS["1h"])
            self.used.add_metric([queue], sum(used.values()))

    def _read_phases(self, session: Session) -> None:
        seconds = [Distillation.timings[phase.value].as_float() for phase in PHASES]
        columns = [(func.count(each), func.coalesce(func.sum(each), 0.0)) for each in seconds]
        query = (
            select(Distillation.preset, *[one for pair in columns for one in pair])
            .where(Distillation.status == DistillationStatus.READY)
            .group_by(Distillation.preset)
        )
        for preset, *found in session.execute(query):
            for number, phase in enumerate(PHASES):
                count, total = found[2 * number : 2 * number + 2]
                self.phases.add_metric([phase.value, preset], count_value=count, sum_value=total)

    def _read_outboxes(self, session: Session, now: datetime) -> None:
        for name, outbox in _OUTBOXES.items():
            query = select(func.count(), func.min(outbox.model.created_at))
            count, since = session.execute(query.where(outbox.status == outbox.pending)).one()
            self.pending.add_metric([name], count)
            self.pending_oldest.add_metric([name], _age(since, now))

    def _read_maintenance(self, session: Session, now: datetime) -> None:
        self.drained.add_metric([], drained_since(session) is not None)
        backup = session.get(ScheduledBackup, SCHEDULED)
        if backup is None:
            return
        self.backup_failed.add_metric([], backup.status == BackupStatus.FAILED)
        if backup.made_at is not None:
            self.backup_age.add_metric([], _age(backup.made_at, now))


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
