"""Writes and parses ``SIGNATURE``, the last file of a signed bundle.

The signature covers every other member of the file and, through ``SHA256SUMS``, every other byte
of the bundle. The key in it proves nothing by itself: anybody can make one. It counts once it is
compared with a key that came another way.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from app.signing.keys import (
    ALGORITHM,
    KeyHistory,
    Purpose,
    SigningError,
    as_text,
    canonical,
    decode,
    encode,
    members,
    parse_rfc3339,
    rfc3339,
    sign,
    verify,
)
from iadd.bundle.format import signed_message

FORMAT = 1
LARGEST = 256 * 1024
LONGEST_NAME = 200

_SIGNATURE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Whoever signs a release.

    Attributes:
        organisation: Its name, one line.
        history: Its public key, and how trust in earlier ones reaches it.
        sign: Signs a message with that key, wherever it is kept.
    """

    organisation: str
    history: KeyHistory
    sign: Callable[[bytes], bytes]

    @classmethod
    def with_key(cls, organisation: str, private: bytes, history: KeyHistory) -> Self:
        """A signer whose private key is at hand."""
        return cls(
            organisation=organisation,
            history=history,
            sign=lambda message: sign(private, message),
        )


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Content of ``SIGNATURE``.

    Attributes:
        organisation: The signer's name, as the signer writes it.
        history: The key that signed, and how trust in earlier ones reaches it.
        signed_at: When, in UTC, to the second.
        signature: 64 bytes.
    """

    organisation: str
    history: KeyHistory
    signed_at: datetime
    signature: bytes

    @classmethod
    def make(cls, signer: Signer, *, sums_sha256: str, signed_at: datetime) -> Self:
        """Sign the list of a bundle's sums.

        Args:
            signer: Name of the signing organisation.
            sums_sha256: The SHA-256 of ``SHA256SUMS``, in hexadecimal digits.
            signed_at: When.

        Raises:
            SigningError: When the signer's name, key, history or signature does not hold.
        """
        if problem := _name_problem(signer.organisation):
            raise SigningError(problem)
        fields = _fields(signer.organisation, signer.history, signed_at)
        made = cls(
            organisation=signer.organisation,
            history=signer.history,
            signed_at=parse_rfc3339(rfc3339(signed_at)),
            signature=signer.sign(_message(fields, sums_sha256)),
        )
        if problem := made.problem(sums_sha256):
            raise SigningError(problem)
        return made

    def problem(self, sums_sha256: str) -> str | None:
        """The reason why this is not a valid signature of these sums; None if it is."""
        if problem := self.history.problem():
            return problem
        if self.history.rotations and self.signed_at < self.history.rotations[-1].at:
            return "it was signed before its key was in use"
        message = _message(_fields(self.organisation, self.history, self.signed_at), sums_sha256)
        if not verify(self.history.key, self.signature, message):
            return "its signature was not made for these files with the key that it names"
        return None

    def to_bytes(self) -> bytes:
        """The file: canonical JSON and a line's end."""
        fields = _fields(self.organisation, self.history, self.signed_at)
        return canonical({**fields, "signature": encode(self.signature)}) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the file. It has one form, so nothing can be hidden in it.

        Raises:
            SigningError: When it is anything but what :meth:`to_bytes` writes.
        """
        if len(content) > LARGEST:
            raise SigningError("it is too large")
        try:
            document = json.loads(content.decode())
        except (ValueError, RecursionError) as error:
            raise SigningError("it is not JSON") from error
        number, algorithm, organisation, key, signed_at, history, signature = members(
            document,
            *("format", "algorithm", "organisation", "key", "signed_at", "history", "signature"),
        )
        if (number, algorithm) != (FORMAT, ALGORITHM):
            raise SigningError(
                "it is of a later format: a newer version of this program may know it"
            )
        if problem := _name_problem(as_text(organisation)):
            raise SigningError(problem)
        read = cls(
            organisation=organisation,
            history=KeyHistory.from_list(as_text(key), history),
            signed_at=parse_rfc3339(as_text(signed_at)),
            signature=decode(as_text(signature), _SIGNATURE_BYTES),
        )
        if read.to_bytes() != content:
            raise SigningError("it is not in the form that it is written in")
        return read


def _fields(organisation: str, history: KeyHistory, signed_at: datetime) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "algorithm": ALGORITHM,
        "organisation": organisation,
        "key": history.key,
        "signed_at": rfc3339(signed_at),
        "history": history.to_list(),
    }


def _message(fields: dict[str, Any], sums_sha256: str) -> bytes:
    return signed_message(Purpose.RELEASE, canonical({**fields, "sums_sha256": sums_sha256}))


def _name_problem(name: str) -> str | None:
    if name.isprintable() and name == name.strip() and 1 <= len(name) <= LONGEST_NAME:
        return None
    return f"the organisation's name is not one line of 1 to {LONGEST_NAME} characters"
