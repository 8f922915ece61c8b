from fastapi import APIRouter

from app.auth.dependencies import Requester
from app.core.dependencies import PortalDep, WriteSession
from app.core.schemas import problems
from app.idempotency import RepeatableDep
from app.organisations.repository import OrganisationRepository
from app.releases.schemas import ScoreRead
from app.releases.service import read_score
from app.scores import service
from app.scores.schemas import ScoreCreate

router = APIRouter(tags=["scores"], responses=problems(401, 403, 422))


@router.post(
    "/releases/{release_id}/scores", status_code=201, responses=problems(400, 404, 409, 413)
)
def send_score(
    release_id: str,
    body: ScoreCreate,
    session: WriteSession,
    portal: PortalDep,
    caller: Requester,
    repeatable: RepeatableDep,
) -> ScoreRead:
    """Send a signed score: accuracy of networks trained on a release, on own test images."""

    def send() -> ScoreRead:
        score = service.send(portal, session, caller, release_id, body)
        names = OrganisationRepository(session).names_of([score.organisation_id])
        return read_score(score, names[score.organisation_id])

    return repeatable.once(session, caller, ScoreRead, send)
