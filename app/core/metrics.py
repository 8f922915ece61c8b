"""Request counts and durations for Prometheus at /metrics, and other packages' collectors."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector

# Anything else is counted as one: a client must not be able to make a new time series a request.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    def __init__(self, *collectors: Collector) -> None:
        self._registry = CollectorRegistry()
        for collector in collectors:
            self._registry.register(collector)
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
