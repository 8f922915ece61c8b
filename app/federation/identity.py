"""The portal's own key: other portals know it again by it, whatever address it has."""

import secrets

from sqlalchemy.exc import IntegrityError

from app.core.errors import Conflict
from app.core.portal import Portal
from app.core.version import VERSION
from app.federation.schemas import PortalIdentity
from app.models.portal_key import ONLY, PortalKey
from app.signing.keys import (
    Purpose,
    SigningError,
    decode,
    encode,
    fingerprint,
    new_key,
    sign,
    verify,
)
from iadd.bundle.format import canonical_json, signed_message

SIGNATURE_BYTES = 64


class NotAHub(Conflict):
    code = "not-a-hub"
    title = "This portal is no hub"


def expect_hub(portal: Portal) -> None:
    """Raises NotAHub: releases of other portals are shown by hubs alone.

    In a hospital's portal a release passes the own policy, and two people where that objects.
    """
    if not portal.settings.is_hub:
        raise NotAHub("It is a hospital's own. Nothing was changed. Publish to a hub.")


def new_challenge() -> str:
    """A text that nobody has signed before."""
    return secrets.token_urlsafe(32)


def identity(portal: Portal, challenge: str | None) -> PortalIdentity:
    """The portal's role, version and key; with a challenge, the proof that it has the key."""
    key = _key(portal)
    signature = None
    if challenge is not None:
        private = portal.vault.open(key.sealed_private_key)
        signature = encode(sign(private, _message(challenge, key.public_key)))
    return PortalIdentity(
        role=portal.settings.role,
        version=VERSION,
        public_key=key.public_key,
        fingerprint=fingerprint(key.public_key),
        signature=signature,
    )


def proves(found: PortalIdentity, challenge: str) -> bool:
    """Whether the portal that answered has the private part of the key that it names."""
    try:
        signature = decode(found.signature or "", SIGNATURE_BYTES)
        return verify(found.public_key, signature, _message(challenge, found.public_key))
    except SigningError:
        return False


def public_key_of(portal: Portal) -> str:
    return _key(portal).public_key


def _message(challenge: str, public_key: str) -> bytes:
    return signed_message(
        Purpose.PORTAL, canonical_json({"challenge": challenge, "key": public_key})
    )


def _key(portal: Portal) -> PortalKey:
    """The key; at the first question it is made."""
    with portal.database.reading() as session:
        found = session.get(PortalKey, ONLY)
    if found is not None:
        return found
    private, public = new_key()
    try:
        with portal.database.transaction() as session:
            made = PortalKey(public_key=public, sealed_private_key=portal.vault.seal(private))
            session.add(made)
    except IntegrityError:  # another portal process was asked at the same moment
        with portal.database.reading() as session:
            return session.get_one(PortalKey, ONLY)
    return made
