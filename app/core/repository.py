"""Base of the repositories: a session, and the rows that are added to it."""

from typing import Generic, TypeVar

from sqlalchemy.orm import Session

Row = TypeVar("Row")


class Repository(Generic[Row]):
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, row: Row) -> Row:
        self._session.add(row)
        self._session.flush()
        return row
