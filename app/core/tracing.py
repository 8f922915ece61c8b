"""Spans for an OpenTelemetry collector, where one is set. Without one nothing is imported.

All work on a dataset is one trace, whose id follows from the dataset's id (docs/adr/042). So no
message carries a context: what a lost message, a killed worker or the sweeper repeats is in the
same trace. A span is recorded when it ends, with ids, names and numbers of ours alone.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from app.core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

STANDARD_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Attributes = dict[str, str | int | float | bool]

_provider: "TracerProvider | None" = None
_given: ContextVar[tuple[int, int | None]] = ContextVar("given_ids")
_started: ContextVar[list[tuple[str, str]] | None] = ContextVar("started_jobs", default=None)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span that has ended.

    Attributes:
        name: What was done.
        trace: Id of the dataset whose trace it is in.
        started_at: When it began.
        ended_at: When it ended.
        parent: What the span around it is `known_as`; None at the top.
        known_as: A name that spans inside of it use as their parent; None where it has none.
        failed: Code or kind of the failure, and never its text.
        attributes: Ids and numbers.
    """

    name: str
    trace: str
    started_at: datetime
    ended_at: datetime
    parent: str | None = None
    known_as: str | None = None
    failed: str | None = None
    attributes: Attributes


def configure_tracing(settings: Settings, service: str) -> None:
    """Send spans from now on, if a collector is set; called once in a process, after any fork.

    Args:
        settings: Of this process.
        service: `portal` or `worker`.
    """
    global _provider
    standard = any(os.environ.get(name) for name in STANDARD_VARIABLES)
    if not settings.otlp_endpoint and not standard:
        return
    try:
        _provider = _make_provider(settings.otlp_endpoint, service)
    except ModuleNotFoundError as error:
        logger.warning(
            "no traces are sent: %s is missing; pip install 'iadd-exchange[tracing]'", error.name
        )


def end_tracing() -> None:
    """Send what was recorded, and record no more."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def is_tracing() -> bool:
    return _provider is not None


def trace_id_of(dataset_id: str) -> str | None:
    """The trace of a dataset, as logs and collectors write it; None without a collector."""
    return f"{_trace_number(dataset_id):032x}" if is_tracing() else None


def record_span(span: Span) -> None:
    """Hand a span to the exporter's thread; does nothing without a collector."""
    if _provider is None:
        return
    from opentelemetry import trace

    number = _trace_number(span.trace)
    around = trace.set_span_in_context(trace.INVALID_SPAN)
    if span.parent is not None:
        known = trace.SpanContext(
            number, _span_number(span.parent), is_remote=True, trace_flags=trace.TraceFlags(1)
        )
        around = trace.set_span_in_context(trace.NonRecordingSpan(known))
    own = None if span.known_as is None else _span_number(span.known_as)
    token = _given.set((number, own))
    try:
        opened = _provider.get_tracer(__name__).start_span(
            span.name, around, attributes=span.attributes, start_time=_nanoseconds(span.started_at)
        )
    finally:
        _given.reset(token)
    if span.failed is not None:
        opened.set_status(trace.Status(trace.StatusCode.ERROR, span.failed))
    opened.end(_nanoseconds(span.ended_at))


@contextmanager
def jobs_started() -> Iterator[list[tuple[str, str]]]:
    """Collect the messages that are sent within the block, as pairs of task and row id."""
    found: list[tuple[str, str]] = []
    token = _started.set(found)
    try:
        yield found
    finally:
        _started.reset(token)


def note_job(task: str, row_id: str) -> None:
    """Note a message that was sent, for who collects them."""
    collecting = _started.get()
    if collecting is not None:
        collecting.append((task, row_id))


def _make_provider(endpoint: str, service: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class GivenIds(RandomIdGenerator):
        """Ids that follow from ids of rows."""

        def generate_trace_id(self) -> int:
            return _given.get()[0]

        def generate_span_id(self) -> int:
            return _given.get()[1] or super().generate_span_id()

    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": f"iadd-exchange-{service}",
                "service.version": version("iadd-exchange"),
            }
        ),
        id_generator=GivenIds(),
        shutdown_on_exit=False,
    )
    address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(address)))
    return provider


def _trace_number(seed: str) -> int:
    return _number(f"trace {seed}", 16)


def _span_number(seed: str) -> int:
    return _number(f"span {seed}", 8)


def _number(seed: str, size: int) -> int:
    # Zero is no id; a hash is never that.
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:size])


def _nanoseconds(when: datetime) -> int:
    return int(when.timestamp() * 1_000_000) * 1000


def attributes_of(**known: Any) -> Attributes:
    """Attributes of a span by their short names, without those that are not known."""
    return {f"exchange.{name}": value for name, value in known.items() if value is not None}
