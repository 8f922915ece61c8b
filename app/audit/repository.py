"""Queries for log entries."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.audit.chain import EMPTY, Head
from app.core.pagination import InvalidCursor, Page
from app.core.security import Caller
from app.core.types import JsonObject
from app.models.audit_entry import AuditCheckpoint, AuditEntry, AuditHead
from app.models.organisation import Organisation

BATCH = 1000


class ReadableEntries:
    """The log of the caller's organisation."""

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._organisation_id = caller.organisation_id

    def page(
        self,
        *,
        action: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None,
        limit: int,
    ) -> Page[AuditEntry]:
        """Newest first. Raises InvalidCursor."""
        query = select(AuditEntry).where(AuditEntry.organisation_id == self._organisation_id)
        if cursor is not None:
            query = query.where(AuditEntry.number < _decode(cursor))
        if action is not None:
            query = query.where(AuditEntry.action == action)
        if subject is not None:
            query = query.where(AuditEntry.subject == subject)
        if since is not None:
            query = query.where(AuditEntry.at >= since)
        if until is not None:
            query = query.where(AuditEntry.at < until)
        rows = self._session.scalars(
            query.order_by(AuditEntry.number.desc()).limit(limit + 1)
        ).all()
        if len(rows) <= limit:
            return Page(rows, None)
        return Page(rows[:limit], _encode(rows[limit - 1].number))

    def from_the_start(self) -> Iterator[Row[Any]]:
        return AuditRepository(self._session).from_the_start(self._organisation_id)

    def head(self) -> Head:
        return AuditRepository(self._session).head(self._organisation_id)


def _encode(number: int) -> str:
    return urlsafe_b64encode(str(number).encode()).decode().rstrip("=")


def _decode(cursor: str) -> int:
    try:
        number = int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        number = 0
    if not 0 < number < 2**31:
        raise InvalidCursor(
            "This cursor was not made by this portal. Ask again without `cursor` for the first "
            "page, then pass the `next_cursor` of each reply unchanged."
        )
    return number


class AuditRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def readable_by(self, caller: Caller) -> ReadableEntries:
        return ReadableEntries(self._session, caller)

    def head(self, organisation_id: str) -> Head:
        row = self._session.get(AuditHead, organisation_id, populate_existing=True)
        return EMPTY if row is None else Head(row.number, row.hash)

    def lock_head(self, organisation_id: str) -> AuditHead:
        """The head, locked until this transaction ends."""
        # PostgreSQL takes this lock for the entry's foreign key anyway, after the head's: whoever
        # holds the organisation and waits for the head would then wait for each other.
        self._session.scalar(
            select(Organisation.id)
            .where(Organisation.id == organisation_id)
            .with_for_update(read=True, key_share=True)
        )
        row = self._session.get(
            AuditHead, organisation_id, populate_existing=True, with_for_update=True
        )
        if row is None:
            row = AuditHead(organisation_id=organisation_id, number=EMPTY.number, hash=EMPTY.hash)
            self._session.add(row)
        return row

    def add(self, entry: AuditEntry) -> None:
        self._session.add(entry)

    def organisations(self) -> Sequence[str]:
        return self._session.scalars(
            select(AuditHead.organisation_id).order_by(AuditHead.organisation_id)
        ).all()

    def checkpoint(self, organisation_id: str) -> JsonObject | None:
        """The signed statement of where the log ended when it was checked last."""
        row = self._session.get(AuditCheckpoint, organisation_id)
        return None if row is None else row.statement

    def keep_checkpoint(self, organisation_id: str, statement: JsonObject) -> None:
        """In the place of the one before. The head must be locked, so that each has its turn."""
        self._session.merge(AuditCheckpoint(organisation_id=organisation_id, statement=statement))

    def entry(self, organisation_id: str, number: int) -> AuditEntry | None:
        return self._session.get(AuditEntry, (organisation_id, number))

    def from_the_start(self, organisation_id: str) -> Iterator[Row[Any]]:
        return self.after(organisation_id, EMPTY.number)

    def after(self, organisation_id: str, number: int) -> Iterator[Row[Any]]:
        """Later entries in order, in batches: a log may be longer than memory is large.

        As rows with the entry's columns, which are read twice as fast as objects of the session.
        """
        last = number
        while True:
            batch = self._session.execute(
                select(*AuditEntry.__table__.columns)
                .where(AuditEntry.organisation_id == organisation_id, AuditEntry.number > last)
                .order_by(AuditEntry.number)
                .limit(BATCH)
            ).all()
            if not batch:
                return
            yield from batch
            last = batch[-1].number
