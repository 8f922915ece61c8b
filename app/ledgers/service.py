"""What the ledger of a dataset says: its reads, and the ε that they have spent."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.ledgers.repository import LedgerRepository
from app.ledgers.schemas import LedgerRead, ReadsRead, RunRead
from app.ledgers.store import event_of
from app.models.ledger_event import LedgerEvent
from iadd.config import Config
from iadd.dp.accountant import epsilon_of
from iadd.dp.ledger import INTERNAL, counts_of

USUAL_DELTA = 1e-5
"""δ at which ε is told, unless another is asked for."""


def read(session: Session, caller: Caller, dataset_id: str, *, delta: float) -> LedgerRead:
    """The ledger of a dataset, for its owner.

    Args:
        session: Of the database.
        caller: Who asks.
        dataset_id: A version of the dataset; all have the same ledger.
        delta: δ at which ε is computed.

    Raises:
        DatasetNotFound: When it is not the caller's.
    """
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    rows = LedgerRepository(session).events(dataset.line_id)
    runs = dict.fromkeys(row.run for row in rows if row.mechanism is not None)
    return LedgerRead(
        dataset_id=dataset.id,
        delta=delta,
        epsilon=_finite(_epsilon(rows, delta)),
        runs=[
            RunRead(
                run=run, epsilon=_finite(_epsilon([row for row in rows if row.run == run], delta))
            )
            for run in runs
        ],
        not_covered=len({row.run for row in rows if _is_exact_and_may_leave(row)}),
        reads=_grouped(rows),
    )


def with_spent(session: Session, dataset_id: str, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """A proven report as the ledger proves it now; without a proof where it does no longer.

    A report states what was spent when it was written. Since then other runs may have spent more,
    and whoever decides on a release has seen those too.
    """
    privacy = report.get("privacy") or {}
    proof = privacy.get("proof")
    if not isinstance(proof, Mapping) or "delta" not in proof or "epsilon" not in proof:
        return report
    ledger = LedgerRepository(session)
    rows = ledger.events(ledger.line_of(dataset_id))
    run = Config.from_dict(report["settings"]).teacher_key()
    epsilon = _epsilon(rows, float(proof["delta"]))
    if math.isinf(epsilon) or any(row.kind == "fatal" and row.run == run for row in rows):
        return {**report, "privacy": {**privacy, "proof": None}}
    if not float(proof["epsilon"]) < epsilon:
        return report
    statement = (
        f"{privacy.get('statement', '')} Since then other runs on the dataset have spent more: "
        f"ε = {epsilon:.3g} together."
    )
    now = {**privacy, "statement": statement.strip(), "proof": {**proof, "epsilon": epsilon}}
    return {**report, "privacy": now}


def _is_exact_and_may_leave(row: LedgerEvent) -> bool:
    return row.kind == "fatal" and not row.run.startswith(INTERNAL)


def _epsilon(rows: Sequence[LedgerEvent], delta: float) -> float:
    return epsilon_of(counts_of([event_of(row) for row in rows]), delta)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _grouped(rows: Sequence[LedgerEvent]) -> list[ReadsRead]:
    """Reads that differ in nothing but their time are one line, in the order of the first."""
    groups: dict[tuple[Any, ...], list[LedgerEvent]] = {}
    for row in rows:
        noise = None if row.mechanism is None else tuple(sorted(row.mechanism.items()))
        groups.setdefault((row.kind, row.purpose, row.run, noise), []).append(row)
    return [
        ReadsRead(
            kind=own[0].kind,
            purpose=own[0].purpose,
            run=own[0].run,
            mechanism=own[0].mechanism,
            count=sum(row.count for row in own),
            first_at=own[0].booked_at,
            last_at=own[-1].booked_at,
        )
        for own in groups.values()
    ]
