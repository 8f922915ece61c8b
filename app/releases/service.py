"""Published releases: read, download, withdraw."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.access.policy import Access, AccessState, access_of, allow_download
from app.access.repository import AccessRepository
from app.access.schemas import AccessRead, Party
from app.access.service import close_for_withdrawal
from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, NotFound, Problem
from app.core.portal import Portal
from app.core.security import Caller, Permission
from app.core.storage import Storage
from app.models.access import Download, Score
from app.models.audit_entry import Outcome
from app.models.release import Release, ReleaseStatus, ReleaseWarning
from app.notifications.service import Notice, notify_organisation
from app.organisations.keys.repository import KeyRepository
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository
from app.releases.schemas import (
    BundleRead,
    DownloadRead,
    KeyOfRelease,
    OverrideShown,
    ReleaseBrief,
    ReleaseRead,
    ScoreRead,
    TermsRead,
    WarningRead,
)
from app.signing.keys import fingerprint
from iadd.bundle.format import CERTIFICATE


class PreviewNotFound(NotFound):
    code = "preview-not-found"
    title = "No such picture"


class CertificateNotFound(NotFound):
    code = "certificate-not-found"
    title = "The release has no certificate"


class WithdrawAtHome(Conflict):
    code = "withdraw-at-home"
    title = "The release is withdrawn in your own portal"


class AlreadyWithdrawn(Conflict):
    code = "release-already-withdrawn"
    title = "The release was withdrawn before"


def briefs(session: Session, releases: list[Release]) -> list[ReleaseBrief]:
    """Releases as the catalogue lists them."""
    names = OrganisationRepository(session).names_of([row.organisation_id for row in releases])
    classes = ReleaseRepository(session).classes([row.id for row in releases])
    return [
        ReleaseBrief(**_brief(row, names[row.organisation_id], classes[row.id])) for row in releases
    ]


def _brief(row: Release, organisation: str, classes: list[str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": row.created_at,
        "organisation": Party(id=row.organisation_id, name=organisation),
        "number": row.number,
        "status": row.status,
        "title": row.title,
        "summary": row.summary,
        "modality": row.modality,
        "classes": classes,
        "images": row.images,
        "images_per_class": row.images_per_class,
        "image_size": row.image_size,
        "balanced_accuracy": row.balanced_accuracy,
        "verdict": row.verdict,
        "warning": read_warning(row),
        "embargo_until": row.embargo_until,
    }


WARNINGS = {
    ReleaseWarning.SINGLE_PATIENT_START: (
        "Its images started from single patients' images or their means. Whoever has X-rays to "
        "compare with can find out, almost surely, which of them are in this set. Versions before "
        "0.4 did not look for that; treat the set as personal data."
    )
}


def read_warning(row: Release) -> WarningRead | None:
    """What was found about such releases later on; None where nothing was."""
    if row.warning is None:
        return None
    return WarningRead(code=row.warning, text=WARNINGS[row.warning])


def read(
    session: Session,
    storage: Storage,
    caller: Caller,
    row: Release,
    *,
    most_scores: int | None = None,
) -> ReleaseRead:
    """A release as the caller may see it; with so many of its newest scores, or all."""
    access = access_of(session, caller, row)
    is_owner = access.state == AccessState.OWNER
    names = OrganisationRepository(session).names_of([row.organisation_id])
    classes = ReleaseRepository(session).classes([row.id])
    public_key = KeyRepository(session).load(row.key_id).public_key
    return ReleaseRead(
        **_brief(row, names[row.organisation_id], classes[row.id]),
        updated_at=row.updated_at,
        card=row.card,
        terms=TermsRead(
            template=row.terms_template,
            text=row.terms_text,
            sha256=row.terms_sha256,
            duo=row.duo_codes,
        ),
        contact=row.contact,
        citation=row.citation,
        facts=row.facts,
        previews=[
            f"/api/v1/releases/{row.id}/previews/{position}"
            for position in _preview_positions(storage, row, access)
        ],
        key=KeyOfRelease(public_key=public_key, fingerprint=fingerprint(public_key)),
        bundle=BundleRead(
            href=f"/api/v1/releases/{row.id}/bundle",
            sha256=row.bundle_sha256,
            fingerprint=row.fingerprint,
            size=row.bundle_size,
        ),
        override=None if row.override is None else OverrideShown.model_validate(row.override),
        superseded_by=row.superseded_by,
        withdrawn_at=row.withdrawn_at,
        withdrawal_reason=row.withdrawal_reason,
        withdrawal_id=row.withdrawal_id,
        access=_read_access(access),
        scores=_read_scores(session, row.id, most_scores),
        distillation_id=row.distillation_id if is_owner else None,
        published_by=row.published_by if is_owner else None,
        downloads=ReleaseRepository(session).count_downloads(row.id) if is_owner else None,
    )


def _read_access(access: Access) -> AccessRead:
    return AccessRead(
        state=access.state,
        request_id=None if access.request is None else access.request.id,
        grant_id=None if access.grant is None else access.grant.id,
        expires_at=None if access.grant is None else access.grant.expires_at,
        terms_accepted_at=None if access.acceptance is None else access.acceptance.accepted_at,
    )


def _may_preview(row: Release, access: Access) -> bool:
    if row.status == ReleaseStatus.WITHDRAWN:
        return access.state == AccessState.OWNER
    return row.previews or access.state in (AccessState.OWNER, AccessState.GRANTED)


def _preview_positions(storage: Storage, row: Release, access: Access) -> list[int]:
    if not _may_preview(row, access):
        return []
    stored = storage.list(f"releases/{row.id}/previews")
    return sorted(int(info.key.rpartition("/")[2].removesuffix(".png")) for info in stored)


def preview(
    session: Session, storage: Storage, caller: Caller, release_id: str, position: int
) -> bytes:
    """A PNG. Raises ReleaseNotFound, PreviewNotFound."""
    row = ReleaseRepository(session).readable_by(caller).get(release_id)
    content = None
    if _may_preview(row, access_of(session, caller, row)):
        content = storage.find(f"releases/{row.id}/previews/{position}.png")
    if content is None:
        raise PreviewNotFound(
            "The release has no such picture that you may see; `previews` of GET "
            f"/api/v1/releases/{row.id} lists those that you may."
        )
    return content


def certificate_key(
    session: Session, storage: Storage, caller: Caller, release_id: str, kind: str
) -> str:
    """The key of a file of the privacy certificate, for everybody who sees the release.

    Raises ReleaseNotFound, CertificateNotFound.
    """
    row = ReleaseRepository(session).readable_by(caller).get(release_id)
    key = f"releases/{row.id}/{CERTIFICATE[kind]}"
    try:
        storage.info(key)
    except FileNotFoundError as error:
        raise CertificateNotFound(
            "It was released before there were privacy certificates. `facts.privacy` of GET "
            f"/api/v1/releases/{row.id} holds what was measured."
        ) from error
    return key


def has_certificate(storage: Storage, release_id: str) -> bool:
    """Whether the release has a privacy certificate; older ones have none."""
    try:
        storage.info(f"releases/{release_id}/{CERTIFICATE['html']}")
    except FileNotFoundError:
        return False
    return True


def bundle_key(portal: Portal, caller: Caller, release_id: str) -> str:
    """The key of the bundle, for callers with access.

    Raises:
        Problem: Of `app.access.policy.allow_download`. The log records that too.
    """
    refused: Problem | None = None
    with portal.database.transaction() as session:
        row = ReleaseRepository(session).readable_by(caller).get(release_id)
        try:
            allow_download(session, caller, row)
        except Problem as problem:
            # Raised after the commit, so that the log keeps it.
            refused = problem
            record(
                session,
                caller,
                Action.DOWNLOAD_REFUSED,
                row.id,
                also=(row.organisation_id,),
                outcome=Outcome.REFUSED,
                reason=problem.code,
            )
    if refused is not None:
        raise refused
    return row.bundle_key


def log_delivery(portal: Portal, caller: Caller, release_id: str, *, begins: bool) -> None:
    """Log for both organisations that bytes of the bundle are about to leave.

    The rest of a download that was interrupted is no second one. Bytes that no earlier download
    explains are one, wherever they begin.

    Args:
        portal: The portal.
        caller: The caller of the request.
        release_id: Which one.
        begins: Whether the reply begins with the first byte.

    Raises:
        Problem: Of `app.access.policy.allow_download`.
    """
    with portal.database.transaction() as session:
        releases = ReleaseRepository(session)
        row = releases.readable_by(caller).get(release_id)
        access = allow_download(session, caller, row)
        if begins or not (
            access.state == AccessState.OWNER
            or releases.has_downloaded(row.id, caller.organisation_id)
        ):
            count_download(session, caller, row, access)


def count_download(
    session: Session, caller: Caller, row: Release, access: Access, **details: Any
) -> None:
    """Record a download, or a training here, in both organisations' logs."""
    if access.state != AccessState.OWNER:
        ReleaseRepository(session).add_download(
            Download(
                release_id=row.id,
                organisation_id=caller.organisation_id,
                user_id=caller.user_id,
                name=caller.name,
                created_at=utc_now(),
            )
        )
    record(
        session,
        caller,
        Action.RELEASE_DOWNLOADED,
        row.id,
        also=(row.organisation_id,),
        **details,
    )


def read_downloads(session: Session, rows: Sequence[Download]) -> list[DownloadRead]:
    names = OrganisationRepository(session).names_of([row.organisation_id for row in rows])
    return [
        DownloadRead(
            created_at=row.created_at,
            organisation=Party(id=row.organisation_id, name=names[row.organisation_id]),
            name=row.name,
        )
        for row in rows
    ]


def withdraw(
    session: Session,
    caller: Caller,
    release_id: str,
    reason: str,
    *,
    withdrawal_id: str | None = None,
    signed_at_home: bool = False,
) -> Release:
    """Leave a tombstone.

    What another portal published here goes by its organisation's signature alone: whoever has
    stolen the token that it is sent with cannot take it away.

    Raises ReleaseNotFound, AlreadyWithdrawn, WithdrawAtHome.
    """
    row = ReleaseRepository(session).readable_by(caller).get_own(release_id, lock=True)
    if row.distillation_id is None and not signed_at_home:
        raise WithdrawAtHome(
            "It was published from your own portal, which signs its withdrawal too. Nothing was "
            "changed. Withdraw it there; this hub follows within a minute."
        )
    if row.status == ReleaseStatus.WITHDRAWN:
        raise AlreadyWithdrawn("Nothing was changed.")
    row.status, row.withdrawn_at = ReleaseStatus.WITHDRAWN, utc_now()
    row.withdrawal_reason, row.withdrawal_id = reason, withdrawal_id
    session.flush()
    recipients = recipients_of(session, row.id)
    for organisation_id in sorted(recipients):
        notify_organisation(
            session,
            organisation_id,
            Permission.REQUEST,
            Notice(
                kind="release.withdrawn",
                title=f"A release was withdrawn: {row.title}",
                text=f"{reason}\n\nStop using {row.title!r} and delete your copies, as its terms "
                "say. It can be downloaded no longer.",
                link=f"/releases/{row.id}",
                data={"release": row.id},
            ),
        )
    close_for_withdrawal(session, row)
    record(session, caller, Action.RELEASE_WITHDRAWN, row.id, also=recipients)
    return row


def recipients_of(session: Session, release_id: str) -> set[str]:
    """The organisations that have downloaded a release or may."""
    held = AccessRepository(session).running_grants(release_id, utc_now())
    downloaded = ReleaseRepository(session).recipients([release_id])
    return {row.organisation_id for row in held} | {organisation for _, organisation in downloaded}


def _read_scores(session: Session, release_id: str, most: int | None) -> list[ScoreRead]:
    """The newest ones, the oldest of them first."""
    rows = ReleaseRepository(session).scores_of([release_id], limit=most)[::-1]
    names = OrganisationRepository(session).names_of([row.organisation_id for row in rows])
    return [read_score(row, names[row.organisation_id]) for row in rows]


def read_score(row: Score, organisation: str) -> ScoreRead:
    return ScoreRead(
        id=row.id,
        created_at=row.created_at,
        organisation=Party(id=row.organisation_id, name=organisation),
        document=row.document,
        signature=row.signature,
        public_key=row.public_key,
        score=json.loads(row.document)["score"],
    )
