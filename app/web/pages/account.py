"""Pages of the visitor's own account: name and roles, password, second factor, tokens."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, SecretStr
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.auth import password_change
from app.auth.second_factor import service as second_factor
from app.auth.second_factor.schemas import (
    SecondFactorBegin,
    SecondFactorBegun,
    SecondFactorConfirm,
    SecondFactorRemove,
)
from app.auth.tokens import service as tokens
from app.auth.tokens.repository import TokenRepository
from app.auth.tokens.schemas import TokenCreate
from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.security import Caller
from app.users.schemas import PasswordChange
from app.web.dependencies import Visitor
from app.web.forms import Sent, checked
from app.web.render import go_to, is_fragment, page
from app.web.token_forms import LIFETIMES, MadeToken, TokenForm, fields_of

router = APIRouter(prefix="/account")

NOTHING = SecretStr("")


class PasswordForm(BaseModel):
    current: SecretStr = SecretStr("")
    new: SecretStr = SecretStr("")


@router.get("")
def show_account(
    request: Request, session: ReadSession, caller: Visitor, cursor: Cursor = None
) -> Response:
    return _account(request, session, caller, cursor=cursor)


@router.post("/password")
async def change_password(
    request: Request, portal: PortalDep, caller: Visitor, form: Sent[PasswordForm]
) -> Response:
    body = checked(
        PasswordChange,
        current=form.current.get_secret_value(),
        new=form.new.get_secret_value(),
    )
    await password_change.change_password(request, portal, caller, body)
    return go_to(request, "/account", note="note-password-changed")


@router.post("/second-factor")
async def begin_second_factor(
    request: Request, portal: PortalDep, caller: Visitor, password: Sent[SecretStr] = NOTHING
) -> Response:
    """The secret for the app; it is in this answer alone."""
    body = checked(SecondFactorBegin, password=password.get_secret_value())
    begun = await second_factor.begin(portal, caller, body)
    return _second_factor(request, begun=begun)


@router.post("/second-factor/confirm")
def confirm_second_factor(
    request: Request,
    session: WriteSession,
    portal: PortalDep,
    caller: Visitor,
    code: Sent[SecretStr] = NOTHING,
) -> Response:
    """The recovery codes; they are in this answer alone."""
    body = checked(SecondFactorConfirm, code=code.get_secret_value())
    codes = second_factor.confirm(session, portal, caller, body.code.get_secret_value())
    return _second_factor(request, codes=codes)


@router.post("/second-factor/remove")
async def remove_second_factor(
    request: Request,
    portal: PortalDep,
    caller: Visitor,
    password: Sent[SecretStr] = NOTHING,
    code: Sent[SecretStr] = NOTHING,
) -> Response:
    body = checked(
        SecondFactorRemove, password=password.get_secret_value(), code=code.get_secret_value()
    )
    await second_factor.remove(portal, caller, body)
    return go_to(request, "/account", note="note-factor-removed")


@router.post("/tokens")
def create_token(
    request: Request, session: WriteSession, caller: Visitor, form: Sent[TokenForm]
) -> Response:
    """Its secret is in this answer, and nowhere else."""
    body = checked(TokenCreate, **fields_of(form))
    made = MadeToken(*tokens.create(session, caller, body))
    return _account(request, session, caller, made=made)


@router.post("/tokens/{token_id}/delete")
def delete_token(
    request: Request, token_id: str, session: WriteSession, caller: Visitor
) -> Response:
    tokens.delete(session, caller, token_id)
    return go_to(request, "/account", note="note-token-deleted")


def _account(
    request: Request,
    session: Session,
    caller: Caller,
    *,
    made: MadeToken | None = None,
    cursor: str | None = None,
) -> Response:
    own = TokenRepository(session).readable_by(caller).own_page(cursor=cursor, limit=50)
    return page(
        request,
        "account/tokens.html" if is_fragment(request) else "account/account.html",
        tokens=own,
        made=made,
        lifetimes=LIFETIMES,
        factor=second_factor.read(session, caller),
    )


def _second_factor(
    request: Request,
    *,
    begun: SecondFactorBegun | None = None,
    codes: list[str] | None = None,
) -> Response:
    template = "second_factor" if is_fragment(request) else "second_factor_page"
    return page(request, f"account/{template}.html", begun=begun, codes=codes)
