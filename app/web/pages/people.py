"""Pages of an organisation's people: roles and accounts."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from app.auth.second_factor import service as second_factor
from app.core.clock import utc_now
from app.core.dependencies import Cursor, PortalDep, ReadSession, WriteSession
from app.core.etags import IfMatch, etag_of
from app.core.security import Caller, Permission, Role
from app.models.user import User
from app.users import service as users
from app.users.invitations import service as invitations
from app.users.repository import UserRepository
from app.users.schemas import UserChange
from app.web.dependencies import Manager
from app.web.forms import Sent, checked
from app.web.render import go_to, is_fragment, page

router = APIRouter(prefix="/organisation/people")


class PersonForm(BaseModel):
    seen: str = ""
    name: str = ""
    roles: list[str] = Field(default_factory=list)


@router.get("")
def show_people(
    request: Request, session: ReadSession, caller: Manager, cursor: Cursor = None
) -> Response:
    people = UserRepository(session).readable_by(caller).page(cursor=cursor, limit=50)
    return page(request, "people/people.html", people=people, now=utc_now())


@router.get("/{user_id}")
def show_person(request: Request, user_id: str, session: ReadSession, caller: Manager) -> Response:
    return _person(request, caller, UserRepository(session).readable_by(caller).get(user_id))


@router.post("/{user_id}")
def change_person(
    request: Request, user_id: str, session: WriteSession, caller: Manager, form: Sent[PersonForm]
) -> Response:
    body = checked(UserChange, name=form.name, roles=form.roles)
    _change(session, caller, user_id, body, form.seen)
    return go_to(request, f"/organisation/people/{user_id}", note="note-person-changed")


@router.post("/{user_id}/disable")
def disable_person(
    request: Request, user_id: str, session: WriteSession, caller: Manager
) -> Response:
    _change(session, caller, user_id, UserChange(disabled=True))
    return go_to(request, f"/organisation/people/{user_id}", note="note-person-disabled")


@router.post("/{user_id}/enable")
def enable_person(
    request: Request, user_id: str, session: WriteSession, caller: Manager
) -> Response:
    _change(session, caller, user_id, UserChange(disabled=False))
    return go_to(request, f"/organisation/people/{user_id}", note="note-person-enabled")


@router.post("/{user_id}/second-factor/reset")
def reset_second_factor(
    request: Request, user_id: str, session: WriteSession, caller: Manager
) -> Response:
    user = UserRepository(session).readable_by(caller).get(user_id, lock=True)
    second_factor.reset(session, caller, user)
    return go_to(request, f"/organisation/people/{user_id}", note="note-person-code-reset")


@router.post("/{user_id}/password-link")
def make_password_link(
    request: Request, user_id: str, session: WriteSession, portal: PortalDep, caller: Manager
) -> Response:
    """A link to set a new password; it is in this answer alone."""
    user = UserRepository(session).readable_by(caller).get(user_id)
    _, link = invitations.reset_password(portal, session, caller, user)
    return _person(request, caller, user, link=link)


def _change(
    session: Session, caller: Caller, user_id: str, body: UserChange, seen: str | None = None
) -> None:
    user = UserRepository(session).readable_by(caller).get(user_id, lock=True)
    IfMatch(seen).check(user)
    users.change(session, caller, user, body)


def _person(request: Request, caller: Caller, user: User, link: str | None = None) -> Response:
    return page(
        request,
        "people/password_link.html" if is_fragment(request) else "people/person.html",
        person=user,
        link=link,
        seen=etag_of(user),
        now=utc_now(),
        roles=roles_to_give(caller, user.roles),
    )


def roles_to_give(caller: Caller, held: tuple[Role, ...] = ()) -> list[Role]:
    """Roles to offer: only operators make operators; a role that the person has can stay."""
    return [
        role
        for role in Role
        if role != Role.OPERATOR or caller.may(Permission.OPERATE) or role in held
    ]
