"""Receives releases from organisations' own portals: statement first, bundle in parts, then checks.

Every step may come twice, from a portal that did not see the answer: it changes nothing then.
"""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.exc import DataError, StatementError
from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.errors import Conflict, Problem
from app.core.portal import Portal
from app.core.security import Caller
from app.core.storage import Storage
from app.core.types import JsonObject
from app.federation.documents import PublicationDocument, WithdrawalDocument
from app.federation.home_keys.service import expect_signed_at_home, key_row
from app.federation.identity import expect_hub, public_key_of
from app.federation.publications.contents import look_into
from app.federation.publications.refusal import UNUSUAL, PublicationRefused, refuse, refused
from app.federation.publications.repository import PublicationRepository
from app.federation.publications.schemas import LARGEST_PART
from app.federation.schemas import SignedDocument
from app.models.audit_entry import Outcome
from app.models.publication import Publication, PublicationStatus
from app.models.release import Release, ReleaseStatus
from app.organisations.quotas import StorageExceeded, room_for_archive
from app.releases import service as releases
from app.releases.publish import supersede
from app.releases.repository import ReleaseRepository
from app.releases.row import classes_of, release_row, store_parts
from app.signing.envelope import Envelope
from app.signing.keys import Purpose, SigningError

MOST_AT_ONCE = 20
"""Bundles of one organisation that are incomplete."""

Document = TypeVar("Document", PublicationDocument, WithdrawalDocument)


class IdTaken(Conflict):
    code = "release-id-taken"
    title = "Another release has this id"


class TooManyAtOnce(Conflict):
    code = "too-many-publications"
    title = "Too many bundles are on their way"


class WrongOffset(Conflict):
    code = "wrong-offset"
    title = "The part does not follow what is here"


@dataclass(frozen=True)
class _Prepared:
    """A release that was found in order, and is not shown yet."""

    release: Release
    classes: list[str]


def begin(portal: Portal, session: Session, caller: Caller, body: SignedDocument) -> Publication:
    """Take the statement of a release.

    Raises NotAHub, PublicationRefused, IdTaken, TooManyAtOnce, StorageExceeded, and what
    `expect_signed_at_home` raises.
    """
    envelope, document = _read(
        portal, session, caller, body, Purpose.PUBLICATION, PublicationDocument
    )
    publications = PublicationRepository(session)
    row = publications.find(document.release)
    if row is not None and row.organisation_id != caller.organisation_id:
        raise _taken()
    if row is not None and row.status == PublicationStatus.ACCEPTED:
        # A release never changes; what else is signed of it may: what it supersedes, the hub's key.
        if document.bundle.sha256 != _document(row).bundle.sha256:
            raise IdTaken(
                "A release never changes, and this bundle is another one. Nothing was changed. "
                "Publish a new release instead."
            )
        return row
    if row is not None and row.status == PublicationStatus.WITHDRAWN:
        return row
    if row is not None and row.status == PublicationStatus.RECEIVING:
        if row.envelope["document"] == envelope.text:
            return row
        session.delete(row)  # another statement of the same release: from the beginning
        session.flush()
        row = None
    _expect_room(session, caller, document.bundle.size)
    if row is None:
        if document.release in ReleaseRepository(session).find([document.release]):
            raise _taken()
        row = publications.add(
            Publication(
                release_id=document.release,
                organisation_id=caller.organisation_id,
                envelope=envelope.to_dict(),
                size=document.bundle.size,
            )
        )
    row.status, row.problem = PublicationStatus.RECEIVING, None
    row.envelope, row.size, row.received = envelope.to_dict(), document.bundle.size, 0
    session.flush()
    return row


def _expect_room(session: Session, caller: Caller, size: int) -> None:
    """Raises TooManyAtOnce, StorageExceeded; what is still coming counts as if it were here."""
    room = room_for_archive(session, caller.organisation_id, lock=True)
    number, coming = PublicationRepository(session).receiving(caller.organisation_id)
    if number >= MOST_AT_ONCE:
        raise TooManyAtOnce(
            f"{number} bundles of your organisation are on their way. Nothing was changed. Let "
            "them arrive first."
        )
    if size > room - coming:
        raise StorageExceeded(
            f"Your organisation may store {max(0, room - coming)} more bytes at this hub, and the "
            f"bundle has {size}. Nothing was changed. Ask the hub's operator for more room.",
            room=max(0, room - coming),
        )


def append(
    portal: Portal, caller: Caller, release_id: str, offset: int, part: bytes
) -> Publication:
    """Take the next part of a bundle; once it is whole, check it and show the release.

    Asked again for a bundle that is whole, it checks again: it may have died before the end.

    Raises PublicationNotFound, WrongOffset.
    """
    with portal.database.transaction() as session:
        row = PublicationRepository(session).readable_by(caller).get(release_id, lock=True)
        if row.status != PublicationStatus.RECEIVING:
            return row
        if row.received < row.size:
            if offset != row.received or not 0 < len(part) <= min(
                LARGEST_PART, row.size - row.received
            ):
                raise WrongOffset(
                    f"{row.received} of {row.size} bytes are here, and a part has at most "
                    f"{LARGEST_PART}. Nothing was changed. Go on from there.",
                    received=row.received,
                )
            portal.storage.put(_part_key(release_id, offset), part)
            row.received += len(part)
            session.flush()
        if row.received < row.size:
            return row
    return _finish(portal, caller, release_id)


def withdraw(portal: Portal, session: Session, caller: Caller, body: SignedDocument) -> None:
    """Leave a tombstone, in the organisation's own signed words.

    A withdrawal that overtakes its release is kept, and the release is never shown.

    Raises NotAHub, PublicationRefused, IdTaken, and what `expect_signed_at_home` raises.
    """
    envelope, document = _read(
        portal, session, caller, body, Purpose.WITHDRAWAL, WithdrawalDocument
    )
    publications = PublicationRepository(session)
    row = publications.find(document.release)
    if row is None:
        if document.release in ReleaseRepository(session).find([document.release]):
            raise _taken()
        publications.add(
            Publication(
                release_id=document.release,
                organisation_id=caller.organisation_id,
                status=PublicationStatus.WITHDRAWN,
                envelope=envelope.to_dict(),
                size=0,
            )
        )
        return
    if row.organisation_id != caller.organisation_id:
        raise _taken()
    if row.status != PublicationStatus.ACCEPTED:
        row.status = PublicationStatus.WITHDRAWN
        return
    release = ReleaseRepository(session).readable_by(caller).get_own(row.release_id, lock=True)
    if release.status != ReleaseStatus.WITHDRAWN:
        releases.withdraw(session, caller, release.id, document.reason, signed_at_home=True)


def _finish(portal: Portal, caller: Caller, release_id: str) -> Publication:
    """Look through the whole bundle, and show the release or say why not."""
    with portal.database.reading() as session:
        row = PublicationRepository(session).readable_by(caller).get(release_id)
    checked = row.envelope
    envelope, document = Envelope.from_dict(checked), _document(row)
    prepared: _Prepared | Problem
    try:
        bundle = _whole(portal.storage, release_id, row.size)
        prepared = _prepare(caller, document, envelope, bundle)
        store_parts(portal.storage, release_id, bundle)
    except FileNotFoundError:
        return _begin_again(portal, caller, release_id)
    except PublicationRefused as problem:
        prepared = problem
    try:
        row = _end(portal, caller, release_id, checked, prepared)
    except (StatementError, DataError):
        # A value that the database does not take: a text too long, a number too large.
        prepared = refused("Its report holds a value that cannot be stored")
        row = _end(portal, caller, release_id, checked, prepared)
    if row.status != PublicationStatus.RECEIVING:
        portal.storage.delete_folder(parts_folder(release_id))
    return row


def _end(
    portal: Portal,
    caller: Caller,
    release_id: str,
    checked: JsonObject,
    prepared: _Prepared | Problem,
) -> Publication:
    """In one transaction: nothing of what was looked at has changed since, and it is shown."""
    with portal.database.transaction() as session:
        row = PublicationRepository(session).readable_by(caller).get(release_id, lock=True)
        if row.status != PublicationStatus.RECEIVING or row.envelope != checked:
            return row
        envelope, document = Envelope.from_dict(checked), _document(row)
        if isinstance(prepared, _Prepared):
            # The key may have been replaced as compromised since the first part.
            expect_signed_at_home(session, caller, envelope.history)
            _write(session, caller, document, envelope, prepared)
            row.status = PublicationStatus.ACCEPTED
        else:
            row.status, row.problem = PublicationStatus.REFUSED, prepared.as_dict()
            record(
                session,
                caller,
                Action.PUBLICATION_REFUSED,
                release_id,
                outcome=Outcome.REFUSED,
                reason=prepared.detail,
            )
        session.flush()
        return row


def _begin_again(portal: Portal, caller: Caller, release_id: str) -> Publication:
    """A part is gone: ask for all of them once more, unless another process has ended it."""
    with portal.database.transaction() as session:
        row = PublicationRepository(session).readable_by(caller).get(release_id, lock=True)
        if row.status == PublicationStatus.RECEIVING:
            row.received = 0
            session.flush()
        return row


def _prepare(
    caller: Caller, document: PublicationDocument, envelope: Envelope, bundle: bytes
) -> _Prepared:
    """Look through a bundle, and make the row of its release. Raises PublicationRefused."""
    contents = look_into(bundle, document, envelope.history)
    try:
        row = release_row(
            contents.facts,
            contents.report,
            organisation_id=caller.organisation_id,
            distillation_id=None,
            terms_template=document.terms_template.value,
            previews=document.previews,
            decision=contents.decision.to_dict(),
            override=contents.override,
            bundle=bundle,
            fingerprint=contents.fingerprint,
            key_id="",  # that of the key's row, once that is there
            published_by=caller.name,
        )
        return _Prepared(row, classes_of(contents.report))
    except UNUSUAL as error:
        raise refused("Its report does not say what every report says") from error


def _write(
    session: Session,
    caller: Caller,
    document: PublicationDocument,
    envelope: Envelope,
    prepared: _Prepared,
) -> None:
    found = ReleaseRepository(session)
    key = key_row(session, caller.organisation_id, envelope.history)
    prepared.release.key_id = key.id
    release = found.add(prepared.release, prepared.classes)
    record(
        session,
        caller,
        Action.RELEASE_PUBLISHED,
        release.id,
        number=release.number,
        bundle_sha256=release.bundle_sha256,
        key=key.id,
    )
    for old in found.find(document.supersedes).values():
        own = old.organisation_id == caller.organisation_id
        if own and old.status == ReleaseStatus.PUBLISHED:
            supersede(session, caller, old, release)
    # One that came late: a later version is here already.
    for other in PublicationRepository(session).accepted(caller.organisation_id):
        if release.id in _document(other).supersedes and release.status == ReleaseStatus.PUBLISHED:
            supersede(session, caller, release, found.load(other.release_id))


def _document(row: Publication) -> PublicationDocument:
    """What the organisation signed, as it was checked when it came."""
    return PublicationDocument.model_validate_json(row.envelope["document"])


def _read(
    portal: Portal,
    session: Session,
    caller: Caller,
    body: SignedDocument,
    purpose: Purpose,
    kind: type[Document],
) -> tuple[Envelope, Document]:
    """What the caller's organisation signed at home for this hub.

    Raises NotAHub, PublicationRefused, and what `expect_signed_at_home` raises.
    """
    expect_hub(portal)
    try:
        envelope = Envelope.from_dict(body.model_dump())
        document = kind.model_validate(envelope.document(purpose))
    except SigningError as error:
        raise PublicationRefused(
            f"The statement does not hold: {error}. Nothing was changed."
        ) from error
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise PublicationRefused(
            f"The statement is of another form ({where}). Nothing was changed. Where one of the "
            "two portals is older, update that one."
        ) from error
    expect_signed_at_home(session, caller, envelope.history)
    if document.hub != public_key_of(portal):
        refuse("It was signed for another hub")
    return envelope, document


def _whole(storage: Storage, release_id: str, size: int) -> bytes:
    parts, offset = [], 0
    while offset < size:
        part = storage.get(_part_key(release_id, offset))
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def parts_folder(release_id: str) -> str:
    """Where the parts of a bundle lie until it is whole."""
    return f"publications/{release_id}"


def _part_key(release_id: str, offset: int) -> str:
    return f"{parts_folder(release_id)}/{offset:012}"


def _taken() -> IdTaken:
    return IdTaken("Its id belongs to a release of another organisation. Nothing was changed.")
