"""Pages of all tokens of an organisation, for its admins."""

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.auth.tokens import service as tokens
from app.auth.tokens.repository import TokenRepository
from app.auth.tokens.schemas import TokenCreate
from app.core.dependencies import Cursor, ReadSession, WriteSession
from app.core.security import PERMISSIONS, Caller, Permission, Role
from app.users.repository import UserRepository
from app.web.dependencies import Manager
from app.web.forms import Sent, checked
from app.web.render import go_to, is_fragment, page
from app.web.token_forms import LIFETIMES, MadeToken, TokenForm, fields_of

router = APIRouter(prefix="/organisation/tokens")


class OrganisationTokenForm(TokenForm):
    role: str = ""


@router.get("")
def show_tokens(
    request: Request, session: ReadSession, caller: Manager, cursor: Cursor = None
) -> Response:
    return _tokens(request, session, caller, cursor=cursor)


@router.post("")
def create_token(
    request: Request, session: WriteSession, caller: Manager, form: Sent[OrganisationTokenForm]
) -> Response:
    """Its secret is in this answer, and nowhere else."""
    body = checked(TokenCreate, role=form.role, **fields_of(form))
    made = MadeToken(*tokens.create(session, caller, body))
    return _tokens(request, session, caller, made=made)


@router.post("/{token_id}/delete")
def delete_token(
    request: Request, token_id: str, session: WriteSession, caller: Manager
) -> Response:
    tokens.delete(session, caller, token_id)
    return go_to(request, "/organisation/tokens", note="note-token-deleted")


def _tokens(
    request: Request,
    session: Session,
    caller: Caller,
    *,
    made: MadeToken | None = None,
    cursor: str | None = None,
) -> Response:
    listed = TokenRepository(session).readable_by(caller).page(cursor=cursor, limit=50)
    owners = [token.user_id for token in listed.items if token.user_id is not None]
    return page(
        request,
        "tokens/list.html" if is_fragment(request) else "tokens/tokens.html",
        tokens=listed,
        names=UserRepository(session).names_of(owners),
        made=made,
        lifetimes=LIFETIMES,
        roles=[role for role in Role if PERMISSIONS[role] <= caller.permissions],
        scopes=[permission for permission in Permission if caller.may(permission)],
    )
