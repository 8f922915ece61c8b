"""Phases of a distillation for pages: finished, running, pending."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.clock import utc_now
from app.models.distillation import PHASES, Distillation, DistillationStatus

SILENT = timedelta(minutes=3)
"""A worker writes what it did every few seconds; after this long something has happened to it."""


class PhaseState(StrEnum):
    DONE = "done"
    RUNS = "runs"
    STOPPED = "stopped"
    WAITS = "waits"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase.

    Attributes:
        name: As its status is called.
        state: Finished, running or pending.
        done: Units that are done; None before the first report.
        total: Units in all.
        unit: Unit of the counts.
        took: Seconds of work in it so far.
        left: Seconds until its end at its speed so far; None where there is none yet.
        expected: Seconds of the forecast; None where there was none.
    """

    name: str
    state: PhaseState
    done: int | None
    total: int | None
    unit: str | None
    took: float | None
    left: float | None
    expected: float | None


def phases_of(row: Distillation, expected: Mapping[str, float]) -> list[Phase]:
    """Every phase, in its order; `expected` are the forecast seconds of each."""
    present = row.phase
    at = PHASES.index(present) if present is not None else -1
    return [
        _phase(row, name, _state(row, index, at), expected.get(name.value))
        for index, name in enumerate(PHASES)
    ]


def _phase(
    row: Distillation, name: DistillationStatus, state: PhaseState, expected: float | None
) -> Phase:
    reported = row.phases.get(name.value) or {}
    took = row.timings.get(name.value)
    done, total = reported.get("done"), reported.get("total")
    left = None
    if state == PhaseState.RUNS and took and done and total:
        left = took / done * (total - done)
        if row.eta_seconds is not None:  # measured without the slow first steps
            left = min(left, row.eta_seconds)
    return Phase(
        name=name.value,
        state=state,
        done=done,
        total=total,
        unit=reported.get("unit"),
        took=took,
        left=left,
        expected=expected,
    )


def _state(row: Distillation, index: int, at: int) -> PhaseState:
    if row.status == DistillationStatus.READY or index < at:
        return PhaseState.DONE
    if index > at:
        return PhaseState.WAITS
    return PhaseState.STOPPED if row.status.is_final else PhaseState.RUNS


def silent_since(row: Distillation) -> datetime | None:
    """Last sign of life of a running one, if it is suspiciously old."""
    runs = row.status in PHASES
    return row.updated_at if runs and utc_now() - row.updated_at > SILENT else None
