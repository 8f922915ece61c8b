"""Row counts for Prometheus, read from the database at each scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.core.db import Database
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.teacher import Teacher


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
