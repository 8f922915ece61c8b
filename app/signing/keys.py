"""Keys and signatures of organisations: Ed25519 (RFC 8032), in a text form to pass on.

What is signed begins with a line that says what it is, so that a signature made for one purpose
proves nothing for another. A key that takes over from another carries that key's own statement:
who trusted the old key can trust the new one. After a compromise there is no such statement, since
whoever stole the old key could make it too.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from iadd.bundle.format import canonical_json, signed_message

ALGORITHM = "ed25519"

_PREFIX = f"{ALGORITHM}:"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_BASE64 = re.compile(r"[A-Za-z0-9+/]*")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class SigningError(ValueError):
    """A key, signature or statement is malformed; the message names it."""


class Purpose(StrEnum):
    """Purpose of a signature; its name is part of the signed message."""

    RELEASE = "release"
    ROTATION = "rotation"
    SCORE = "score"
    LOG = "log"
    PORTAL = "portal"
    HOME_KEY = "home key"
    PUBLICATION = "publication"
    WITHDRAWAL = "withdrawal"


def new_key() -> tuple[bytes, str]:
    """Make a key pair.

    Returns:
        The private key, 32 bytes to keep secret, and the public one as text.
    """
    private = Ed25519PrivateKey.generate().private_bytes_raw()
    return private, public_key(private)


def public_key(private: bytes) -> str:
    """The public key that belongs to a private one, as text.

    ``ed25519:`` and the 32 bytes in base64 without padding: 51 characters.
    """
    return _PREFIX + encode(_private(private).public_key().public_bytes_raw())


def parse_public_key(text: str) -> str:
    """Normalise a public key as people write it: spaces around it and padding are allowed.

    Raises:
        SigningError: When it is no public key.
    """
    key = text.strip().removesuffix("=")
    _public_bytes(key)
    return key


def fingerprint(public: str) -> str:
    """A public key in short, to compare by telephone: 80 bits of its SHA-256.

    Raises:
        SigningError: When it is no public key.
    """
    digits = hashlib.sha256(_public_bytes(public)).hexdigest()[:20]
    return "-".join(digits[start : start + 4] for start in range(0, 20, 4))


def sign(private: bytes, message: bytes) -> bytes:
    """Sign a message (see `signed_message`). The same twice gives the same 64 bytes.

    Raises:
        SigningError: When the key is none.
    """
    return _private(private).sign(message)


def verify(public: str, signature: bytes, message: bytes) -> bool:
    """Check that the owner of the key signed the message.

    Raises:
        SigningError: When the key is none. A signature that is none verifies nothing.
    """
    try:
        Ed25519PublicKey.from_public_bytes(_public_bytes(public)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def canonical(document: Mapping[str, Any]) -> bytes:
    """The signed form of a document: see `canonical_json`.

    Raises:
        SigningError: When it cannot be written so.
    """
    try:
        return canonical_json(document)
    except (ValueError, TypeError, RecursionError) as error:
        raise SigningError("it is not a document that can be signed") from error


def encode(raw: bytes) -> str:
    """Base64 without padding."""
    return base64.b64encode(raw).decode().rstrip("=")


def decode(text: str, length: int) -> bytes:
    """Undo :func:`encode`, for just ``length`` bytes in the one way to write them.

    Raises:
        SigningError: When it is anything else.
    """
    if _BASE64.fullmatch(text) and len(text) == (length * 8 + 5) // 6:
        raw = base64.b64decode(text + "=" * (-len(text) % 4))
        if encode(raw) == text:
            return raw
    raise SigningError(f"it is not {length} bytes in base64")


def rfc3339(moment: datetime) -> str:
    """A time in UTC to the second, such as ``2026-11-24T16:52:36Z``.

    Raises:
        SigningError: When it has no time zone.
    """
    if moment.tzinfo is None:
        raise SigningError("a time without a time zone cannot be signed")
    return f"{moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def parse_rfc3339(text: str) -> datetime:
    """Undo :func:`rfc3339`.

    Raises:
        SigningError: When it is anything else.
    """
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise SigningError("it is not a time like 2026-11-24T16:52:36Z")


def members(document: object, *names: str) -> list[Any]:
    """The values of an object that has just these members, in this order.

    Raises:
        SigningError: When it is no object, or has other members.
    """
    if not isinstance(document, Mapping) or set(document) != set(names):
        raise SigningError(f"it does not hold {', '.join(names)} and nothing else")
    return [document[name] for name in names]


def as_text(value: object) -> str:
    """A member that has to be text.

    Raises:
        SigningError: When it is not.
    """
    if not isinstance(value, str):
        raise SigningError("a text in it is none")
    return value


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """A key's statement that another one follows it.

    Attributes:
        old: The public key that makes the statement.
        new: The public key that follows.
        at: When, in UTC, to the second.
        signature: By the old key.
    """

    old: str
    new: str
    at: datetime
    signature: bytes

    @classmethod
    def make(cls, old_private: bytes, new: str, at: datetime) -> Self:
        """Sign the statement that another key follows this one.

        Raises:
            SigningError: When a key is none, or the time has no zone.
        """
        _public_bytes(new)
        old, moment = public_key(old_private), rfc3339(at)
        signature = sign(old_private, _rotation_message(old, new, moment))
        return cls(old=old, new=new, at=parse_rfc3339(moment), signature=signature)

    def holds(self) -> bool:
        """True if the old key signed this statement."""
        return verify(
            self.old, self.signature, _rotation_message(self.old, self.new, rfc3339(self.at))
        )

    def to_dict(self) -> dict[str, str]:
        return {
            "old": self.old,
            "new": self.new,
            "at": rfc3339(self.at),
            "signature": encode(self.signature),
        }

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """Read what :meth:`to_dict` wrote. Whether it holds is another question.

        Raises:
            SigningError: When it is anything else.
        """
        old, new, at, signature = map(as_text, members(document, "old", "new", "at", "signature"))
        for key in (old, new):
            _public_bytes(key)
        return cls(
            old=old, new=new, at=parse_rfc3339(at), signature=decode(signature, _SIGNATURE_BYTES)
        )


@dataclass(frozen=True)
class KeyHistory:
    """An organisation's key, and how trust in earlier ones reaches it.

    A first key has no rotations, and neither has one that replaces a stolen key: write
    ``KeyHistory(new)`` then. A key that is stolen after it was rotated can still make statements,
    with any date: tell those who trust it to trust the present one instead.

    Attributes:
        key: The public key in use.
        rotations: Each one's new key is the next one's old one; the last one's is ``key``.
    """

    key: str
    rotations: tuple[Rotation, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that the history leads from, the oldest first, and the present one."""
        return (*(rotation.old for rotation in self.rotations), self.key)

    def no_earlier(self, moment: datetime) -> datetime:
        """The moment, or that of the last rotation where a clock has been set back since.

        What a key signs has to be dated after it came into use.
        """
        return max([moment, *(rotation.at for rotation in self.rotations[-1:])])

    def rotated(self, old_private: bytes, new: str, at: datetime) -> Self:
        """The history after the present key said that ``new`` follows it.

        Raises:
            SigningError: When the private key is not the present one's, or the result would not
                hold.
        """
        if public_key(old_private) != self.key:
            raise SigningError("only the present key can say which one follows it")
        rotation = Rotation.make(old_private, new, at)
        history = type(self)(new, (*self.rotations, rotation))
        if problem := history.problem():
            raise SigningError(problem)
        return history

    def problem(self) -> str | None:
        """The first invalid step of the history; None if all are valid."""
        if len(set(self.keys)) < len(self.keys):
            return "its key history comes back to a key"
        if [rotation.new for rotation in self.rotations] != list(self.keys[1:]):
            return "its key history has a gap, or leads to another key"
        moments = [rotation.at for rotation in self.rotations]
        if moments != sorted(moments):
            return "its key history goes back in time"
        if not all(rotation.holds() for rotation in self.rotations):
            return "its key history holds a statement that its key never made"
        return None

    def to_list(self) -> list[dict[str, str]]:
        """The rotations, as a bundle's SIGNATURE and a row hold them."""
        return [rotation.to_dict() for rotation in self.rotations]

    @classmethod
    def from_list(cls, key: str, rotations: object) -> Self:
        """Read what :meth:`to_list` wrote. Whether it leads to the key is another question.

        Raises:
            SigningError: When it is anything else.
        """
        _public_bytes(key)
        if not isinstance(rotations, list):
            raise SigningError("its key history is not a list")
        return cls(key, tuple(map(Rotation.from_dict, rotations)))


def _rotation_message(old: str, new: str, at: str) -> bytes:
    return signed_message(Purpose.ROTATION, canonical({"old": old, "new": new, "at": at}))


def _private(private: bytes) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(private)
    except ValueError as error:
        raise SigningError("it is not a private key of 32 bytes") from error


def _public_bytes(public: str) -> bytes:
    if not public.startswith(_PREFIX):
        raise SigningError(f"it is not a public key, which begins with {_PREFIX}")
    try:
        return decode(public.removeprefix(_PREFIX), _KEY_BYTES)
    except SigningError as error:
        raise SigningError(
            f"it is not a public key, which is {_PREFIX} and 43 letters, digits, + or /"
        ) from error
