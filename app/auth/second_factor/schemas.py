from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr

from app.core.schemas import ReplyModel, RequestModel
from app.users.schemas import SentPassword

Code = Annotated[
    SecretStr,
    Field(
        min_length=1,
        max_length=40,
        description="Six digits of the authenticator app, or a recovery code.",
    ),
]


class SecondFactorBegin(RequestModel):
    password: SentPassword


class SecondFactorConfirm(RequestModel):
    code: Code


class SecondFactorRemove(RequestModel):
    password: SentPassword
    code: Code


class SecondFactorBegun(ReplyModel):
    """What the authenticator app needs. It is in this reply alone."""

    secret: str = Field(description="In base32, to be typed where no camera is at hand.")
    address: str = Field(description="`otpauth:` address, mostly shown as a QR code.")


class RecoveryCodes(ReplyModel):
    """Each signs in once in place of the app. They are in this reply alone."""

    recovery_codes: list[str]


class SecondFactorRead(ReplyModel):
    since: datetime | None = Field(description="Null: sign-ins ask for no code.")
    recovery_codes_left: int
