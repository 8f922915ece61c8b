"""A signed document, as one portal sends it to another.

The document is signed as the text that it is: whoever reads it checks the signature first, and
parses then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from app.signing.keys import (
    KeyHistory,
    Purpose,
    SigningError,
    as_text,
    canonical,
    decode,
    encode,
    members,
    verify,
)
from app.signing.signature import Signer
from iadd.bundle.format import signed_message

SIGNATURE_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """A document with its signature.

    Attributes:
        text: The document, as canonical JSON.
        history: The key that signed, and how trust in earlier ones reaches it.
        signature: 64 bytes.
    """

    text: str
    history: KeyHistory
    signature: bytes

    @classmethod
    def make(cls, signer: Signer, purpose: Purpose, document: Mapping[str, Any]) -> Self:
        """Sign a document. Raises SigningError where it cannot be written."""
        text = canonical(document)
        return cls(
            text=text.decode(),
            history=signer.history,
            signature=signer.sign(signed_message(purpose, text)),
        )

    def document(self, purpose: Purpose) -> dict[str, Any]:
        """The document, once its signature and key history hold.

        Raises:
            SigningError: They do not, or it is no JSON object.
        """
        if problem := self.history.problem():
            raise SigningError(problem)
        message = signed_message(purpose, self.text.encode())
        if not verify(self.history.key, self.signature, message):
            raise SigningError("it was not signed with the key that it names")
        try:
            document = json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise SigningError("what was signed is not JSON") from error
        if not isinstance(document, dict):
            raise SigningError("what was signed is no document")
        return document

    def to_dict(self) -> dict[str, Any]:
        return {
            "document": self.text,
            "key": self.history.key,
            "history": self.history.to_list(),
            "signature": encode(self.signature),
        }

    @classmethod
    def from_dict(cls, sent: object) -> Self:
        """Read what :meth:`to_dict` wrote. Whether the signature holds is another question.

        Raises:
            SigningError: When it is anything else.
        """
        document, key, history, signature = members(sent, "document", "key", "history", "signature")
        return cls(
            text=as_text(document),
            history=KeyHistory.from_list(as_text(key), history),
            signature=decode(as_text(signature), SIGNATURE_BYTES),
        )
