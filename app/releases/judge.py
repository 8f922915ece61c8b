"""Judges a finished distillation before its release."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller
from app.core.storage import Storage
from app.core.stored import read_json
from app.datasets.repository import DatasetRepository
from app.distillations.repository import DistillationRepository
from app.distillations.service import result_key
from app.ledgers.service import with_spent
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.organisation import Organisation
from app.models.release_override import ReleaseOverride
from app.organisations.release_policy import Decision, decide, policy_of
from app.organisations.repository import OrganisationRepository
from app.releases.overrides.repository import OverrideRepository


class NotCleared(Conflict):
    code = "not-cleared"
    title = "The audit does not clear the release"


class SampleNotReleasable(Conflict):
    code = "sample-not-releasable"
    title = "The sample cohort cannot be released"


@dataclass(frozen=True)
class Judgement:
    """A finished distillation before its release, and the decision of the release policy."""

    distillation: Distillation
    organisation: Organisation
    bundle_key: str
    report: Mapping[str, Any]
    """Its report; of a proven set, with the ε that its dataset has spent by now."""
    decision: Decision
    override: ReleaseOverride | None
    """What two people waived, where the decision rests on that."""
    audits: int
    """Audits of this dataset so far. A release chosen among many is worth less."""


def judge(
    session: Session,
    storage: Storage,
    caller: Caller,
    distillation_id: str,
    *,
    with_override: bool = True,
) -> Judgement:
    """Judge whether a distillation may be released; writes nothing.

    What two people waived for its next release counts, unless `with_override` is false.

    Raises DistillationNotFound, ResultNotReady, SampleNotReleasable, and NotCleared where images
    were withdrawn.
    """
    distillation = DistillationRepository(session).readable_by(caller).get(distillation_id)
    if distillation.withdrawal_id is not None:
        raise NotCleared(
            "Images that it was distilled from were withdrawn since. No release was made. POST "
            f"/api/v1/distillations/{distillation_id}/again distills without them.",
            withdrawal_id=distillation.withdrawal_id,
        )
    if DatasetRepository(session).is_sample(distillation.dataset_id):
        raise SampleNotReleasable(
            "It was distilled from the sample cohort, whose images the portal generated: in "
            "the catalogue others would take it for patients'. No release was made; its report "
            "and bundle are yours to look at. Distill a dataset of your own to share it."
        )
    _refuse_open_findings(session, distillation.dataset_id)
    bundle_key = result_key(session, caller, distillation_id, "bundle_key")
    report_key = result_key(session, caller, distillation_id, "report_json_key")
    report = with_spent(session, distillation.dataset_id, read_json(storage, report_key))
    organisation = OrganisationRepository(session).load(caller.organisation_id)
    policy = policy_of(organisation)
    decision, override = decide(report, policy), None
    if with_override and not decision.allowed:
        override = OverrideRepository(session).usable(distillation_id, utc_now())
        if override is not None:
            decision = decide(report, policy, waived=override.objections)
    return Judgement(
        distillation,
        organisation,
        bundle_key,
        report,
        decision,
        override=override if decision.waived else None,
        audits=_audits(session, distillation),
    )


def _audits(session: Session, distillation: Distillation) -> int:
    dataset = session.get_one(Dataset, distillation.dataset_id)
    versions = DatasetRepository(session).versions_of(dataset)
    return DistillationRepository(session).count_audits(versions)


def _refuse_open_findings(session: Session, dataset_id: str) -> None:
    """Raises NotCleared while a finding about the images, such as text in them, is open."""
    dataset = DatasetRepository(session).load(dataset_id)
    holds = {} if dataset is None else dataset.open_holds or {}
    if holds:
        names = ", ".join(f"{code} ({count})" for code, count in sorted(holds.items()))
        raise NotCleared(
            f"Findings of its dataset are open: {names}. No release was made. Decide about them "
            f"first: GET /api/v1/datasets/{dataset_id}/quality lists them, and POST "
            f"/api/v1/datasets/{dataset_id}/findings/{{code}} decides.",
            findings=holds,
        )
