"""Progress of an archive's check: a fragment that the dataset's page polls."""

import hashlib
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.dependencies import ReadSession, WriteSession
from app.datasets import service
from app.datasets.repository import DatasetRepository
from app.models.dataset import Dataset, DatasetStatus
from app.web.dependencies import Reader, Uploader
from app.web.render import go_to, page

router = APIRouter()

PHASES = ("fetching", "listing", "reading", "comparing", "storing")
COMPOSING = ("fetching", "comparing", "storing")
"""Of pictures that were read before: after a decision, and after a withdrawal."""
KNOWN = ("waiting", "removing", "drawing", *PHASES)


@dataclass(frozen=True)
class Step:
    name: str
    state: str
    """`done`, `now` or `later`."""


@dataclass(frozen=True)
class Check:
    """State of a check that waits or runs.

    Attributes:
        phase: `waiting` until a worker has taken it.
        done: Units that are done; None where the phase does not count.
        steps: All phases of this check, in their order.
        mark: Changes with what is to be seen.
    """

    phase: str
    done: int | None
    total: int | None
    unit: str | None
    steps: tuple[Step, ...]
    mark: str


def read_check(dataset: Dataset) -> Check | None:
    """State of the running check; None where there is none."""
    if dataset.status != DatasetStatus.CHECKING:
        return None
    progress = dataset.progress or {}
    phase = str(progress.get("phase", "waiting"))
    if phase not in KNOWN:
        phase = "reading"  # of a newer worker
    phases: tuple[str, ...] = ("waiting", *(PHASES if dataset.read_key is None else COMPOSING))
    if dataset.withdrawal_id is not None:
        phases = ("waiting", "removing", *phases[1:])
    elif dataset.is_sample:
        phases = ("waiting", "drawing", *PHASES)
    if phase == "reading" and phase not in phases:
        phase = "comparing"
    at = phases.index(phase) if phase in phases else 0
    return Check(
        phase=phase,
        done=progress.get("done"),
        total=progress.get("total"),
        unit=progress.get("unit"),
        steps=tuple(
            Step(name, "done" if place < at else "now" if place == at else "later")
            for place, name in enumerate(phases)
        ),
        mark=hashlib.sha256(repr(sorted(progress.items())).encode()).hexdigest()[:12],
    )


@router.get("/datasets/{dataset_id}/check")
def show_check(
    request: Request, session: ReadSession, caller: Reader, dataset_id: str, seen: str = ""
) -> Response:
    """The fragment; nothing where it is what was `seen`, and a new page once the check is over."""
    dataset = DatasetRepository(session).readable_by(caller).get(dataset_id)
    check = read_check(dataset)
    if check is None:
        return Response(headers={"HX-Refresh": "true"})
    if check.mark == seen:
        return Response(status_code=204)
    return page(request, "datasets/check.html", dataset=dataset, check=check)


@router.post("/datasets/{dataset_id}/check/cancel")
def cancel_check(
    request: Request, session: WriteSession, caller: Uploader, dataset_id: str
) -> Response:
    service.cancel_check(session, caller, dataset_id)
    return go_to(request, f"/datasets/{dataset_id}", note="note-check-cancelled")


@router.post("/datasets/{dataset_id}/check")
def check_again(
    request: Request, session: WriteSession, caller: Uploader, dataset_id: str
) -> Response:
    """After a fault of the service: what was uploaded is checked once more."""
    service.check_again(session, caller, dataset_id)
    return go_to(request, f"/datasets/{dataset_id}")
