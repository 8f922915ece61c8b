"""The keys that organisations sign with at home, as this portal knows them.

A key comes from the organisation's own portal and counts once a person of the organisation has
compared its fingerprint. A later key counts by the statement of the one before; without such a
statement (after a compromise) a person compares again.
"""

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.clock import utc_now
from app.core.errors import Conflict, Forbidden, Invalid, NotFound
from app.core.portal import Portal
from app.core.security import Caller
from app.federation.home_keys.schemas import HomeKeyRead
from app.federation.identity import expect_hub, public_key_of
from app.federation.schemas import SignedDocument
from app.models.home_key import HomeKey
from app.models.organisation_key import OrganisationKey
from app.organisations.keys.repository import KeyRepository
from app.signing.envelope import Envelope
from app.signing.keys import KeyHistory, Purpose, SigningError, fingerprint


class HomeKeyNotUsable(Invalid):
    code = "home-key-not-usable"
    title = "The key cannot be used"


class NoHomeKey(NotFound):
    code = "no-home-key"
    title = "Your organisation has no home key here"


class OtherFingerprint(Conflict):
    code = "other-fingerprint"
    title = "The fingerprint is another key's"


class HomeKeyNotConfirmed(Forbidden):
    code = "home-key-not-confirmed"
    title = "Nobody has confirmed your key here yet"


class OtherHomeKey(Forbidden):
    code = "other-home-key"
    title = "It was signed with another key"


def register(portal: Portal, session: Session, caller: Caller, body: SignedDocument) -> HomeKey:
    """Take the key that an organisation's own portal names, signed with that key.

    The key that is there already stays confirmed. One that a statement of it leads to replaces it.
    Any other waits beside it for a person, so that a stolen token changes nothing.

    Raises NotAHub, HomeKeyNotUsable.
    """
    expect_hub(portal)
    try:
        envelope = Envelope.from_dict(body.model_dump())
        document = envelope.document(Purpose.HOME_KEY)
    except SigningError as error:
        raise HomeKeyNotUsable(f"The document does not hold: {error}. Nothing changed.") from error
    if document.get("hub") != public_key_of(portal):
        raise HomeKeyNotUsable("It was signed for another hub. Nothing was changed.")
    history = envelope.history
    row = session.get(HomeKey, caller.organisation_id, with_for_update=True)
    if row is None:
        row = HomeKey(organisation_id=caller.organisation_id, public_key=history.key)
        session.add(row)
    elif history.key in (row.public_key, row.pending_key):
        return row
    elif row.confirmed_at is None or row.public_key in history.keys:
        row.public_key = history.key
    else:
        row.pending_key = history.key
    session.flush()
    record(
        session,
        caller,
        Action.HOME_KEY_SENT,
        caller.organisation_id,
        public_key=history.key,
        follows=row.confirmed_at is not None and row.public_key == history.key,
    )
    return row


def confirm(session: Session, caller: Caller, typed: str) -> HomeKey:
    """Trust the key from now on. Raises NoHomeKey, OtherFingerprint."""
    row = _get(session, caller, lock=True)
    compared = "".join(typed.split()).lower()
    if row.pending_key is not None and compared == fingerprint(row.pending_key):
        row.public_key, row.pending_key, row.confirmed_at = row.pending_key, None, None
    if compared != fingerprint(row.public_key):
        raise OtherFingerprint(
            "Your own portal's key is not the one that was sent here. Nothing was confirmed. Read "
            "the fingerprint in your own portal once more; if it stays another one, somebody "
            "stands between the two portals: tell the operator of this hub."
        )
    if row.confirmed_at is None:
        row.confirmed_at, row.confirmed_by = utc_now(), caller.name
        session.flush()
        record(
            session,
            caller,
            Action.HOME_KEY_CONFIRMED,
            caller.organisation_id,
            public_key=row.public_key,
        )
    return row


def read(session: Session, caller: Caller) -> HomeKeyRead:
    """Raises NoHomeKey."""
    return read_key(_get(session, caller))


def read_key(row: HomeKey) -> HomeKeyRead:
    pending = None if row.pending_key is None else fingerprint(row.pending_key)
    return HomeKeyRead.of(row, fingerprint=fingerprint(row.public_key), pending_fingerprint=pending)


def find(session: Session, organisation_id: str) -> HomeKey | None:
    return session.get(HomeKey, organisation_id)


def expect_signed_at_home(session: Session, caller: Caller, history: KeyHistory) -> None:
    """Check that a key is the organisation's own, and learn a later one by its statement.

    Raises NoHomeKey, HomeKeyNotConfirmed, OtherHomeKey.
    """
    row = _get(session, caller, lock=True)
    if row.confirmed_at is None:
        raise HomeKeyNotConfirmed(
            "An admin of your organisation has to compare the fingerprint of your portal's key at "
            "this hub first (Organisation, Keys). Nothing was published; it is sent again later."
        )
    if row.public_key not in history.keys:
        raise OtherHomeKey(
            f"This hub knows your organisation by the key {fingerprint(row.public_key)}, and no "
            f"statement leads from it to {fingerprint(history.key)}. Nothing was published. Where "
            "your organisation had to replace a compromised key, connect again and compare the new "
            "fingerprint."
        )
    if row.public_key != history.key:
        row.public_key = history.key
        session.flush()
        record(
            session,
            caller,
            Action.HOME_KEY_SENT,
            caller.organisation_id,
            public_key=row.public_key,
            follows=True,
        )


def key_row(session: Session, organisation_id: str, history: KeyHistory) -> OrganisationKey:
    """The row of the key that signs at home, which releases refer to."""
    keys = KeyRepository(session)
    found = keys.find_public(history.key)
    if found is not None:
        return found
    rotation = history.rotations[-1].to_dict() if history.rotations else None
    return keys.add(
        OrganisationKey(
            organisation_id=organisation_id,
            public_key=history.key,
            is_home=True,
            rotation=rotation,
        )
    )


def _get(session: Session, caller: Caller, *, lock: bool = False) -> HomeKey:
    row = session.get(HomeKey, caller.organisation_id, with_for_update=lock)
    if row is None:
        raise NoHomeKey(
            "Connect your own portal with this hub first: Organisation, Connections, there."
        )
    return row
