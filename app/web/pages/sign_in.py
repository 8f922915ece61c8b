"""Pages to sign in and out, join by an invitation and reset a password."""

from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from app.auth.cookies import cookie_of, delete_cookie, set_cookie
from app.auth.devices import set_device
from app.auth.origins import refuse_other_sites
from app.auth.password_login import finish_with_code, sign_in_with_password
from app.auth.sealed_cookie import SealedCookie
from app.auth.second_factor.schemas import SecondFactorConfirm
from app.auth.sessions import service as sessions
from app.auth.sessions.schemas import SessionCreate
from app.core.dependencies import PortalDep, ReadSession
from app.core.errors import Problem
from app.core.portal import Portal
from app.core.ratelimit import address_of
from app.core.vault import Purpose
from app.users.invitations import service as invitations
from app.users.invitations.schemas import ForgottenPassword, InvitationAccept, InvitationSecret
from app.web.dependencies import Visitor
from app.web.forms import Sent, checked
from app.web.render import go_to, page

router = APIRouter(dependencies=[Depends(refuse_other_sites)])

BEGUN = SealedCookie(
    "exchange_code", Purpose.SECOND_STEP, timedelta(minutes=10), sessions.BegunSignIn
)
"""A sign-in that a code has to end."""


class SignInForm(BaseModel):
    email: str = ""
    password: SecretStr = SecretStr("")
    next: str = "/"


class CodeForm(BaseModel):
    code: SecretStr = SecretStr("")
    next: str = "/"


class JoinForm(BaseModel):
    secret: SecretStr = SecretStr("")
    name: str = ""
    email: str = ""
    password: SecretStr = SecretStr("")


@router.get("/sign-in")
def show_sign_in(
    request: Request, portal: PortalDep, next: str = "/", ended: bool = False
) -> Response:
    return page(
        request,
        "sign_in/sign_in.html",
        next=local_path(next),
        ended=ended,
        provider=portal.settings.oidc_name if portal.provider is not None else None,
    )


@router.post("/sign-in")
async def sign_in(request: Request, portal: PortalDep, form: Sent[SignInForm]) -> Response:
    body = checked(SessionCreate, email=form.email, password=form.password.get_secret_value())
    try:
        signed_in = await sign_in_with_password(request, portal, body)
    except sessions.SecondFactorNeeded as needed:
        return _ask_for_code(request, portal, needed, then=form.next)
    return _admit(request, portal, signed_in, go_to(request, local_path(form.next)))


@router.get("/sign-in/code")
def show_code(request: Request, portal: PortalDep, next: str = "/") -> Response:
    """The second step of a sign-in; without the first it begins anew."""
    if BEGUN.read(request, portal) is None:
        return go_to(request, "/sign-in")
    return page(request, "sign_in/code.html", next=local_path(next))


@router.post("/sign-in/code")
async def send_code(request: Request, portal: PortalDep, form: Sent[CodeForm]) -> Response:
    begun = BEGUN.read(request, portal)
    if begun is None:
        raise sessions.WrongCredentials(
            "Ten minutes have passed since you typed your password. Sign in again."
        )
    body = checked(SecondFactorConfirm, code=form.code.get_secret_value())
    signed_in = await finish_with_code(request, portal, begun, body.code.get_secret_value())
    response = _admit(request, portal, signed_in, go_to(request, local_path(form.next)))
    BEGUN.delete(response, portal)
    return response


def _ask_for_code(
    request: Request, portal: Portal, needed: sessions.SecondFactorNeeded, *, then: str
) -> Response:
    response = go_to(request, f"/sign-in/code?next={quote(local_path(then), safe='')}")
    BEGUN.set(response, portal, needed.begun)
    return response


def _admit(
    request: Request, portal: Portal, signed_in: sessions.SignedIn, response: Response
) -> Response:
    set_cookie(response, portal.settings, signed_in.secret)
    set_device(request, response, portal, signed_in.user.id)
    return response


@router.post("/sign-out")
def sign_out(
    request: Request, portal: PortalDep, caller: Visitor, everywhere: Sent[bool] = False
) -> Response:
    secret = cookie_of(request, portal.settings)
    assert secret is not None, f"{caller.name} came with a cookie"
    sessions.sign_out(portal.database, secret, everywhere=everywhere)
    response = go_to(request, "/sign-in", note="note-signed-out")
    delete_cookie(response, portal.settings)
    return response


@router.get("/forgotten")
def show_forgotten(request: Request, portal: PortalDep) -> Response:
    sends_mail = bool(portal.settings.smtp_url.get_secret_value())
    return page(request, "sign_in/forgotten.html", sends_mail=sends_mail)


@router.post("/forgotten")
def forgotten(
    request: Request, portal: PortalDep, afterwards: BackgroundTasks, email: Sent[str] = ""
) -> Response:
    body = checked(ForgottenPassword, email=email)
    portal.limiter.count(portal.settings.sign_in_limit, "link", address_of(request))
    portal.limiter.count(portal.settings.sign_in_limit, "link to", body.email)
    # After the answer, which would else take longer for an address that is known.
    afterwards.add_task(invitations.forgotten, portal, body.email)
    return go_to(request, "/sign-in", note="note-link-sent")


@router.get("/join")
def show_join(request: Request) -> Response:
    """The link's secret follows its `#`; the page's script sends it to `look`."""
    return page(request, "sign_in/join.html")


@router.post("/join/look")
def look_at_link(
    request: Request, portal: PortalDep, session: ReadSession, secret: Sent[str] = ""
) -> Response:
    """The form that fits the link: to join, or to set a password."""
    portal.limiter.count(portal.settings.sign_in_limit, "link", address_of(request))
    try:
        if not secret:
            raise invitations.LinkNotValid(
                "A part of the link is missing. Open it as it stands in the mail, or as it was "
                "given to you: all of it, also what follows the sign #."
            )
        body = checked(InvitationSecret, secret=secret)
        invitation, organisation = invitations.find(session, body.secret)
    except Problem as problem:
        return page(request, "sign_in/link_not_valid.html", problem=problem.as_dict())
    return page(
        request,
        "sign_in/join_form.html",
        invitation=invitation,
        organisation=organisation,
        secret=secret,
    )


@router.post("/join")
async def join(request: Request, portal: PortalDep, form: Sent[JoinForm]) -> Response:
    """Take the invitation, and be signed in."""
    portal.limiter.count(portal.settings.sign_in_limit, "link", address_of(request))
    password = form.password.get_secret_value()
    body = checked(
        InvitationAccept,
        secret=form.secret.get_secret_value(),
        name=form.name.strip() or None,
        email=form.email.strip() or None,
        password=password,
    )
    user = await portal.passwords.run(invitations.accept, portal.database, body)
    try:
        signed_in = await sign_in_with_password(
            request,
            portal,
            SessionCreate.model_validate({"email": user.email, "password": password}),
        )
    except sessions.SecondFactorNeeded as needed:
        # A new password by a link: who has the mailbox alone does not get in.
        return _ask_for_code(request, portal, needed, then="/")
    return _admit(request, portal, signed_in, go_to(request, "/", note="note-welcome"))


def local_path(address: str) -> str:
    """A path of this portal, or the first page: no link to the sign-in leads elsewhere."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\", "/sign-in"))
    return address if is_local and address.isprintable() else "/"
