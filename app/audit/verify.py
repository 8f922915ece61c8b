"""Verifies the hash chain of a stored log: from its first entry, or from its checkpoint on."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.audit.chain import EMPTY, BrokenChain, Head, expect_end, follow
from app.audit.log import entry_dict
from app.audit.repository import AuditRepository
from app.audit.statement import Statement


@dataclass(frozen=True)
class Verified:
    """What was followed.

    Attributes:
        since: The signed checkpoint that it began at; None: at the first entry.
        end: The end of the log.
    """

    since: Statement | None
    end: Head


def check(session: Session, organisation_id: str) -> Head:
    """The end of an organisation's log, every entry before it checked. Raises BrokenChain."""
    return _follow(session, organisation_id, EMPTY)


def check_since(session: Session, organisation_id: str, keys: Collection[str]) -> Verified:
    """Check what came after the checkpoint, and the entry that it names.

    Entries before it were checked when it was signed: that nobody changed them since, only `check`
    shows.

    Args:
        session: The database.
        organisation_id: Whose log.
        keys: The organisation's public keys that the present one follows, and itself. A checkpoint
            of another key is not believed.

    Raises:
        BrokenChain: The log was changed, or its checkpoint.
    """
    log = AuditRepository(session)
    line = log.checkpoint(organisation_id)
    if line is None:
        return Verified(None, check(session, organisation_id))
    try:
        since = Statement.from_line(line)
    except BrokenChain:
        raise BrokenChain("its checkpoint was changed.") from None
    if since.organisation_id != organisation_id:
        raise BrokenChain("its checkpoint is of another organisation.")
    if since.history.key not in keys:
        # Its key was lost since, and whoever has it now could have signed anything.
        return Verified(None, check(session, organisation_id))
    number = since.head.number
    entry = log.entry(organisation_id, number)
    if entry is None:
        raise BrokenChain(f"entry {number}, which its checkpoint names, is missing.")
    if follow([entry_dict(entry)], Head(number - 1, entry.previous_hash)) != since.head:
        raise BrokenChain(f"entry {number} is another than its checkpoint names.")
    return Verified(since, _follow(session, organisation_id, since.head))


def _follow(session: Session, organisation_id: str, start: Head) -> Head:
    log = AuditRepository(session)
    found = follow(map(entry_dict, log.after(organisation_id, start.number)), start)
    expect_end(found, log.head(organisation_id))
    if found == EMPTY:
        raise BrokenChain("it is empty, and begins when an organisation is made.")
    return found
