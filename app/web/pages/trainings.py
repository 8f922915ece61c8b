"""Pages of trainings on received releases."""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.access.policy import AccessState, accesses_of
from app.access.repository import AccessRepository, Direction
from app.core.dependencies import Cursor, ReadSession, WriteSession
from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.models.dataset import DatasetStatus
from app.models.release import Release, ReleaseStatus
from app.models.training import OPEN, UNFINISHED
from app.releases.repository import ReleaseRepository
from app.trainings import service
from app.trainings.repository import TrainingRepository
from app.trainings.schemas import TableRow, TrainingConfirm, TrainingCreate
from app.web.dependencies import Distiller, Reader
from app.web.forms import Sent, checked
from app.web.render import go_to, page

router = APIRouter()

ON_A_PAGE = 50
MOST = 200
MOST_DIGITS = 18


class TrainingForm(BaseModel):
    dataset: str = ""
    release: list[str] = []
    rows: list[str] = []
    own_per_class: str = ""
    networks: str = "5"

    def body(self) -> TrainingCreate:
        """Raises Invalid."""
        return checked(
            TrainingCreate,
            dataset_id=self.dataset,
            release_ids=self.release,
            rows=self.rows or list(TableRow),
            own_per_class=_number(self.own_per_class),
            networks=_number(self.networks),
        )


class MapForm(BaseModel):
    """One entry a class of each release, side by side; an own class of none leaves it out."""

    release: list[str] = []
    theirs: list[str] = []
    ours: list[str] = []

    def body(self) -> TrainingConfirm:
        """Raises Invalid."""
        maps: dict[str, dict[str, str | None]] = {}
        for release, theirs, ours in zip(self.release, self.theirs, self.ours, strict=False):
            maps.setdefault(release, {})[theirs] = ours or None
        return checked(TrainingConfirm, class_maps=maps)


def _number(text: str) -> int | str | None:
    """The number, or the text as typed, which the schema then rejects."""
    text = text.strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if is_number else text or None


@router.get("/trainings")
def show_trainings(
    request: Request, session: ReadSession, caller: Reader, cursor: Cursor = None
) -> Response:
    found = TrainingRepository(session).readable_by(caller).page(cursor=cursor, limit=ON_A_PAGE)
    ids = [release_id for row in found.items for release_id in row.release_ids]
    return page(
        request,
        "trainings/trainings.html",
        found=found,
        datasets=DatasetRepository(session)
        .readable_by(caller)
        .names_of([row.dataset_id for row in found.items]),
        releases=ReleaseRepository(session).find(ids),
    )


@router.get("/trainings/new")
def show_training_form(
    request: Request, session: ReadSession, caller: Distiller, release: str = ""
) -> Response:
    found = DatasetRepository(session).readable_by(caller).page(cursor=None, limit=MOST)
    return page(
        request,
        "trainings/new.html",
        datasets=[row for row in found.items if row.status == DatasetStatus.READY],
        releases=_at_hand(session, caller, release),
        chosen=release,
        rows=list(TableRow),
    )


def _at_hand(session: Session, caller: Caller, chosen: str) -> list[Release]:
    """Releases that the caller's organisation has, or made: the one that was chosen comes first."""
    mine = AccessRepository(session).readable_by(caller)
    granted = mine.grants(Direction.SENT, None, cursor=None, limit=MOST).items
    releases = ReleaseRepository(session)
    found = releases.find([grant.release_id for grant in granted])
    own = releases.readable_by(caller).own_page(cursor=None, limit=MOST).items
    rows = [*found.values(), *own]
    accesses = accesses_of(session, caller, rows)
    usable = [
        row
        for row in rows
        if row.status != ReleaseStatus.WITHDRAWN
        and accesses[row.id].state in (AccessState.OWNER, AccessState.GRANTED)
    ]
    return sorted(usable, key=lambda row: (row.id != chosen, row.title))


@router.post("/trainings")
def start_training(
    request: Request, session: WriteSession, caller: Distiller, form: Sent[TrainingForm]
) -> Response:
    row = service.start(session, caller, form.body())
    return go_to(request, f"/trainings/{row.id}", note="note-training-started")


@router.get("/trainings/{training_id}")
def show_training(
    request: Request, training_id: str, session: ReadSession, caller: Reader
) -> Response:
    """The page of a training, which its script reloads while it runs."""
    row = TrainingRepository(session).readable_by(caller).get(training_id)
    releases = ReleaseRepository(session).find(row.release_ids)
    return page(
        request,
        "trainings/training.html",
        training=row,
        dataset=DatasetRepository(session).load(row.dataset_id),
        releases=releases,
        runs=row.status in UNFINISHED,
        can_stop=row.status in OPEN and row.cancel_requested_at is None,
        may_score=_scored(caller, list(releases.values())),
    )


def _scored(caller: Caller, releases: list[Release]) -> Release | None:
    """True if its score can be sent: it has one release, of another organisation."""
    if len(releases) == 1 and releases[0].organisation_id != caller.organisation_id:
        return releases[0]
    return None


@router.post("/trainings/{training_id}/confirm")
def confirm_training(
    request: Request,
    training_id: str,
    session: WriteSession,
    caller: Distiller,
    form: Sent[MapForm],
) -> Response:
    service.confirm(session, caller, training_id, form.body())
    return go_to(request, f"/trainings/{training_id}", note="note-training-confirmed")


@router.post("/trainings/{training_id}/cancel")
def cancel_training(
    request: Request, training_id: str, session: WriteSession, caller: Distiller
) -> Response:
    service.cancel(session, caller, training_id)
    return go_to(request, f"/trainings/{training_id}", note="note-training-cancelled")
