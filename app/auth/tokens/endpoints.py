from fastapi import APIRouter, Response

from app.auth.dependencies import Anybody, Once
from app.auth.tokens import service
from app.auth.tokens.repository import TokenRepository
from app.auth.tokens.schemas import TokenCreate, TokenCreated, TokenRead
from app.core.dependencies import Cursor, Limit, ReadSession, WriteSession
from app.core.schemas import PageRead, problems

router = APIRouter(prefix="/tokens", tags=["tokens"], responses=problems(401, 403, 422))


@router.post("", status_code=201, responses=problems(400, 409, 413))
def create_token(
    body: TokenCreate, session: WriteSession, caller: Anybody, once: Once
) -> TokenCreated:
    """Create a personal token, or (with `role`) one of the organisation. It is shown once."""

    def create() -> TokenCreated:
        token, secret = service.create(session, caller, body)
        return TokenCreated.of(token, secret=secret)

    return once.secret(
        create,
        shown="This request made a token before; its secret was in that reply alone. Delete the "
        "token if the reply was lost (GET /api/v1/tokens lists them) and make another.",
    )


@router.get("")
def list_tokens(
    session: ReadSession, caller: Anybody, cursor: Cursor = None, limit: Limit = 50
) -> PageRead[TokenRead]:
    """Newest first, without secrets: the caller's own, or for admins all of the organisation.

    A token with scopes sees itself and what was made with it, unless it has `manage`.
    """
    page = TokenRepository(session).readable_by(caller).page(cursor=cursor, limit=limit)
    return PageRead[TokenRead].of(page)


@router.delete("/{token_id}", status_code=204, responses=problems(404))
def delete_token(token_id: str, session: WriteSession, caller: Anybody) -> Response:
    """Delete it and every token made with it; from now on they are refused."""
    service.delete(session, caller, token_id)
    return Response(status_code=204)
