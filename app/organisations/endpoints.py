from fastapi import APIRouter, Response

from app.core.dependencies import Cursor, Limit, ReadSession, WriteSession
from app.core.idempotency import RepeatableDep
from app.core.schemas import PageRead, problems
from app.models.token import Token
from app.organisations import service
from app.organisations.callers import Manager
from app.organisations.repository import TokenRepository
from app.organisations.schemas import TokenCreate, TokenCreated, TokenRead

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 409, 413))
def create_token(
    body: TokenCreate, session: WriteSession, caller: Manager, repeatable: RepeatableDep
) -> TokenCreated:
    """A new token for the caller's organisation. Its secret is shown once."""

    def create() -> TokenCreated:
        token, secret = service.create_token(
            session, caller.organisation_id, body.role, body.expires_at
        )
        return TokenCreated(**TokenRead.model_validate(token).model_dump(), secret=secret)

    return repeatable.once_secret(
        session,
        caller,
        create,
        shown="This request made a token before; its secret was in that reply alone. Delete the "
        "token if the reply was lost (GET /api/v1/tokens lists them) and make another.",
    )


@router.get("")
def list_tokens(
    session: ReadSession, caller: Manager, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[TokenRead]:
    """The tokens of the caller's organisation, newest first, without their secrets."""
    page = TokenRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[TokenRead].of(page, _read)


@router.delete("/{token_id}", status_code=204, responses=problems(404))
def delete_token(token_id: str, session: WriteSession, caller: Manager) -> Response:
    """From now on nobody can use it."""
    TokenRepository(session).readable_by(caller).delete(token_id)
    return Response(status_code=204)


def _read(token: Token) -> TokenRead:
    return TokenRead.model_validate(token)
