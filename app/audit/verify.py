"""Verifies the hash chain of a stored log."""

from sqlalchemy.orm import Session

from app.audit.chain import EMPTY, BrokenChain, Head, expect_end, follow
from app.audit.log import entry_dict
from app.audit.repository import AuditRepository


def check(session: Session, organisation_id: str) -> Head:
    """The end of an organisation's log, every entry before it checked. Raises BrokenChain."""
    log = AuditRepository(session)
    found = follow(map(entry_dict, log.from_the_start(organisation_id)))
    expect_end(found, log.head(organisation_id))
    if found == EMPTY:
        raise BrokenChain("it is empty, and begins when an organisation is made.")
    return found
