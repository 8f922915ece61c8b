"""What Prometheus reads at /metrics. Numbers of rows by status come from the database."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from app.core.db import Database
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.teacher import Teacher

# Anything else is counted as one: a client must not be able to make a new time series a request.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Rows(Collector):
    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Registering asks for nothing from the database, which may not be migrated yet."""
        yield GaugeMetricFamily("exchange_rows", "Rows by table and status.")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(
            "exchange_rows", "Rows by table and status.", labels=["table", "status"]
        )
        with self._database.reading() as session:
            for model in (Dataset, Distillation, Teacher):
                query = select(model.status, func.count()).group_by(model.status)
                for status, count in session.execute(query):
                    gauge.add_metric([model.__tablename__, status.value], count)
        yield gauge


class Metrics:
    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(Rows(database))
        self._requests = Counter(
            "exchange_http_requests",
            "Requests answered.",
            ["method", "operation", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "exchange_http_request_seconds",
            "Seconds until the reply began.",
            ["method", "operation"],
            registry=self._registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
        )

    def observe_request(self, *, method: str, operation: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        self._requests.labels(known, operation, str(status)).inc()
        self._seconds.labels(known, operation).observe(seconds)

    def render(self) -> bytes:
        return generate_latest(self._registry)
