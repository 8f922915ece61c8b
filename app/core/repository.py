"""Bases of the repositories: the rows that a caller may read, and those that are added."""

from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.pagination import Page, paginate
from app.core.security import Caller

Row = TypeVar("Row")


class Repository(Generic[Row]):
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Row) -> Row:
        self._session.add(row)
        self._session.flush()
        return row


class Readable(Generic[Row]):
    """The rows of one model that a caller may read: those of the caller's organisation.

    Attributes:
        model: The rows' model.
        not_found: Raised by `get`.
        advice: Its detail.
    """

    model: ClassVar[Any]
    not_found: ClassVar[type[NotFound]]
    advice: ClassVar[str]

    def __init__(self, session: Session, caller: Caller) -> None:
        self._session = session
        self._caller = caller
        self._query = select(self.model).where(*self._mine(caller))

    def get(self, row_id: str, *, lock: bool = False) -> Row:
        """Raises `not_found`. `lock` holds the row until the transaction ends."""
        query = self._query.where(self.model.id == row_id)
        row: Row | None = self._session.scalar(self._locked(query) if lock else query)
        if row is None:
            raise self.not_found(self.advice)
        return row

    def page(self, *, cursor: str | None, limit: int) -> Page[Row]:
        return paginate(self._session, self._query, self.model, cursor=cursor, limit=limit)

    def _mine(self, caller: Caller) -> list[ColumnElement[bool]]:
        mine = [self.model.organisation_id == caller.organisation_id]
        if hasattr(self.model, "deleted_at"):
            mine.append(self.model.deleted_at.is_(None))
        return mine

    def _locked(self, query: Select[Any]) -> Select[Any]:
        return query.with_for_update()
