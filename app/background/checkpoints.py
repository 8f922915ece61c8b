"""Signs checkpoints of the audit logs: a check begins there, and not at the first entry each time.

A log gets one where it has grown by MANY entries, and is followed before: from the checkpoint
before, as `app.audit.verify` says. A log that does not follow gets none.
"""

import logging
from collections.abc import Callable

from app.audit.chain import BrokenChain
from app.audit.repository import AuditRepository
from app.audit.statement import signed_head
from app.audit.verify import check_since
from app.core.clock import utc_now
from app.core.portal import Portal
from app.models.organisation import Organisation
from app.organisations.keys.service import signer_of

logger = logging.getLogger(__name__)

MANY = 1000
"""Entries: they are followed within 20 ms."""
ROUND_SECONDS = 600.0


def sign_checkpoints(portal: Portal, go_on: Callable[[], bool] = lambda: True) -> int:
    """One round, and how many logs got a checkpoint; several portals may do it at once.

    Args:
        portal: Its resources.
        go_on: Called before each log; False ends the round.
    """
    with portal.database.reading() as session:
        organisations = AuditRepository(session).organisations()
    signed = 0
    for organisation_id in organisations:
        if not go_on():
            break
        broken = None
        try:
            signed += _sign(portal, organisation_id)
        except BrokenChain as error:
            broken = error
        if broken is not None:
            logger.error("audit: the log of %s was changed: %s", organisation_id, broken)
    return signed


def _sign(portal: Portal, organisation_id: str) -> bool:
    with portal.database.reading() as session:
        log = AuditRepository(session)
        line = log.checkpoint(organisation_id)
        reached = 0 if line is None else line["head"]["number"]
        if log.head(organisation_id).number < reached + MANY:
            return False
        signer, _ = signer_of(session, portal.vault, session.get_one(Organisation, organisation_id))
        end = check_since(session, organisation_id, signer.history.keys).end
    at = signer.history.no_earlier(utc_now())
    with portal.database.transaction() as session:
        log = AuditRepository(session)
        log.lock_head(organisation_id)
        log.keep_checkpoint(organisation_id, signed_head(end, organisation_id, signer, at))
    return True
