"""Writes log entries, in the transaction of the change that they record.

Services call `record` last: it locks the organisation's head until the commit.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from app.audit.chain import hash_entry
from app.audit.repository import AuditRepository
from app.core.clock import utc_now
from app.core.security import Caller
from app.core.types import JsonObject
from app.models.audit_entry import AuditEntry, Outcome


class Action(StrEnum):
    """Actions that a log records. A name is never reused for something else."""

    ORGANISATION_CREATED = "organisation.created"
    ORGANISATION_CHANGED = "organisation.changed"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    HOME_KEY_SENT = "home_key.sent"
    HOME_KEY_CONFIRMED = "home_key.confirmed"
    PUBLICATION_REFUSED = "publication.refused"
    CONNECTION_MADE = "connection.made"
    CONNECTION_CONFIRMED = "connection.confirmed"
    CONNECTION_PAUSED = "connection.paused"
    CONNECTION_RESUMED = "connection.resumed"
    CONNECTION_BROKEN = "connection.broken"
    CONNECTION_REMOVED = "connection.removed"
    SHARE_ASKED = "share.asked"
    SHARE_DONE = "share.done"
    SHARE_REFUSED = "share.refused"
    SHARE_WITHDRAWN = "share.withdrawn"
    USER_INVITED = "user.invited"
    USER_JOINED = "user.joined"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_DISABLED = "user.disabled"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 (the name of an action)
    SECOND_FACTOR_ADDED = "second_factor.added"
    SECOND_FACTOR_REMOVED = "second_factor.removed"
    INVITATION_REVOKED = "invitation.revoked"
    TOKEN_CREATED = "token.created"  # noqa: S105
    TOKEN_DELETED = "token.deleted"  # noqa: S105
    SIGNED_IN = "session.opened"
    SIGNED_OUT = "session.closed"
    SIGN_IN_FAILED = "session.failed"
    ACCOUNT_LOCKED = "session.locked"
    REFUSED = "request.refused"
    DATASET_CREATED = "dataset.created"
    SAMPLE_MADE = "dataset.sample_made"
    ARCHIVE_UPLOADED = "dataset.uploaded"
    UPLOAD_STARTED = "upload.started"
    UPLOAD_ENDED = "upload.ended"
    UPLOAD_EXPIRED = "upload.expired"
    CHECK_CANCELLED = "dataset.check_cancelled"
    CHECK_REPEATED = "dataset.check_repeated"
    TEXT_SEARCH_REPEATED = "dataset.text_search_repeated"
    LAYOUT_CONFIRMED = "dataset.layout_confirmed"
    FINDING_DECIDED = "dataset.finding_decided"
    DECISIONS_RESET = "dataset.decisions_reset"
    DATASET_DELETED = "dataset.deleted"
    IMAGES_SEEN = "dataset.images_seen"
    QUALITY_SEEN = "dataset.quality_seen"
    FORECAST_ASKED = "forecast.asked"
    DISTILLATION_STARTED = "distillation.started"
    DISTILLATION_CANCELLED = "distillation.cancelled"
    DISTILLATION_RETRIED = "distillation.retried"
    DISTILLATION_DELETED = "distillation.deleted"
    RESULT_DOWNLOADED = "distillation.downloaded"
    RELEASE_PUBLISHED = "release.published"
    RELEASE_REFUSED = "release.refused"
    OVERRIDE_REQUESTED = "override.requested"
    OVERRIDE_APPROVED = "override.approved"
    OVERRIDE_DECLINED = "override.declined"
    RELEASE_SUPERSEDED = "release.superseded"
    RELEASE_WARNED = "release.warned"
    RELEASE_MARKED = "release.marked"
    RELEASE_WITHDRAWN = "release.withdrawn"
    RELEASE_DOWNLOADED = "release.downloaded"
    DOWNLOAD_REFUSED = "release.download_refused"
    ACCESS_REQUESTED = "access.requested"
    ACCESS_RETURNED = "access.returned"
    ACCESS_DENIED = "access.denied"
    ACCESS_CANCELLED = "access.cancelled"
    ACCESS_GRANTED = "access.granted"
    ACCESS_REVOKED = "access.revoked"
    TERMS_ACCEPTED = "access.terms_accepted"
    SCORE_SENT = "release.score_sent"
    WITHDRAWAL_STARTED = "withdrawal.started"
    WITHDRAWAL_DONE = "withdrawal.done"
    TRAINING_STARTED = "training.started"
    TRAINING_CANCELLED = "training.cancelled"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 (the name of an action)
    WEBHOOK_TESTED = "webhook.tested"
    WEBHOOK_PAUSED = "webhook.paused"
    WEBHOOK_DELETED = "webhook.deleted"
    LOG_EXPORTED = "log.exported"


def record(
    session: Session,
    caller: Caller,
    action: Action,
    subject: str | None = None,
    *,
    also: Collection[str] = (),
    outcome: Outcome = Outcome.DONE,
    **details: Any,
) -> None:
    """Write into the log of the caller's organisation.

    Args:
        session: The transaction of the recorded change.
        caller: The person or token that did it.
        action: The action to record.
        subject: Id of what it was done to.
        also: Other organisations that it concerns: their logs record it too.
        outcome: Done, or refused.
        details: More of it. No name of a file, no text that may speak of patients.
    """
    actor = {
        "organisation": caller.organisation_id,
        "user": caller.user_id,
        "token": caller.token_id,
        "name": caller.name,
    }
    # In one order everywhere: two that lock several heads would otherwise wait for each other.
    for organisation_id in sorted({caller.organisation_id, *also}):
        append(session, organisation_id, actor, action, subject, outcome, details)


def record_by_portal(
    session: Session,
    organisation_id: str,
    action: Action,
    subject: str | None = None,
    *,
    by: str = "portal",
    outcome: Outcome = Outcome.DONE,
    **details: Any,
) -> None:
    """Like `record`, for actions of the portal itself or its operator."""
    actor = {"organisation": None, "user": None, "token": None, "name": by}
    append(session, organisation_id, actor, action, subject, outcome, details)


def append(
    session: Session,
    organisation_id: str,
    actor: JsonObject,
    action: Action,
    subject: str | None,
    outcome: Outcome,
    details: JsonObject,
) -> None:
    log = AuditRepository(session)
    head = log.lock_head(organisation_id)
    entry = AuditEntry(
        organisation_id=organisation_id,
        number=head.number + 1,
        at=utc_now(),
        actor=actor,
        action=action.value,
        subject=subject,
        outcome=outcome,
        details=details,
        previous_hash=head.hash,
    )
    entry.hash = hash_entry(entry_dict(entry))
    log.add(entry)
    head.number, head.hash = entry.number, entry.hash
    session.flush()


def entry_dict(entry: AuditEntry | Row[Any]) -> JsonObject:
    """The entry as it is hashed, exported and verified."""
    return {
        "organisation_id": entry.organisation_id,
        "number": entry.number,
        "at": entry.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome.value,
        "details": entry.details,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }
