"""Cursor pagination: newest first, stable while rows are added."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from app.core.errors import Invalid

T = TypeVar("T")
MAX_PAGE = 200


class InvalidCursor(Invalid):
    code = "invalid-cursor"
    title = "The cursor cannot be read"


@dataclass(frozen=True)
class Page(Generic[T]):
    items: Sequence[T]
    next_cursor: str | None


def paginate(
    session: Session, query: Select[Any], model: Any, *, cursor: str | None, limit: int
) -> Page[T]:
    """One page of `query`, ordered by creation; `model` has `created_at` and `id`."""
    if cursor is not None:
        created_at, row_id = _decode(cursor)
        query = query.where(tuple_(model.created_at, model.id) < tuple_(created_at, row_id))
    query = query.order_by(model.created_at.desc(), model.id.desc()).limit(limit + 1)
    rows: list[Any] = list(session.scalars(query))
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, _encode(rows[-1].created_at, rows[-1].id))


def _encode(created_at: datetime, row_id: str) -> str:
    text = json.dumps([created_at.isoformat(), row_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        when = datetime.fromisoformat(created_at)
        if when.tzinfo is None or not isinstance(row_id, str):
            raise _unreadable()
        return when.astimezone(UTC), row_id
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise _unreadable() from error


def _unreadable() -> InvalidCursor:
    return InvalidCursor(
        "This cursor was not made by this portal. Ask again without `cursor` for the first page, "
        "then pass the `next_cursor` of each reply unchanged."
    )
