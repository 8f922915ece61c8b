"""`Idempotency-Key`: a POST that is sent again answers the same and changes nothing.

The key and the reply are written in the transaction of the work itself: either both are there or
neither. A request that failed leaves no key, so it may be sent again as it is. Of the request only
a hash with the portal's secret is kept: it may hold a password.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.dependencies import PortalDep
from app.core.errors import Conflict, Invalid
from app.core.security import Caller
from app.models.idempotency_key import IdempotencyKey

Reply = TypeVar("Reply", bound=BaseModel)


class InvalidKey(Invalid):
    code = "idempotency-key-invalid"
    title = "The Idempotency-Key cannot be used"


class KeyReused(Invalid):
    code = "idempotency-key-reused"
    title = "The Idempotency-Key was used for something else"


class SecretShown(Conflict):
    code = "secret-already-shown"
    title = "The secret was shown before"


class Repeatable:
    """One POST, which may be the repetition of an earlier one."""

    def __init__(self, key: str | None, request_hash: str) -> None:
        self._key = key
        self._hash = request_hash

    def once(
        self, session: Session, caller: Caller, reply_type: type[Reply], work: Callable[[], Reply]
    ) -> Reply:
        """Do `work`, or give back what it answered before. Raises KeyReused."""
        if self._key is None:
            return work()
        row = self._take(session, caller, self._key)
        self._check(row)
        if row.reply is None:
            reply = work()
            row.reply = reply.model_dump(mode="json")
            return reply
        return reply_type.model_validate(row.reply)

    def known(self, session: Session, caller: Caller, reply_type: type[Reply]) -> Reply | None:
        """The earlier reply to this request; for long work that ends in `once`.

        Raises KeyReused.
        """
        if self._key is None:
            return None
        row = session.get(IdempotencyKey, (caller.organisation_id, self._key))
        if row is None or row.reply is None:
            return None
        self._check(row)
        return reply_type.model_validate(row.reply)

    def once_secret(
        self, session: Session, caller: Caller, work: Callable[[], Reply], *, shown: str
    ) -> Reply:
        """Like `once`, for a reply that must not be stored: a repetition raises SecretShown."""
        made: list[Reply] = []

        def note() -> _Done:
            made.append(work())
            return _Done()

        self.once(session, caller, _Done, note)
        if not made:
            raise SecretShown(shown)
        return made[0]

    def _check(self, row: IdempotencyKey) -> None:
        if row.request_hash != self._hash:
            raise KeyReused(
                "Your organisation sent this key before with another request. Nothing was "
                "changed. Take a new random key for each new request."
            )

    def _take(self, session: Session, caller: Caller, key: str) -> IdempotencyKey:
        row = IdempotencyKey(
            organisation_id=caller.organisation_id, key=key, request_hash=self._hash
        )
        try:
            with session.begin_nested():
                session.add(row)
        except IntegrityError:
            return session.scalars(
                select(IdempotencyKey).where(
                    IdempotencyKey.organisation_id == caller.organisation_id,
                    IdempotencyKey.key == key,
                )
            ).one()
        return row


class _Done(BaseModel):
    done: bool = True


async def get_repeatable(
    request: Request,
    portal: PortalDep,
    idempotency_key: Annotated[
        str | None, Header(description="A random text; the same request sent again is done once.")
    ] = None,
) -> Repeatable:
    if idempotency_key is None:
        return Repeatable(None, "")
    if not (1 <= len(idempotency_key) <= 255 and _is_visible_ascii(idempotency_key)):
        raise InvalidKey(
            "Idempotency-Key has 1 to 255 visible ASCII characters, for example a UUID. "
            "Nothing was changed."
        )
    sent = f"{request.method} {request.url.path}\n".encode() + await request.body()
    return Repeatable(idempotency_key, portal.vault.digest(sent))


def _is_visible_ascii(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


RepeatableDep = Annotated[Repeatable, Depends(get_repeatable)]
