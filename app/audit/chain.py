"""Hash chain of a log: each entry's hash covers the entry and the hash before it.

What is changed, taken out, put in or moved breaks the chain at that place; what is cut off at the
end is missed by the head, which names the last entry. Whoever can write to the whole database can
make another chain that is sound in itself: an exported log, kept elsewhere, distinguishes the two,
and its last line is signed with the organisation's key.

Only the standard library: an export is verified where nothing of the portal is installed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iadd.bundle.format import canonical_json

START = "0" * 64
"""The hash before the first entry."""

HASHED = (
    *("organisation_id", "number", "at", "actor", "action", "subject", "outcome", "details"),
    "previous_hash",
)


class BrokenChain(Exception):  # noqa: N818 (it names a finding)
    """The log was modified. The message names the place."""


@dataclass(frozen=True)
class Head:
    """The end of a chain: number and hash of its last entry."""

    number: int
    hash: str


EMPTY = Head(0, START)


def hash_entry(entry: Mapping[str, Any]) -> str:
    """SHA-256 of an entry's content and of the hash before it."""
    return hashlib.sha256(canonical_json({name: entry[name] for name in HASHED})).hexdigest()


def follow(entries: Iterable[Mapping[str, Any]], start: Head = EMPTY) -> Head:
    """Check entries one after the other, and return the chain's end.

    Raises:
        BrokenChain: At the first entry that does not follow from the one before it.
    """
    head = start
    for entry in entries:
        number = entry.get("number")
        if number != head.number + 1:
            raise BrokenChain(
                f"entry {head.number + 1} is missing: {_named(number)} is in its place."
            )
        if entry.get("previous_hash") != head.hash:
            raise BrokenChain(f"entry {number} does not follow from the entry before it.")
        try:
            digest = hash_entry(entry)
        except (KeyError, TypeError, ValueError):
            raise BrokenChain(f"entry {number} cannot be read.") from None
        if entry.get("hash") != digest:
            raise BrokenChain(f"entry {number} was changed.")
        head = Head(number, digest)
    return head


def expect_end(found: Head, expected: Head) -> None:
    """Raises BrokenChain where the chain does not end where it should."""
    if found.number < expected.number:
        raise BrokenChain(
            f"{expected.number - found.number} entries after entry {found.number} are missing."
        )
    if found != expected:
        raise BrokenChain(f"it ends with another entry than number {expected.number} should be.")


def _named(number: object) -> str:
    return f"entry {number}" if isinstance(number, int) else "something else"
