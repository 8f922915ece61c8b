"""Row counts for Prometheus, read from the database at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.core.clock import utc_now
from app.core.db import Database
from app.maintenance.drain import drained_since
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.scheduled_backup import ONLY as SCHEDULED
from app.models.scheduled_backup import BackupStatus, ScheduledBackup
from app.models.teacher import Teacher


class Maintenance(Collector):
    """Whether the service is drained, and how old its last good backup is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """As of `RowCounts`: registering queries no database."""
        yield GaugeMetricFamily("exchange_drained", "1 while no worker takes work.")
        yield GaugeMetricFamily(
            "exchange_backup_age_seconds", "Since the last good scheduled backup."
        )
        yield GaugeMetricFamily("exchange_backup_failed", "1 after a scheduled backup that failed.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        drained, age, failed = self.describe()
        with self._database.reading() as session:
            drained.add_metric([], drained_since(session) is not None)
            backup = session.get(ScheduledBackup, SCHEDULED)
        yield drained
        if backup is not None:
            failed.add_metric([], backup.status == BackupStatus.FAILED)
            yield failed
        if backup is not None and backup.made_at is not None:
            age.add_metric([], (utc_now() - backup.made_at).total_seconds())
            yield age


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
