"""Signs where a log ended, in its organisation's name: an export's last line, a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from app.audit.chain import BrokenChain, Head
from app.signing.keys import (
    KeyHistory,
    Purpose,
    SigningError,
    as_text,
    decode,
    encode,
    members,
    parse_rfc3339,
    rfc3339,
    verify,
)
from app.signing.signature import Signer
from iadd.bundle.format import canonical_json, signed_message

SIGNATURE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Where a log ended, in the organisation's own name.

    Attributes:
        organisation_id: Whose log it is.
        organisation: Its name, as it writes it.
        head: Number and hash of the last entry.
        at: When, in UTC, to the second.
        history: The key that signed, and how trust in earlier ones reaches it.
    """

    organisation_id: str
    organisation: str
    head: Head
    at: datetime
    history: KeyHistory

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Self:
        """Read what `signed_head` made.

        Raises:
            BrokenChain: It is anything else, or was not signed with the key that it names.
        """
        try:
            document, signature = members(line, "head", "signature")
            organisation_id, organisation, number, digest, at, key, history = members(
                document,
                "organisation_id",
                "organisation",
                "number",
                "hash",
                "at",
                "key",
                "history",
            )
            read = cls(
                organisation_id=as_text(organisation_id),
                organisation=as_text(organisation),
                head=Head(_whole(number), as_text(digest)),
                at=parse_rfc3339(as_text(at)),
                history=KeyHistory.from_list(as_text(key), history),
            )
            signed = verify(
                read.history.key,
                decode(as_text(signature), SIGNATURE_BYTES),
                signed_message(Purpose.LOG, canonical_json(document)),
            )
        except SigningError as error:
            raise BrokenChain("its last line is not as it was written.") from error
        if not signed:
            raise BrokenChain("its last line was not signed with the key that it names.")
        if problem := read.history.problem():
            raise BrokenChain(f"{problem}.")
        if read.history.rotations and read.at < read.history.rotations[-1].at:
            raise BrokenChain("it was signed before its key was in use.")
        return read


def signed_head(head: Head, organisation_id: str, signer: Signer, at: datetime) -> dict[str, Any]:
    """What the chain's head was: the end of an export, or a checkpoint."""
    statement = {
        "organisation_id": organisation_id,
        "organisation": signer.organisation,
        "number": head.number,
        "hash": head.hash,
        "at": rfc3339(at),
        "key": signer.history.key,
        "history": signer.history.to_list(),
    }
    signature = signer.sign(signed_message(Purpose.LOG, canonical_json(statement)))
    return {"head": statement, "signature": encode(signature)}


def _whole(value: object) -> int:
    if type(value) is not int:
        raise SigningError("a number in it is none")
    return value
