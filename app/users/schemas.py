from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from app.core.passwords import FEWEST_CHARACTERS, MOST_CHARACTERS
from app.core.schemas import Line, ReplyModel, RequestModel
from app.core.security import Role


def _is_address(text: str) -> str:
    # What a mail server takes is its own affair; this keeps out what no address can be.
    name, at, host = text.rpartition("@")
    if not (name and at and host) or not text.isprintable() or any(c in " <>,;" for c in text):
        raise ValueError("must be a mail address")
    return text.lower()


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=320),
    AfterValidator(_is_address),
]
SentPassword = Annotated[SecretStr, Field(min_length=1, max_length=MOST_CHARACTERS)]
NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=FEWEST_CHARACTERS,
        max_length=MOST_CHARACTERS,
        description=f"At least {FEWEST_CHARACTERS} characters; a sentence is a good one.",
    ),
]


def _without_repetition(roles: list[Role]) -> list[Role]:
    return sorted(set(roles))


Roles = Annotated[
    list[Role], Field(min_length=1, max_length=len(Role)), AfterValidator(_without_repetition)
]


class UserCreate(RequestModel):
    email: Email
    name: Line
    roles: Roles
    password: NewPassword


class UserChange(RequestModel):
    """Absent fields stay unchanged."""

    name: Line | None = None
    roles: Roles | None = None
    disabled: bool | None = Field(
        default=None, description="True: from now on no session and no token of theirs works."
    )


class PasswordChange(RequestModel):
    current: SentPassword
    new: NewPassword


class UserRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    email: str
    name: str
    roles: list[Role]
    has_second_factor: bool = Field(
        description="Whether a sign-in with the password asks for a code too."
    )
    last_sign_in_at: datetime | None
    locked_until: datetime | None
    disabled_at: datetime | None
