"""Verifies the hash chain of a stored log: from its first entry, or from its checkpoint on."""

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


def check_since(session: Session, organisation_id: str, key: str | None) -> Verified:
    """Check what came after the checkpoint, and the entry that it names.

    Entries before it were checked when it was signed: that nobody changed them since, only `check`
    shows.

    Args:
        session: The database.
        organisation_id: Whose log.
        key: Public key whose checkpoint is believed; None: nobody's is.

    Raises:
        BrokenChain: The log was changed, or its checkpoint.
    """
    since = believed_checkpoint(session, organisation_id, key)
    if since is None:
        return Verified(None, check(session, organisation_id))
    number = since.head.number
    entry = AuditRepository(session).entry(organisation_id, number)
    if entry is None:
        raise BrokenChain(f"entry {number}, which its checkpoint names, is missing.")
    if follow([entry_dict(entry)], Head(number - 1, entry.previous_hash)) != since.head:
        raise BrokenChain(f"entry {number} is another than its checkpoint names.")
    return Verified(since, _follow(session, organisation_id, since.head))


def believed_checkpoint(
    session: Session, organisation_id: str, key: str | None
) -> Statement | None:
    """The log's checkpoint, where it is of this key.

    An earlier key proves nothing: whoever writes to the database can make one up, with a statement
    that the present key follows it.

    Raises:
        BrokenChain: It is not as it was signed.
    """
    line = AuditRepository(session).checkpoint(organisation_id)
    if line is None:
        return None
    try:
        since = Statement.from_line(line)
    except BrokenChain:
        raise BrokenChain("its checkpoint was changed.") from None
    if since.history.key != key:
        return None
    if since.organisation_id != organisation_id:
        raise BrokenChain("its checkpoint is of another organisation.")
    return since


def _follow(session: Session, organisation_id: str, start: Head) -> Head:
    log = AuditRepository(session)
    found = follow(map(entry_dict, log.after(organisation_id, start.number)), start)
    expect_end(found, log.head(organisation_id))
    if found == EMPTY:
        raise BrokenChain("it is empty, and begins when an organisation is made.")
    return found
