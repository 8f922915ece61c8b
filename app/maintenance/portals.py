"""Registers portal processes, so that workers and operators know their versions."""

import logging
import os
import socket
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.db import Database
from app.core.leases import LONGEST
from app.core.version import VERSION
from app.models.portal_process import PortalProcess

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
ALIVE_FOR = timedelta(seconds=30)
"""After a heartbeat, of a portal or of a worker: both send one every ten seconds."""
DEAD_AFTER = timedelta(days=1)


class PortalRegistration:
    """The row of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id = f"{socket.gethostname()}:{os.getpid()}"
        self._started_at = utc_now()

    def renew(self) -> None:
        """Say that this process lives, and forget those that were killed long ago."""
        now = utc_now()
        row = PortalProcess(id=self._id, version=VERSION, started_at=self._started_at, seen_at=now)
        try:
            with self._database.transaction() as session:
                session.merge(row)
                session.execute(
                    delete(PortalProcess).where(PortalProcess.seen_at < now - DEAD_AFTER)
                )
        except SQLAlchemyError as error:
            # A database that is away, or not migrated yet.
            logger.warning("registration was not written: %s", type(error).__name__)

    def end(self) -> None:
        """Remove the row: the process ends as it should."""
        try:
            with self._database.transaction() as session:
                session.execute(delete(PortalProcess).where(PortalProcess.id == self._id))
        except SQLAlchemyError as error:
            logger.warning("registration was not removed: %s", type(error).__name__)


def living(session: Session) -> Sequence[PortalProcess]:
    """Portals that live."""
    now = utc_now()
    return session.scalars(
        select(PortalProcess)
        .where(PortalProcess.seen_at.between(now - ALIVE_FOR, now + LONGEST))
        .order_by(PortalProcess.id)
    ).all()
