"""Account calls: identity, tokens, notices, organisations."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel

from app.client.addresses import id_of
from app.client.models import Key, Me, NewToken, Notice, Organisation, Token
from app.client.transport import Transport


class _Counted(BaseModel):
    unread: int


class _Keys(BaseModel):
    items: list[Key]


class Tokens:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> NewToken:
        """Create a personal token. Never retried: its secret would be in the lost reply only.

        Args:
            name: Purpose of the token.
            scopes: Narrows it to these; without, everything that one may do oneself.
            expires_at: With a time zone; without, it does not expire.
        """
        body = {
            "name": name,
            "scopes": None if scopes is None else list(scopes),
            "expires_at": time_of(expires_at),
        }
        return self._transport.post("/tokens", NewToken, body, once=False)

    def list(self) -> Iterator[Token]:
        """Newest first."""
        return self._transport.rows("/tokens", Token)

    def delete(self, token_id: str) -> None:
        """Delete it; from now on it is refused."""
        self._transport.request("DELETE", f"/tokens/{id_of(token_id)}")


class Notices:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, unread: bool = False) -> Iterator[Notice]:
        """Newest first; all, or those not read yet."""
        return self._transport.rows("/notifications", Notice, {"unread": unread})

    def count_unread(self) -> int:
        return self._transport.read("/notifications", _Counted, {"limit": 1}).unread

    def mark_read(self, notice_id: str) -> Notice:
        path = f"/notifications/{id_of(notice_id)}/read"
        # To read it twice is to read it.
        return self._transport.post(path, Notice, once=True)


class Organisations:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Organisation]:
        """Participating organisations, newest first."""
        return self._transport.rows("/organisations", Organisation)

    def keys(self, organisation_id: str = "mine") -> Sequence[Key]:
        """Its public keys, the present one first.

        They come from the portal, and prove as much as that is trusted: compare fingerprints with
        the organisation by another way.
        """
        path = f"/organisations/{id_of(organisation_id)}/keys"
        return self._transport.read(path, _Keys).items


def who_am_i(transport: Transport) -> Me:
    return transport.read("/session", Me)


def time_of(moment: datetime | None) -> str | None:
    """RFC 3339. Raises ValueError where the time has no zone."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone")
    return moment.isoformat()
