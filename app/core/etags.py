"""`ETag` and `If-Match` of rows that people edit, against lost updates.

The tag follows `updated_at`, which every UPDATE moves.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Depends, Header

from app.core.errors import PreconditionFailed


class Edited(Protocol):
    id: str
    updated_at: datetime


def etag_of(row: Edited) -> str:
    text = f"{row.id} {row.updated_at.isoformat(timespec='microseconds')}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


class IfMatch:
    def __init__(self, header: str | None) -> None:
        self._tags = None if header is None else [tag.strip() for tag in header.split(",")]

    def check(self, row: Edited) -> None:
        """Raises PreconditionFailed where the caller has seen another version."""
        if self._tags is None or "*" in self._tags or etag_of(row) in self._tags:
            return
        raise PreconditionFailed(
            "It was changed after you read it. Nothing was changed now: read it again, and "
            "repeat your change where it still makes sense."
        )


async def get_if_match(
    if_match: Annotated[
        str | None,
        Header(max_length=500, description="The `ETag` of what was read; 412 if it has changed."),
    ] = None,
) -> IfMatch:
    return IfMatch(if_match)


IfMatchDep = Annotated[IfMatch, Depends(get_if_match)]
