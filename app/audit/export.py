"""Exports a log as JSON lines, with a signed last line that names its end.

`exchange audit verify FILE` checks such a file with nothing but the base install. Every line has
one form and just the members that are hashed or signed, so that no byte of the file is free.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.audit.chain import EMPTY, HASHED, BrokenChain, Head, expect_end, follow
from app.audit.statement import Statement
from app.signing.keys import fingerprint, rfc3339
from app.signing.trusted_keys import ADVICE, read_trusted_key
from app.signing.zip_container import UnreadableError
from iadd.bundle.format import canonical_json

GOOD, BAD, UNREADABLE = 0, 1, 2
LONGEST_LINE = 1024 * 1024

_ENTRY = frozenset({*HASHED, "hash"})


class NoLogError(ValueError):
    """A file is not an exported log. The message says why."""


@dataclass(frozen=True)
class Verification:
    """Result of a check; the exit codes are those of `exchange verify`."""

    exit_code: int
    lines: list[str]


def to_lines(entries: Iterable[dict[str, Any]], last: dict[str, Any]) -> Iterator[bytes]:
    """Lines of the export up to the head of its last line; later entries are left out."""
    for entry in entries:
        if entry["number"] > last["head"]["number"]:
            break
        yield canonical_json(entry) + b"\n"
    yield canonical_json(last) + b"\n"


def verify_export(
    path: Path, trusted_key: str | None = None, *, earlier: Path | None = None
) -> Verification:
    """Check an exported log.

    Args:
        path: The file.
        trusted_key: The organisation's public key, or a file that holds it, as it was got from
            them. Without it a log that somebody made up as a whole looks good.
        earlier: An export that was kept since: this one has to go on from it. Without it, whoever
            has the organisation's key can have rewritten the log before it was exported.
    """
    try:
        trusted = None if trusted_key is None else read_trusted_key(trusted_key)
    except UnreadableError as error:
        return Verification(UNREADABLE, [f"The trusted key cannot be used: {error}", ADVICE])
    before: Statement | None = None
    if earlier is not None:
        read = _read(earlier, None)
        if isinstance(read, Verification):
            lines = ["The earlier export proves nothing:", *read.lines]
            return Verification(read.exit_code, lines)
        before = read
    read = _read(path, before)
    if isinstance(read, Verification):
        return read
    lines = [
        f"The log is intact: {read.head.number} entries, each following from the one before it.",
        f"It ended at {rfc3339(read.at)} with the hash {read.head.hash}.",
    ]
    if before is not None:
        lines.append(f"It continues the earlier export, of {rfc3339(before.at)}.")
    code, judged = _judge(read, trusted)
    return Verification(code, [*lines, *judged])


def _read(path: Path, before: Statement | None) -> "Statement | Verification":
    """The last line of a log that holds; what is wrong with it otherwise."""
    try:
        with path.open("rb") as file:
            return _follow_file(iter(lambda: file.readline(LONGEST_LINE), b""), before)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        return Verification(UNREADABLE, [f"The file cannot be read: {reason}."])
    except NoLogError:
        return Verification(UNREADABLE, ["This is not an exported log."])
    except BrokenChain as broken:
        return Verification(BAD, [f"The log was changed: {broken}"])


def _follow_file(lines: Iterator[bytes], before: Statement | None) -> Statement:
    """Follow the chain to its end. Raises NoLogError, BrokenChain."""
    head: Head = EMPTY
    owner: object = None
    last: dict[str, Any] | None = None
    for line in lines:
        if last is not None:
            raise BrokenChain("something follows its last line.")
        document = _parse(line, head)
        if "head" in document:
            last = document
            continue
        if set(document) != _ENTRY or type(document["number"]) is not int:
            raise BrokenChain(
                f"entry {head.number + 1} has other members than it was written with."
            )
        head = follow([document], head)
        if owner not in (None, document["organisation_id"]):
            raise BrokenChain(f"entry {head.number} is of another organisation.")
        owner = document["organisation_id"]
        if before is not None and head.number == before.head.number and head != before.head:
            raise BrokenChain(f"entry {head.number} is another than in the earlier export.")
    if last is None:
        raise BrokenChain(f"it ends after entry {head.number}, without its last line.")
    return _expect_whole(Statement.from_line(last), head, owner, before)


def _parse(line: bytes, head: Head) -> dict[str, Any]:
    """One line, in the one form that it has. Raises NoLogError, BrokenChain."""
    try:
        document = json.loads(line)
        written = canonical_json(document) + b"\n"
    except (ValueError, RecursionError):
        document = None
    is_of_a_log = isinstance(document, dict) and not {"head", "previous_hash"}.isdisjoint(document)
    if head == EMPTY and not is_of_a_log:
        raise NoLogError
    if isinstance(document, dict) and written == line:
        return document
    raise BrokenChain(f"the line after entry {head.number} is not as it was written.")


def _expect_whole(
    statement: Statement, head: Head, owner: object, before: Statement | None
) -> Statement:
    """Raises BrokenChain where the log is shorter than its last line or an earlier export."""
    expect_end(head, statement.head)
    if owner not in (None, statement.organisation_id):
        raise BrokenChain("its last line is of another organisation.")
    if before is None:
        return statement
    if before.organisation_id != statement.organisation_id:
        raise BrokenChain("the earlier export is of another organisation.")
    if before.head.number > head.number:
        missing = before.head.number - head.number
        raise BrokenChain(f"the earlier export has {missing} entries more.")
    return statement


def _judge(statement: Statement, trusted: str | None) -> tuple[int, list[str]]:
    """Judge the signature: by the trusted key or a successor of it."""
    history = statement.history
    if trusted is None:
        return GOOD, [
            f"It says that it is signed by {statement.organisation!r} with {history.key} "
            f"(fingerprint {fingerprint(history.key)}). Nothing in the file proves that: compare "
            "the key with one that you got from them, with --trusted-key.",
        ]
    if trusted not in history.keys:
        return BAD, [
            f"It is signed with another key ({fingerprint(history.key)}) than the trusted one "
            f"({fingerprint(trusted)}). Do not rely on it."
        ]
    if trusted == history.key:
        return GOOD, ["It is signed with the trusted key."]
    return GOOD, [
        "It is signed with a key that the trusted one led to, by its own statement: "
        f"{history.key} (fingerprint {fingerprint(history.key)})."
    ]
