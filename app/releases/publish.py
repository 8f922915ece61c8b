"""Publishes a finished distillation as a release.

In three steps, since packing takes a while and SQLite has one writer: judge it and see what it
will say; pack, sign and store the bundle; write the row. What a failed step leaves behind is an
object that no row names, and it is deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.access.repository import AccessRepository
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Invalid
from app.core.ids import new_id
from app.core.portal import Portal
from app.core.security import Caller, Permission
from app.distillations.repository import DistillationRepository
from app.idempotency import Repeatable
from app.models.audit_entry import Outcome
from app.models.release import Release, ReleaseStatus
from app.notifications.service import Notice, notify_organisation
from app.organisations.keys.service import signer_of
from app.organisations.release_policy import Decision
from app.releases import service
from app.releases.duo import DuoError
from app.releases.facts import OverrideFacts, ReleaseFacts
from app.releases.judge import Judgement, NotCleared, judge
from app.releases.overrides import service as overrides
from app.releases.pack import PackError, pack_release
from app.releases.repository import ReleaseRepository
from app.releases.row import classes_of, folder_of, release_row, store_parts
from app.releases.schemas import ReleaseCreate, ReleaseRead
from app.releases.terms import TermsError, default_conditions, render_terms
from app.signing.signature import Signer
from app.signing.verify import read_bundle


class TermsNotUsable(Invalid):
    code = "terms-not-usable"
    title = "These terms cannot be used"


class NotPackable(Conflict):
    code = "not-packable"
    title = "The release cannot be packed"


@dataclass(frozen=True)
class _Draft:
    """A release before it is there."""

    facts: ReleaseFacts
    report: Mapping[str, Any]
    decision: Decision
    bundle_key: str
    signer: Signer
    key_id: str
    override_id: str | None


def publish(
    portal: Portal,
    caller: Caller,
    distillation_id: str,
    body: ReleaseCreate,
    repeatable: Repeatable,
) -> ReleaseRead:
    """Publish a release, or return the one that the same request published before.

    Raises:
        DistillationNotFound: It is not the caller's.
        ResultNotReady: It has not finished.
        SampleNotReleasable: It was distilled from synthetic images.
        OverrideDecided: The override that it rests on was used meanwhile.
        NotCleared: The release policy refuses it; the log records that too.
        TermsNotUsable: Template, text or DUO codes do not go together.
        ReleaseNotFound: `supersedes` is none of the caller's.
        NotPackable: The stored bundle is damaged, or another release was made meanwhile.
    """
    with portal.database.reading() as session:
        if known := repeatable.known(session, caller, ReleaseRead):
            return known
    draft = _draft(portal, caller, distillation_id, body)
    try:
        bundle = pack_release(
            portal.storage.get(draft.bundle_key),
            facts=draft.facts,
            signer=draft.signer,
            signed_at=draft.signer.history.no_earlier(draft.facts.created_at),
        )
    except PackError as error:
        raise NotPackable(f"{_sentence(error)} No release was made.") from error
    except FileNotFoundError as error:
        raise NotPackable(
            "The distillation's bundle is stored no longer. No release was made. POST "
            f"/api/v1/distillations/{distillation_id}/again makes it anew."
        ) from error
    folder = folder_of(draft.facts.id)
    try:
        store_parts(portal.storage, draft.facts.id, bundle)
        with portal.database.transaction() as session:

            def write() -> ReleaseRead:
                release = _write(session, caller, distillation_id, body, draft, bundle)
                return service.read(session, portal.storage, caller, release)

            made = repeatable.once(session, caller, ReleaseRead, write)
    except IntegrityError as error:
        portal.storage.delete_folder(folder)
        raise NotPackable(
            "Another release of this distillation was made at the same moment. No second one was "
            "made. Look at it, and try again if you still want to."
        ) from error
    except BaseException:
        portal.storage.delete_folder(folder)
        raise
    if made.id != draft.facts.id:
        # The same request, sent twice at once: the other one was faster.
        portal.storage.delete_folder(folder)
    return made


def _draft(portal: Portal, caller: Caller, distillation_id: str, body: ReleaseCreate) -> _Draft:
    with portal.database.transaction() as session:
        judgement = judge(session, portal.storage, caller, distillation_id)
        organisation, decision = judgement.organisation, judgement.decision
        if decision.allowed:
            if body.supersedes is not None:
                ReleaseRepository(session).readable_by(caller).get_own(body.supersedes)
            number = ReleaseRepository(session).next_number(distillation_id)
            signer, key = signer_of(session, portal.vault, organisation)
            facts = facts_of(portal, judgement, body, number)
            return _Draft(
                facts=facts,
                report=judgement.report,
                decision=decision,
                bundle_key=judgement.bundle_key,
                signer=signer,
                key_id=key.id,
                override_id=None if judgement.override is None else judgement.override.id,
            )
        record(
            session,
            caller,
            Action.RELEASE_REFUSED,
            distillation_id,
            outcome=Outcome.REFUSED,
            reasons=list(decision.reasons),
        )
    # Only now, so that the log keeps what was refused.
    raise NotCleared(
        f"{' '.join(decision.reasons)} No release was made; the distillation is as it was.",
        reasons=list(decision.reasons),
    )


def facts_of(
    portal: Portal, judgement: Judgement, body: ReleaseCreate, number: int
) -> ReleaseFacts:
    """The facts of a future release, with its full terms. Raises TermsNotUsable."""
    organisation, distillation = judgement.organisation, judgement.distillation
    assert distillation.verdict is not None, "a release needs a verdict"
    contact = body.contact or organisation.contact
    if not contact:
        raise TermsNotUsable(
            "Recipients need a contact address. No release was made. Send `contact`, or have an "
            "admin set the organisation's.",
            where="contact",
        )
    release_id = new_id("rel")
    try:
        terms = render_terms(
            body.terms,
            title=body.title,
            organisation=organisation.name,
            duo=body.duo,
            contact=contact,
            citation=body.citation,
            embargo=body.embargo_until,
            custom_text=body.custom_terms,
        )
        duo = tuple(map(str, default_conditions(body.terms, body.duo)))
    except (TermsError, DuoError) as error:
        raise TermsNotUsable(f"{_sentence(error)} No release was made.") from error
    return ReleaseFacts(
        id=release_id,
        number=number,
        title=body.title,
        summary=body.summary,
        card=body.card,
        terms=terms,
        duo=duo,
        organisation=organisation.name,
        contact=contact,
        citation=body.citation,
        embargo_until=body.embargo_until,
        created_at=utc_now(),
        verdict=distillation.verdict.value,
        epsilon=_epsilon(judgement.report),
        url=f"{portal.settings.public_url}/releases/{release_id}",
        override=_override_of(judgement),
    )


def _epsilon(report: Mapping[str, Any]) -> float | None:
    epsilon = (report["privacy"].get("proof") or {}).get("epsilon")
    return None if epsilon is None else float(epsilon)


def _override_of(judgement: Judgement) -> OverrideFacts | None:
    row = judgement.override
    if row is None or row.decided_at is None:
        return None
    waived = tuple(objection.reason for objection in judgement.decision.waived)
    return OverrideFacts(reason=row.reason, objections=waived, decided_at=row.decided_at)


def _write(
    session: Session,
    caller: Caller,
    distillation_id: str,
    body: ReleaseCreate,
    draft: _Draft,
    bundle: bytes,
) -> Release:
    # Again, and locked: it may have been deleted while the bundle was packed.
    DistillationRepository(session).readable_by(caller).get(distillation_id, lock=True)
    facts, report = draft.facts, draft.report
    override = None
    if draft.override_id is not None:
        override = overrides.use(session, draft.override_id, facts.id)
    row = release_row(
        facts,
        report,
        organisation_id=caller.organisation_id,
        distillation_id=distillation_id,
        terms_template=body.terms.value,
        previews=body.previews,
        decision=draft.decision.to_dict(),
        override=override,
        bundle=bundle,
        fingerprint=_fingerprint(bundle),
        key_id=draft.key_id,
        published_by=caller.name,
    )
    release = ReleaseRepository(session).add(row, classes_of(report))
    record(
        session,
        caller,
        Action.RELEASE_PUBLISHED,
        release.id,
        distillation=distillation_id,
        number=release.number,
        bundle_sha256=release.bundle_sha256,
        key=draft.key_id,
        override=draft.override_id,
    )
    for old in _superseded(session, caller, distillation_id, release.id, body.supersedes):
        supersede(session, caller, old, release)
    return release


def _superseded(
    session: Session, caller: Caller, distillation_id: str, release_id: str, named: str | None
) -> list[Release]:
    releases = ReleaseRepository(session)
    earlier = {row.id: row for row in releases.of_distillations([distillation_id])}
    if named is not None:
        earlier[named] = releases.readable_by(caller).get_own(named, lock=True)
    return [
        row
        for row in earlier.values()
        if row.id != release_id and row.status == ReleaseStatus.PUBLISHED
    ]


def supersede(session: Session, caller: Caller, old: Release, new: Release) -> None:
    """Let a new release take an old one's place, and tell those who have access to that."""
    old.status, old.superseded_by = ReleaseStatus.SUPERSEDED, new.id
    session.flush()
    record(session, caller, Action.RELEASE_SUPERSEDED, old.id, by=new.id)
    running = AccessRepository(session).running_grants(old.id, utc_now())
    holders = {row.organisation_id for row in running}
    for organisation_id in sorted(holders):
        notify_organisation(
            session,
            organisation_id,
            Permission.REQUEST,
            Notice(
                kind="release.superseded",
                title=f"There is a newer version: {new.title}",
                text=f"{new.title!r} takes the place of {old.title!r}, which you have access to. "
                "You keep that; ask for the new one if you want it.",
                link=f"/releases/{new.id}",
                data={"release": new.id, "superseded": old.id},
            ),
        )


def _fingerprint(bundle: bytes) -> str:
    checked, _ = read_bundle(bundle)
    return checked.sums_sha256


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
