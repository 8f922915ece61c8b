"""Summary of a distillation's report in a few figures."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.storage import Storage
from app.core.stored import ObjectGone, read_json
from app.ledgers.service import with_spent
from app.models.distillation import Distillation, DistillationStatus
from app.organisations.release_policy import Decision, decide, policy_of
from app.organisations.repository import OrganisationRepository


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The report in short.

    Attributes:
        images: Number of distilled images.
        distilled: Mean balanced accuracy of networks that are trained on them; None where unknown.
        random: Accuracy of networks trained on as many random images.
        full: Accuracy of networks trained on all images.
        noisy: Of a proven set, the noisy accuracy: it has no other figure.
        statement: Statement of the audit.
        decision: Decision of the release policy.
    """

    images: int | None
    distilled: float | None
    random: float | None
    full: float | None
    noisy: float | None
    statement: str | None
    decision: Decision


def outcome_of(session: Session, storage: Storage, row: Distillation) -> Outcome | None:
    """Summarise a report; None before it is ready, or where it is gone or damaged."""
    if row.status != DistillationStatus.READY or row.report_json_key is None:
        return None
    try:
        report = with_spent(session, row.dataset_id, read_json(storage, row.report_json_key))
    except ObjectGone:
        return None
    utility = report.get("utility") or {}
    organisation = OrganisationRepository(session).load(row.organisation_id)
    return Outcome(
        images=(utility.get("distilled") or {}).get("training_images"),
        distilled=_accuracy(utility, "distilled"),
        random=_accuracy(utility, "random"),
        full=_accuracy(utility, "full"),
        noisy=(report.get("noisy_score") or {}).get("accuracy"),
        statement=(report.get("privacy") or {}).get("statement"),
        decision=decide(report, policy_of(organisation)),
    )


def _accuracy(utility: dict[str, Any], of: str) -> float | None:
    figures: dict[str, Any] = (utility.get(of) or {}).get("balanced_accuracy") or {}
    mean: float | None = figures.get("mean")
    return mean
