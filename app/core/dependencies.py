"""Dependencies of endpoints: the portal, a database session, a page of a list."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.orm import Session

from app.core.pagination import MAX_PAGE
from app.core.portal import Portal


# async, because a plain function would cost a trip through the thread pool.
async def get_portal(request: Request) -> Portal:
    portal: Portal = request.app.state.portal
    return portal


PortalDep = Annotated[Portal, Depends(get_portal)]


def get_session(portal: PortalDep) -> Iterator[Session]:
    with portal.database.transaction() as session:
        yield session


def get_reading_session(portal: PortalDep) -> Iterator[Session]:
    with portal.database.reading() as session:
        yield session


# scope="function": committed before the reply, so that a failing commit cannot answer 201.
WriteSession = Annotated[Session, Depends(get_session, scope="function")]
ReadSession = Annotated[Session, Depends(get_reading_session, scope="function")]


Cursor = Annotated[
    str | None, Query(max_length=200, description="The `next_cursor` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items on a page.")]
