from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from app.core.schemas import Line, ReplyModel, RequestModel
from app.models.webhook import DeliveryError, DeliveryStatus, WebhookEvent


def _once_each(events: list[WebhookEvent]) -> list[WebhookEvent]:
    return list(dict.fromkeys(events))


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Events = Annotated[
    list[WebhookEvent],
    Field(min_length=1, max_length=len(WebhookEvent), description="Events that it subscribes to."),
    AfterValidator(_once_each),
]


class WebhookCreate(RequestModel):
    url: Url = Field(description="An https:// address that is reached from this portal.")
    events: Events
    description: Line | None = None


class WebhookChange(RequestModel):
    """Absent fields stay unchanged."""

    url: Url | None = None
    events: Events | None = None
    description: Line | None = None
    paused: bool | None = Field(
        default=None,
        description="True: events are no longer sent, and pending ones are given up. False: events "
        "from now on are sent again.",
    )


class SecretRotate(RequestModel):
    compromised: bool = Field(
        default=False,
        description="Somebody else may have the present secret: it signs no longer. Otherwise both "
        "sign for a day, so that the receiver can change over.",
    )


class WebhookRead(ReplyModel):
    id: str
    created_at: datetime
    updated_at: datetime
    url: str
    description: str
    events: list[WebhookEvent]
    paused_at: datetime | None = Field(
        description="Since then no events are sent: an admin paused it, or it failed for days."
    )
    failures: int = Field(description="Tries in a row that failed.")
    failing_since: datetime | None
    delivered_at: datetime | None = Field(description="When something arrived last.")
    old_secret_until: datetime | None = Field(description="Until then the secret before signs too.")


class WebhookSecretRead(WebhookRead):
    secret: str = Field(description="For the receiver to check signatures with. Shown only here.")


class DeliveryRead(ReplyModel):
    id: str = Field(description="Also the header `webhook-id`.")
    created_at: datetime
    event: str
    data: dict[str, Any]
    status: DeliveryStatus
    tries: int
    tried_at: datetime | None
    next_try_at: datetime | None
    delivered_at: datetime | None
    answer_status: int | None = Field(description="HTTP status of the last answer.")
    error: DeliveryError | None = Field(description="Why the last try failed.")
