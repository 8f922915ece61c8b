"""Overrides of the release policy: one person asks, another one decides, and all read why."""

from datetime import timedelta

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, Invalid
from app.core.security import Caller, Permission
from app.core.storage import Storage
from app.core.types import JsonObject
from app.distillations.repository import DistillationRepository
from app.models.release_override import OverrideStatus, ReleaseOverride
from app.models.user import User
from app.notifications.service import Notice, notify, notify_organisation
from app.releases.judge import judge
from app.releases.overrides.repository import OverrideRepository
from app.releases.overrides.schemas import OverrideCreate, OverrideRead

LASTS = timedelta(days=30)


class NotWaivable(Invalid):
    code = "objection-not-waivable"
    title = "These objections cannot be waived"


class NothingToOverride(Conflict):
    code = "nothing-to-override"
    title = "An override would change nothing"


class OverrideOpen(Conflict):
    code = "override-open"
    title = "An override of this distillation is open"


class OverrideDecided(Conflict):
    code = "override-decided"
    title = "The override was decided before"


class PersonNeeded(Forbidden):
    code = "person-needed"
    title = "An override needs people"


class SecondPersonNeeded(Forbidden):
    code = "second-person-needed"
    title = "An override needs a second person"


def ask(
    session: Session, storage: Storage, caller: Caller, distillation_id: str, body: OverrideCreate
) -> ReleaseOverride:
    """Ask for an override, and notify those who can decide.

    Raises PersonNeeded, OverrideOpen, NotWaivable, NothingToOverride, and what `judge` raises.
    """
    person = _person(caller)
    # Locked: of two requests at once, the second sees the first.
    DistillationRepository(session).readable_by(caller).get(distillation_id, lock=True)
    decision = judge(session, storage, caller, distillation_id, with_override=False).decision
    now = utc_now()
    overrides = OverrideRepository(session)
    if any(
        status_of(row) in (OverrideStatus.REQUESTED, OverrideStatus.APPROVED)
        for row in overrides.readable_by(caller).of_distillation(distillation_id)
    ):
        raise OverrideOpen(
            "Nothing was requested. Have the other one decided, or publish the release that it "
            f"allows: GET /api/v1/distillations/{distillation_id}/release-overrides shows it."
        )
    never = [one for one in decision.objections if not one.waivable]
    if never:
        raise NothingToOverride(
            f"{' '.join(one.reason for one in never)} No policy could allow it, so nothing was "
            "requested.",
            objections=[one.code for one in never],
        )
    waivable = {one.code for one in decision.objections}
    chosen = list(dict.fromkeys(body.objections))
    if unknown := sorted(set(chosen) - waivable):
        raise NotWaivable(
            f"The policy does not object by {', '.join(unknown)}. Nothing was requested. Its "
            f"objections are: {', '.join(sorted(waivable)) or 'none'}.",
            allowed=sorted(waivable),
        )
    if missing := sorted(waivable - set(chosen)):
        raise NothingToOverride(
            f"The release would still be refused: {', '.join(missing)}. Nothing was requested.",
            objections=missing,
        )
    row = overrides.add(
        ReleaseOverride(
            organisation_id=caller.organisation_id,
            distillation_id=distillation_id,
            objections=chosen,
            reason=body.reason,
            status=OverrideStatus.REQUESTED,
            requested_by_id=person,
            requested_by=caller.name,
            expires_at=now + LASTS,
        )
    )
    notify_organisation(
        session,
        caller.organisation_id,
        Permission.MANAGE,
        Notice(
            kind="override.requested",
            title="An override of the release policy was requested",
            text=f"{caller.name} asks to release {distillation_id} although the policy objects. "
            "Another person decides; the reason is published with the release.",
            link=f"/distillations/{distillation_id}/release",
            data={"override": row.id, "distillation": distillation_id},
        ),
    )
    record(
        session,
        caller,
        Action.OVERRIDE_REQUESTED,
        row.id,
        distillation=distillation_id,
        objections=chosen,
        reason=body.reason,
    )
    return row


def decide(session: Session, caller: Caller, override_id: str, *, approve: bool) -> ReleaseOverride:
    """Approve or decline, as another person than the one who asked.

    Raises OverrideNotFound, PersonNeeded, SecondPersonNeeded, OverrideDecided.
    """
    person = _person(caller)
    row = OverrideRepository(session).readable_by(caller).get(override_id, lock=True)
    if person == row.requested_by_id:
        raise SecondPersonNeeded(
            "You asked for it yourself; another admin decides. Nothing was changed."
        )
    status = status_of(row)
    if status != OverrideStatus.REQUESTED:
        raise OverrideDecided(f"It is {status.value}. Nothing was changed.", override_status=status)
    row.status = OverrideStatus.APPROVED if approve else OverrideStatus.DECLINED
    row.decided_by_id, row.decided_by, row.decided_at = person, caller.name, utc_now()
    session.flush()
    notify(
        session,
        [session.get_one(User, row.requested_by_id)],
        Notice(
            kind=f"override.{row.status.value}",
            title=f"Your override of the release policy was {row.status.value}",
            text=f"{caller.name} has decided about {row.distillation_id}."
            + (" You can release it within 30 days of your request." if approve else ""),
            link=f"/distillations/{row.distillation_id}/release",
            data={"override": row.id, "distillation": row.distillation_id},
        ),
    )
    record(
        session,
        caller,
        Action.OVERRIDE_APPROVED if approve else Action.OVERRIDE_DECLINED,
        row.id,
        distillation=row.distillation_id,
        objections=row.objections,
        reason=row.reason,
        requested_by=row.requested_by,
        decided_by=row.decided_by,
    )
    return row


def use(session: Session, override_id: str, release_id: str) -> JsonObject:
    """Mark it as used by a release; what the release says of it. Raises OverrideDecided."""
    row = session.get_one(
        ReleaseOverride, override_id, with_for_update=True, populate_existing=True
    )
    if status_of(row) != OverrideStatus.APPROVED:
        raise OverrideDecided(f"The override is {status_of(row).value}. No release was made.")
    row.status, row.release_id = OverrideStatus.USED, release_id
    session.flush()
    assert row.decided_at is not None, "an approved one was decided"
    return {
        "reason": row.reason,
        "objections": row.objections,
        "people": 2,
        "decided_at": row.decided_at.isoformat(),
    }


def status_of(row: ReleaseOverride) -> OverrideStatus:
    """The status at this moment: an open one expires by itself."""
    open_ = row.status in (OverrideStatus.REQUESTED, OverrideStatus.APPROVED)
    return OverrideStatus.EXPIRED if open_ and row.expires_at <= utc_now() else row.status


def read(row: ReleaseOverride) -> OverrideRead:
    return OverrideRead.of(row, status=status_of(row))


def _person(caller: Caller) -> str:
    if caller.user_id is None:
        raise PersonNeeded(
            "Two people take responsibility for it, and this token belongs to none. Nothing was "
            "changed. Sign in, or use a token of your own."
        )
    return caller.user_id
