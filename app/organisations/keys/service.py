"""Signing keys of an organisation: create, rotate, sign."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.security import Caller
from app.core.vault import Vault
from app.models.organisation import Organisation
from app.models.organisation_key import OrganisationKey
from app.organisations.keys.repository import KeyRepository
from app.organisations.repository import OrganisationRepository
from app.signing.keys import KeyHistory, new_key, public_key
from app.signing.signature import Signer


def create_first(session: Session, vault: Vault, organisation_id: str, *, by: str) -> None:
    """The key that an organisation begins with."""
    private, public = new_key()
    key = KeyRepository(session).add(
        OrganisationKey(
            organisation_id=organisation_id,
            public_key=public,
            sealed_private_key=vault.seal(private),
        )
    )
    record_by_portal(session, organisation_id, Action.KEY_CREATED, key.id, by=by, public_key=public)


def rotate(session: Session, vault: Vault, caller: Caller, *, compromised: bool) -> OrganisationKey:
    """Sign with a new key from now on. The old private key is destroyed.

    Args:
        session: Transaction.
        vault: Encrypts private keys.
        caller: An admin.
        compromised: Somebody else may have the old key. Then it makes no statement that the new
            one follows: whoever trusted it has to get the new one from the organisation itself.
    """
    # Locked, so that of two that rotate at once the second rotates what the first has made.
    OrganisationRepository(session).get(caller.organisation_id, lock=True)
    keys = KeyRepository(session)
    old = keys.present(caller.organisation_id)
    private, public = new_key()
    rotation = None
    if not compromised:
        assert old.sealed_private_key is not None, "the present key can sign"
        history = _history(keys.of_organisation(caller.organisation_id), old)
        # A clock that was set back must not make a history that goes back in time.
        moment = history.no_earlier(utc_now())
        rotated = history.rotated(vault.open(old.sealed_private_key), public, moment)
        rotation = rotated.rotations[-1].to_dict()
    old.retired_at, old.sealed_private_key, old.compromised = utc_now(), None, compromised
    session.flush()
    new = keys.add(
        OrganisationKey(
            organisation_id=caller.organisation_id,
            public_key=public,
            sealed_private_key=vault.seal(private),
            rotation=rotation,
        )
    )
    record(
        session,
        caller,
        Action.KEY_ROTATED,
        new.id,
        old_key=old.public_key,
        public_key=public,
        compromised=compromised,
    )
    return new


def sealed_key(session: Session, vault: Vault, organisation_id: str) -> str:
    """The public key that belongs to the private one in the vault.

    Beside it in the database stands what anybody who writes there may have put.

    Raises:
        WrongSecretKey: The vault cannot open it.
    """
    sealed = KeyRepository(session).present(organisation_id).sealed_private_key
    assert sealed is not None, "the present key can sign"
    return public_key(vault.open(sealed))


def signer_of(
    session: Session, vault: Vault, organisation: Organisation
) -> tuple[Signer, OrganisationKey]:
    """The signer with the organisation's present key, and its statements from earlier keys."""
    rows = KeyRepository(session).of_organisation(organisation.id)
    present = next(row for row in rows if row.retired_at is None)
    assert present.sealed_private_key is not None, "the present key can sign"
    private = vault.open(present.sealed_private_key)
    return Signer.with_key(organisation.name, private, _history(rows, present)), present


def _history(rows: Sequence[OrganisationKey], present: OrganisationKey) -> KeyHistory:
    """The statements that lead to a key: back to the first key, or to a loss."""
    by_public_key = {row.public_key: row for row in rows}
    rotations: list[object] = []
    key: OrganisationKey | None = present
    while key is not None and key.rotation is not None:
        rotations.insert(0, key.rotation)
        key = by_public_key.get(key.rotation["old"])
    return KeyHistory.from_list(present.public_key, rotations)
