"""Drains the service: no worker takes work, and running steps are given back with a checkpoint."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import leases
from app.core.clock import utc_now
from app.models.audit_twin import AuditTwin
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.forecast import Forecast
from app.models.service_state import ONLY, ServiceState
from app.models.teacher import Teacher
from app.models.text_scan import TextScan
from app.models.training import Training

WORKED_ON: tuple[type[Any], ...] = (
    *(Dataset, TextScan, Distillation, Teacher, AuditTwin),
    *(Training, Forecast),
)
"""Tables of the rows that workers hold."""


def drained_since(session: Session) -> datetime | None:
    """Since when the service is drained; None: it is not."""
    return session.scalar(select(ServiceState.drained_at).where(ServiceState.id == ONLY))


def drain(session: Session) -> None:
    """Have workers take no work, and give back what they have at their next step."""
    state = _state(session)
    state.drained_at = state.drained_at or utc_now()


def resume(session: Session) -> None:
    """Have workers take work again."""
    _state(session).drained_at = None


def held_rows(session: Session) -> int:
    """Rows that a worker still has."""
    now = utc_now()
    return sum(
        session.scalar(select(func.count()).select_from(model).where(leases.is_held(model, now)))
        or 0
        for model in WORKED_ON
    )


def _state(session: Session) -> ServiceState:
    state = session.get(ServiceState, ONLY)
    if state is None:
        state = ServiceState(id=ONLY)
        session.add(state)
    return state
