"""What portals say to each other."""

from typing import Annotated, Any

from pydantic import Field

from app.core.schemas import ReplyModel, RequestModel
from app.core.settings import PortalRole

Challenge = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]{22,86}$", description="Random, 16 to 64 bytes in base64url."),
]


class PortalIdentity(ReplyModel):
    """A portal's role, version and key; with a proof that it has the private part."""

    role: PortalRole
    version: str = Field(max_length=50)
    public_key: str = Field(max_length=100)
    fingerprint: str = Field(description="To compare by telephone.")
    signature: str | None = Field(
        description="Of the challenge, by the key: the portal is the one with that key."
    )


class SignedDocument(RequestModel):
    """A document that an organisation signed in its own portal."""

    document: str = Field(max_length=200_000, description="Canonical JSON, as it was signed.")
    key: str = Field(max_length=100)
    history: list[dict[str, Any]] = Field(
        max_length=1000, description="Statements that lead from earlier keys to this one."
    )
    signature: str = Field(max_length=100, description="Base64 without padding.")
