from datetime import datetime

from pydantic import Field

from app.core.schemas import Line, ReplyModel, RequestModel
from app.core.security import Role
from app.users.schemas import Email, NewPassword, Roles


class InvitationCreate(RequestModel):
    email: Email
    roles: Roles


class InvitationRead(ReplyModel):
    id: str
    created_at: datetime
    email: str
    roles: list[Role]
    user_id: str | None = Field(
        description="Whose password the link sets, or who has joined by it."
    )
    invited_by: str
    expires_at: datetime
    accepted_at: datetime | None


class InvitationCreated(InvitationRead):
    link: str = Field(
        description="Give it to the person it is for. It is shown only here, and mailed where the "
        "portal sends mail."
    )


class InvitationSecret(RequestModel):
    secret: Line = Field(description="The part of the link after `#`.")


class InvitationOffer(ReplyModel):
    """An invitation as the holder of its link sees it."""

    organisation: str
    email: str = Field(description="Address to sign in with. Empty: whoever joins names their own.")
    roles: list[Role]
    invited_by: str
    sets_password_only: bool


class InvitationAccept(InvitationSecret):
    name: Line | None = Field(default=None, description="Needed by whoever joins.")
    email: Email | None = Field(
        default=None, description="Needed where the invitation names no address; else ignored."
    )
    password: NewPassword


class ForgottenPassword(RequestModel):
    email: Email
