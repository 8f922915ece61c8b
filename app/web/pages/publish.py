"""Pages to release a distillation: the policy's decision, the form, a preview."""

import hashlib
from datetime import UTC, datetime, time, timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.core.clock import utc_now
from app.core.dependencies import PortalDep, ReadSession, WriteSession
from app.core.errors import Invalid, Problem
from app.core.ids import new_id
from app.core.portal import Portal
from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.distillations.repository import DistillationRepository
from app.idempotency import Repeatable
from app.models.release import Release, ReleaseStatus
from app.models.release_override import OverrideStatus, ReleaseOverride
from app.releases.duo import KNOWN
from app.releases.judge import judge
from app.releases.overrides import service as overrides
from app.releases.overrides.repository import OverrideRepository
from app.releases.overrides.schemas import OverrideCreate
from app.releases.publish import facts_of, publish
from app.releases.repository import ReleaseRepository
from app.releases.schemas import ReleaseCreate
from app.releases.terms import TermsTemplate
from app.web.dependencies import Manager, Sharer
from app.web.forms import Sent, checked
from app.web.release_card import drafted
from app.web.render import go_to, page

router = APIRouter()

MOST_OWN = 200
WITH_DETAIL = [term.code for term in KNOWN.values() if term.detail is not None]


class ReleaseForm(BaseModel):
    title: str = ""
    summary: str = ""
    card: str = ""
    terms: str = TermsTemplate.RESEARCH_ONLY.value
    custom_terms: str = ""
    duo: list[str] = []
    detail: list[str] = []
    """Details of the conditions `WITH_DETAIL`, in their order."""
    contact: str = ""
    citation: str = ""
    embargo: str = ""
    """A day; its beginning in UTC."""
    previews: bool = False
    supersedes: str = ""
    form: str = ""
    """Idempotency key of the form: sent twice, it makes one release."""

    def body(self) -> ReleaseCreate:
        """Raises Invalid."""
        details = dict(zip(WITH_DETAIL, self.detail, strict=False))
        return checked(
            ReleaseCreate,
            title=self.title,
            summary=self.summary,
            card=self.card.replace("\r\n", "\n"),
            terms=self.terms,
            custom_terms=self.custom_terms.replace("\r\n", "\n"),
            duo=[f"{code} {details.get(code, '').strip()}".strip() for code in self.duo],
            contact=self.contact.strip() or None,
            citation=self.citation.replace("\r\n", "\n"),
            embargo_until=day(self.embargo),
            previews=self.previews,
            supersedes=self.supersedes or None,
        )


class OverrideForm(BaseModel):
    reason: str = ""


class DecisionForm(BaseModel):
    approve: bool = False


def day(text: str, *, ends: bool = False) -> datetime | None:
    """The beginning or the end of a day in UTC; None where none was given. Raises Invalid."""
    if not text.strip():
        return None
    try:
        date = datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError:
        raise Invalid(
            f"{text.strip()[:20]!r} is not a day like 2027-01-31. Nothing was changed."
        ) from None
    return datetime.combine(date, time(23, 59, 59) if ends else time(), UTC)


@router.get("/distillations/{distillation_id}/release")
def show_release_form(
    request: Request, distillation_id: str, session: ReadSession, portal: PortalDep, caller: Sharer
) -> Response:
    distillation = DistillationRepository(session).readable_by(caller).get(distillation_id)
    dataset = DatasetRepository(session).load(distillation.dataset_id)
    try:
        judgement = judge(session, portal.storage, caller, distillation_id)
    except Problem as problem:
        return page(
            request,
            "publish/publish.html",
            distillation=distillation,
            dataset=dataset,
            judgement=None,
            requested=None,
            problem="open-findings" if "findings" in problem.members else problem.code,
        )
    return page(
        request,
        "publish/publish.html",
        distillation=distillation,
        dataset=dataset,
        judgement=judgement,
        requested=_requested(session, caller, distillation_id),
        me=caller.user_id,
        contact=judgement.organisation.contact,
        templates=list(TermsTemplate),
        conditions=list(KNOWN.values()),
        own=_others_of_ours(session, caller, distillation_id),
        number=ReleaseRepository(session).next_number(distillation_id),
        form=new_id("form"),
        tomorrow=(utc_now() + timedelta(days=1)).date().isoformat(),
    )


def _requested(session: Session, caller: Caller, distillation_id: str) -> ReleaseOverride | None:
    """The override that waits for a second person."""
    rows = OverrideRepository(session).readable_by(caller).of_distillation(distillation_id)
    waiting = [row for row in rows if overrides.status_of(row) == OverrideStatus.REQUESTED]
    return waiting[0] if waiting else None


@router.post("/distillations/{distillation_id}/release/override")
def ask_for_override(
    request: Request,
    distillation_id: str,
    portal: PortalDep,
    session: WriteSession,
    caller: Sharer,
    form: Sent[OverrideForm],
) -> Response:
    """Ask a second person to waive every objection there is."""
    decision = judge(session, portal.storage, caller, distillation_id, with_override=False).decision
    body = checked(
        OverrideCreate,
        objections=[objection.code for objection in decision.objections],
        reason=form.reason.replace("\r\n", "\n"),
    )
    overrides.ask(session, portal.storage, caller, distillation_id, body)
    return go_to(
        request, f"/distillations/{distillation_id}/release", note="note-override-requested"
    )


@router.post("/distillations/{distillation_id}/release/override/{override_id}")
def decide_about_override(
    request: Request,
    distillation_id: str,
    override_id: str,
    session: WriteSession,
    caller: Manager,
    form: Sent[DecisionForm],
) -> Response:
    row = overrides.decide(session, caller, override_id, approve=form.approve)
    return go_to(
        request,
        f"/distillations/{distillation_id}/release",
        note=f"note-override-{row.status.value}",
    )


@router.post("/distillations/{distillation_id}/release/preview")
def preview_release(
    request: Request,
    distillation_id: str,
    session: ReadSession,
    portal: PortalDep,
    caller: Sharer,
    form: Sent[ReleaseForm],
) -> Response:
    """Preview of the release; writes nothing."""
    try:
        body = form.body()
        judgement = judge(session, portal.storage, caller, distillation_id)
        number = ReleaseRepository(session).next_number(distillation_id)
        facts = facts_of(portal, judgement, body, number)
    except Problem as problem:
        if problem.status == 404:
            raise
        return page(request, "publish/preview.html", card=None, problem=problem.as_dict(), code="")
    return page(
        request,
        "publish/preview.html",
        card=drafted(judgement, facts, body.terms.value),
        facts=facts,
        previews=body.previews,
        problem=None,
    )


@router.post("/distillations/{distillation_id}/release")
def release(
    request: Request,
    distillation_id: str,
    portal: PortalDep,
    caller: Sharer,
    form: Sent[ReleaseForm],
) -> Response:
    made = publish(portal, caller, distillation_id, form.body(), _once(portal, form))
    return go_to(request, f"/releases/{made.id}", note="note-released")


def _once(portal: Portal, form: ReleaseForm) -> Repeatable:
    """The same form with the same content is sent once, however often it arrives."""
    if not form.form:
        return Repeatable(None, "")
    sent = form.model_dump_json().encode()
    return Repeatable(hashlib.sha256(sent).hexdigest(), portal.vault.digest(sent))


def _others_of_ours(session: Session, caller: Caller, distillation_id: str) -> list[Release]:
    """Own releases whose place this one may take; its earlier numbers give theirs up anyway."""
    own = ReleaseRepository(session).readable_by(caller).own_page(cursor=None, limit=MOST_OWN)
    return [
        row
        for row in own.items
        if row.status == ReleaseStatus.PUBLISHED and row.distillation_id != distillation_id
    ]
