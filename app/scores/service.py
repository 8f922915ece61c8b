"""Receives signed scores: a recipient reports the utility of a release to its owner."""

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.portal import Portal
from app.core.security import Caller, Permission
from app.core.types import JsonObject
from app.models.access import Score
from app.models.release import Release
from app.models.training import TrainingStatus
from app.notifications.service import Notice, notify_organisation
from app.organisations.keys.service import signer_of
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository
from app.scores.schemas import AcceptanceScore, ScoreCreate
from app.signing.keys import Purpose, canonical, encode, rfc3339
from app.trainings.repository import TrainingRepository
from iadd.bundle.format import signed_message

MOST_SCORES = 50
"""Scores that one organisation may send for one release."""


class NotDownloaded(Forbidden):
    code = "not-downloaded"
    title = "Your organisation has not downloaded this release"


class ScoreNotUsable(Invalid):
    code = "score-not-usable"
    title = "The score does not fit the release"


class TooManyScores(Conflict):
    code = "too-many-scores"
    title = "Too many scores were sent"


def send(
    portal: Portal, session: Session, caller: Caller, release_id: str, body: ScoreCreate
) -> Score:
    """Sign what the caller's organisation measured, and show it with the release.

    An earlier score stays; a later one stands beside it.

    Raises ReleaseNotFound, NotDownloaded, ScoreNotUsable, TrainingNotFound, TooManyScores.
    """
    releases = ReleaseRepository(session)
    row = releases.readable_by(caller).get(release_id, lock=True)
    if (row.id, caller.organisation_id) not in releases.recipients([row.id]):
        raise NotDownloaded(
            "A score is of the bundle that your organisation downloaded or trained on here, and it "
            "has not. Nothing was sent."
        )
    number = releases.next_score(row.id, caller.organisation_id)
    if number > MOST_SCORES:
        raise TooManyScores(f"Your organisation sent {MOST_SCORES} scores. Nothing was sent.")
    score = body.score or _of_training(session, caller, row, body.training_id or "")
    if score.release.fingerprint != row.fingerprint:
        raise ScoreNotUsable(
            "Its fingerprint is another bundle's. Nothing was sent. Evaluate the bundle that you "
            "downloaded from this release.",
            fingerprint=row.fingerprint,
        )
    now = utc_now()
    organisation = OrganisationRepository(session).load(caller.organisation_id)
    document: JsonObject = {
        "release": row.id,
        "organisation": organisation.name,
        "at": rfc3339(now),
        "score": score.model_dump(mode="json"),
    }
    text = canonical(document)
    signer, key = signer_of(session, portal.vault, organisation)
    made = releases.add_score(
        Score(
            release_id=row.id,
            organisation_id=caller.organisation_id,
            number=number,
            name=caller.name,
            document=text.decode(),
            signature=encode(signer.sign(signed_message(Purpose.SCORE, text))),
            public_key=key.public_key,
            created_at=now,
        )
    )
    notify_organisation(
        session,
        row.organisation_id,
        Permission.SHARE,
        Notice(
            kind="release.score",
            title=f"{organisation.name} has measured {row.title}",
            text="Its score, on its own test images, stands beside yours in the release.",
            link=f"/releases/{row.id}",
            data={"release": row.id, "score": made.id},
        ),
    )
    record(session, caller, Action.SCORE_SENT, row.id, also=(row.organisation_id,), score=made.id)
    return made


def _of_training(
    session: Session, caller: Caller, release: Release, training_id: str
) -> AcceptanceScore:
    training = TrainingRepository(session).readable_by(caller).get(training_id)
    if training.status != TrainingStatus.READY or training.release_ids != [release.id]:
        raise ScoreNotUsable(
            "A score comes from a training that is `ready` and had this release alone. Nothing was "
            "sent.",
            training_status=training.status.value,
        )
    assert training.result is not None, "it is ready"
    return AcceptanceScore.model_validate(training.result["score"])
