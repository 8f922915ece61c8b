"""Signs checkpoints of the audit logs: a check begins there, and not at the first entry each time.

A log gets one where it has grown by MANY entries, and is followed before: from the checkpoint
before, as `app.audit.verify` says. A log that does not follow gets none.
"""

import logging
from collections.abc import Callable

from app.audit.chain import EMPTY, BrokenChain
from app.audit.repository import AuditRepository
from app.audit.statement import signed_head
from app.audit.verify import believed_checkpoint, check_since
from app.core.clock import utc_now
from app.core.portal import Portal
from app.core.vault import WrongSecretKey
from app.models.organisation import Organisation
from app.organisations.keys.service import sealed_key, signer_of

logger = logging.getLogger(__name__)

MANY = 1000
"""Entries, of which each takes about 14 µs to follow (docs/performance.md)."""
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
        try:
            signed += _sign(portal, organisation_id)
        except BrokenChain as broken:
            logger.critical("audit: the log of %s was changed: %s", organisation_id, broken)
        except WrongSecretKey:
            logger.warning("audit: the key of %s cannot be opened", organisation_id)
    return signed


def _sign(portal: Portal, organisation_id: str) -> bool:
    with portal.database.reading() as session:
        key = sealed_key(session, portal.vault, organisation_id)
        before = believed_checkpoint(session, organisation_id, key)
        reached = EMPTY if before is None else before.head
        if AuditRepository(session).head(organisation_id).number < reached.number + MANY:
            return False
        end = check_since(session, organisation_id, key).end
        signer, _ = signer_of(session, portal.vault, session.get_one(Organisation, organisation_id))
    at = signer.history.no_earlier(utc_now())
    with portal.database.transaction() as session:
        log = AuditRepository(session)
        log.lock_head(organisation_id)
        log.keep_checkpoint(organisation_id, signed_head(end, organisation_id, signer, at))
    return True
