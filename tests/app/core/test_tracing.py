"""Spans reach a collector where one is set, and nothing is loaded where none is."""

import subprocess
import sys
from datetime import timedelta

import pytest

from app.core import tracing
from app.core.clock import utc_now
from app.core.settings import Settings
from app.core.tracing import Span, configure_tracing, end_tracing, record_span, trace_id_of
from tests.fixtures.otlp_receiver import otlp_receiver


@pytest.fixture
def collector(monkeypatch):
    for name in tracing.STANDARD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with otlp_receiver() as receiver:
        yield receiver
        end_tracing()


def span(name="distill", **values):
    now = utc_now()
    given = {"trace": "ds_1", "started_at": now - timedelta(seconds=2), "ended_at": now}
    return Span(name=name, attributes={"exchange.job_id": "dl_1"}, **(given | values))


def test_spans_of_a_dataset_are_in_one_trace_whoever_records_them(collector):
    for service in ("portal", "worker"):
        configure_tracing(Settings(_env_file=None, otlp_endpoint=collector.url), service)
        record_span(span(service, parent="dl_1 1"))
        expected = trace_id_of("ds_1")
        record_span(span("other", trace="ds_2"))
        end_tracing()
    configure_tracing(Settings(_env_file=None, otlp_endpoint=f"{collector.url}/"), "worker")
    record_span(span("distillation", known_as="dl_1 1"))
    end_tracing()

    [portal], [worker] = collector.named("portal"), collector.named("worker")
    [whole] = collector.named("distillation")
    assert portal.trace_id == worker.trace_id == whole.trace_id == expected
    assert portal.parent_id == worker.parent_id == whole.span_id
    assert portal.span_id != worker.span_id
    assert portal.service == "iadd-exchange-portal"
    assert 1.9e9 < portal.ended_at - portal.started_at < 2.1e9
    assert portal.attributes == {"exchange.job_id": "dl_1"}
    assert {other.trace_id for other in collector.named("other")} != {expected}


def test_a_failed_step_tells_its_code(collector):
    configure_tracing(Settings(_env_file=None, otlp_endpoint=collector.url), "worker")
    record_span(span(failed="out-of-memory"))
    end_tracing()

    assert [found.failed for found in collector.spans()] == ["out-of-memory"]


def test_the_standard_variable_is_enough(collector, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)

    configure_tracing(Settings(_env_file=None), "portal")
    record_span(span())
    end_tracing()

    assert len(collector.spans()) == 1


def test_without_a_collector_nothing_is_recorded_or_loaded():
    assert trace_id_of("ds_1") is None
    record_span(span())
    code = """
import sys
from app.core.settings import Settings
from app.core.tracing import configure_tracing, is_tracing
configure_tracing(Settings(_env_file=None), "portal")
assert not is_tracing()
assert "opentelemetry.sdk" not in sys.modules
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_a_missing_extra_is_said_and_the_portal_runs_on(collector, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = Settings(_env_file=None, otlp_endpoint=collector.url)

    configure_tracing(settings, "portal")

    assert not tracing.is_tracing()
    assert "iadd-exchange[tracing]" in caplog.text
