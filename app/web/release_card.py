"""Release cards, for the catalogue and for a steward's preview."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.access.policy import AccessState, accesses_of
from app.core.security import Caller
from app.models.distillation import Verdict
from app.models.release import Release
from app.organisations.repository import OrganisationRepository
from app.releases.duo import DuoCondition, parse_conditions
from app.releases.facts import ReleaseFacts
from app.releases.judge import Judgement
from app.releases.repository import ReleaseRepository
from app.releases.row import MODALITY, PREVIEWS_PER_CLASS
from app.web.utility import Utility, utility_of

PICTURES = 4


@dataclass(frozen=True, kw_only=True)
class Card:
    """A release at a glance; `id` is None where it is not there yet."""

    id: str | None
    title: str
    summary: str
    organisation: str
    number: int
    created_at: datetime
    modality: str
    classes: Sequence[str]
    images: int
    images_per_class: int
    image_size: int
    utility: Sequence[Utility]
    verdict: Verdict
    terms: str
    duo: Sequence[DuoCondition]
    embargo_until: datetime | None
    pictures: Sequence[str]
    state: AccessState


def cards(session: Session, caller: Caller, rows: Sequence[Release]) -> list[Card]:
    """In few queries for many."""
    names = OrganisationRepository(session).names_of([row.organisation_id for row in rows])
    classes = ReleaseRepository(session).classes([row.id for row in rows])
    accesses = accesses_of(session, caller, rows)
    return [
        Card(
            id=row.id,
            title=row.title,
            summary=row.summary,
            organisation=names[row.organisation_id],
            number=row.number,
            created_at=row.created_at,
            modality=row.modality,
            classes=classes[row.id],
            images=row.images,
            images_per_class=row.images_per_class,
            image_size=row.image_size,
            utility=utility_of(row.facts),
            verdict=row.verdict,
            terms=row.terms_template,
            duo=parse_conditions(row.duo_codes),
            embargo_until=row.embargo_until,
            pictures=_pictures(row, len(classes[row.id]), accesses[row.id].state),
            state=accesses[row.id].state,
        )
        for row in rows
    ]


def drafted(judgement: Judgement, facts: ReleaseFacts, terms: str) -> Card:
    """Card of a release before it is published."""
    report = judgement.report
    assert judgement.distillation.verdict is not None, "a release needs a verdict"
    return Card(
        id=None,
        title=facts.title,
        summary=facts.summary,
        organisation=facts.organisation,
        number=facts.number,
        created_at=facts.created_at,
        modality=MODALITY,
        classes=list(report["dataset"]["classes"]),
        images=int(report["utility"]["distilled"]["training_images"]),
        images_per_class=int(report["images_per_class"]),
        image_size=int(report["settings"]["image_size"]),
        utility=utility_of(report),
        verdict=judgement.distillation.verdict,
        terms=terms,
        duo=parse_conditions(facts.duo),
        embargo_until=facts.embargo_until,
        pictures=(),
        state=AccessState.OWNER,
    )


def _pictures(row: Release, classes: int, state: AccessState) -> list[str]:
    """Addresses of the first picture of each class, without a look into the storage."""
    if not row.previews and state not in (AccessState.OWNER, AccessState.GRANTED):
        return []
    step = min(PREVIEWS_PER_CLASS, max(1, row.images_per_class))
    positions = range(0, classes * step, step)[:PICTURES]
    return [f"/api/v1/releases/{row.id}/previews/{position}" for position in positions]
