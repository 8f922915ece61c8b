"""A log as JSON lines: one entry a line, and a last line that says where it ends, signed.

`exchange audit verify FILE` checks such a file with nothing but the base install.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.audit.chain import EMPTY, BrokenChain, Head, canonical, expect_end, follow
from app.releases.signature import Signer
from app.releases.signing import (
    KeyHistory,
    Purpose,
    SigningError,
    decode,
    encode,
    parse_public_key,
    rfc3339,
    signed_message,
    verify,
)

GOOD, BAD, UNREADABLE = 0, 1, 2
SIGNATURE_BYTES = 64
LONGEST_LINE = 1024 * 1024


@dataclass(frozen=True)
class Verification:
    """What a check found; the exit codes are those of `exchange verify`."""

    exit_code: int
    lines: list[str]


def last_line(head: Head, organisation_id: str, signer: Signer, at: datetime) -> dict[str, Any]:
    """The end of an export: what the chain's head was, in the organisation's own name."""
    statement = {
        "organisation_id": organisation_id,
        "organisation": signer.organisation,
        "number": head.number,
        "hash": head.hash,
        "at": rfc3339(at),
        "key": signer.history.key,
        "history": signer.history.to_list(),
    }
    signature = signer.sign(signed_message(Purpose.LOG, canonical(statement)))
    return {"head": statement, "signature": encode(signature)}


def to_lines(entries: Iterable[dict[str, Any]], last: dict[str, Any]) -> Iterator[bytes]:
    for entry in entries:
        yield canonical(entry) + b"\n"
    yield canonical(last) + b"\n"


def verify_export(path: Path, trusted_key: str | None = None) -> Verification:
    """Check an exported log.

    Args:
        path: The file.
        trusted_key: The organisation's public key, as it was got from them. Without it a log that
            somebody made up as a whole looks good.
    """
    try:
        key = None if trusted_key is None else parse_public_key(trusted_key)
    except SigningError as error:
        return Verification(UNREADABLE, [f"The trusted key cannot be used: {error}."])
    try:
        with path.open("rb") as file:
            head, last = _follow_file(iter(lambda: file.readline(LONGEST_LINE), b""))
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        return Verification(UNREADABLE, [f"The file cannot be read: {reason}."])
    except (ValueError, RecursionError):
        return Verification(UNREADABLE, ["This is not an exported log."])
    except BrokenChain as broken:
        return _broken(str(broken))
    return _judge(head, last, key)


def _follow_file(lines: Iterator[bytes]) -> tuple[Head, dict[str, Any]]:
    head: Head = EMPTY
    last: dict[str, Any] | None = None
    for line in lines:
        if last is not None:
            raise BrokenChain("something follows its last line.")
        document = json.loads(line)
        if not isinstance(document, dict):
            raise BrokenChain(f"something else follows entry {head.number}.")
        if canonical(document) + b"\n" != line:
            raise BrokenChain(f"the line after entry {head.number} is not as it was written.")
        if "head" in document:
            last = document
        else:
            head = follow([document], head)
    if last is None:
        raise BrokenChain(f"it ends after entry {head.number}, without its last line.")
    return head, last


def _judge(found: Head, last: dict[str, Any], trusted_key: str | None) -> Verification:
    try:
        statement = last["head"]
        expect_end(found, Head(statement["number"], statement["hash"]))
        history = KeyHistory.from_list(statement["key"], statement["history"])
        signature = decode(last["signature"], SIGNATURE_BYTES)
        message = signed_message(Purpose.LOG, canonical(statement))
        signed = history.problem() is None and verify(history.key, signature, message)
    except BrokenChain as broken:
        return _broken(str(broken))
    except (KeyError, TypeError, AttributeError, SigningError):
        return _broken("its last line is not as it was written.")
    if not signed:
        return _broken("its last line was not signed with the key that it names.")
    intact = f"The log is intact: {found.number} entries, each following from the one before it."
    if trusted_key is None:
        return Verification(
            GOOD,
            [
                intact,
                f"It says that it is signed by {statement['organisation']!r} with {history.key}. "
                "Nothing in the file proves that: compare the key with one that you got from "
                "them, with --trusted-key.",
            ],
        )
    if trusted_key not in history.keys:
        return Verification(
            BAD, [intact, "It is signed with another key than the trusted one. Do not rely on it."]
        )
    return Verification(GOOD, [intact, "It is signed with the trusted key."])


def _broken(reason: str) -> Verification:
    return Verification(BAD, [f"The log was changed: {reason}"])
