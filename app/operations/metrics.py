"""Rows and workers for Prometheus, read from the database at each scrape."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import Queue
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.teacher import Teacher
from app.models.worker_process import WorkerProcess
from app.operations.service import ALIVE_FOR


class RowCounts(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Registering queries no database, which may not be migrated yet."""
        yield GaugeMetricFamily("exchange_rows", "Rows by table and status.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "exchange_rows", "Rows by table and status.", labels=["table", "status"]
        )
        with self._database.reading() as session:
            for model in (Dataset, Distillation, Teacher, AuditTwin):
                query = select(model.status, func.count()).group_by(model.status)
                for status, count in session.execute(query):
                    gauge.add_metric([model.__tablename__, status.value], count)
        yield gauge


class LiveWorkers(Collector):
    """Worker processes with a recent heartbeat, for each queue; 0 where none serves it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("exchange_workers", "Live workers by queue.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily("exchange_workers", "Live workers by queue.", labels=["queue"])
        recent = select(WorkerProcess.queues).where(WorkerProcess.seen_at > utc_now() - ALIVE_FOR)
        with self._database.reading() as session:
            counts = Counter(name for queues in session.scalars(recent) for name in queues)
        for queue in Queue:
            gauge.add_metric([queue.value], counts[queue.value])
        yield gauge
