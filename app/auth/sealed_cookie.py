"""Cookies that hold a small state, encrypted, which this portal alone reads again."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from fastapi import Request, Response

from app.auth.cookies import kept_from_others, name_of
from app.core.portal import Portal
from app.core.vault import Purpose

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

State = TypeVar("State", bound="DataclassInstance")


@dataclass(frozen=True)
class SealedCookie(Generic[State]):
    """One kind of them.

    Attributes:
        name: Of the cookie; over HTTPS with `__Host-` before it.
        purpose: No other kind's content is taken for it.
        lasts: Older ones count as none.
        kind: Dataclass of the state, whose fields JSON holds.
    """

    name: str
    purpose: Purpose
    lasts: timedelta
    kind: Callable[..., State]

    def set(self, response: Response, portal: Portal, state: State) -> None:
        response.set_cookie(
            name_of(portal.settings, self.name),
            portal.vault.seal(json.dumps(asdict(state)).encode(), self.purpose),
            max_age=round(self.lasts.total_seconds()),
            **kept_from_others(portal.settings),
        )

    def read(self, request: Request, portal: Portal) -> State | None:
        """The state; None where there is none, or it is too old or not by this portal."""
        sealed = request.cookies.get(name_of(portal.settings, self.name), "")
        opened = portal.vault.open_recent(sealed, self.purpose, self.lasts)
        return None if opened is None else self.kind(**json.loads(opened))

    def delete(self, response: Response, portal: Portal) -> None:
        response.delete_cookie(
            name_of(portal.settings, self.name), **kept_from_others(portal.settings)
        )
