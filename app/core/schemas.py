"""Schemas that several nouns share."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")


def _printable(text: str) -> str:
    # PostgreSQL stores no NUL, and a name with a line break or an escape deceives who reads logs.
    if not all(character.isprintable() or character in "\n\t" for character in text):
        raise ValueError("must not contain control characters")
    return text


def one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(one_line),
]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=4000), AfterValidator(_printable)
]


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 of UTC") from None


Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""RFC 3339 with a time zone, as every time is that is compared with a stored one."""


class RequestModel(BaseModel):
    """An unknown field is refused: a mistyped one would otherwise be ignored in silence."""

    model_config = ConfigDict(extra="forbid")


class ReplyModel(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, row: object, **more: object) -> Self:
        """Read a reply from the attributes of a row or page, but for the fields in `more`."""
        names = cls.model_fields.keys() - more.keys()
        return cls.model_validate({name: getattr(row, name) for name in names} | more)


class PageRead(ReplyModel, Generic[T]):
    items: list[T]
    next_cursor: str | None = Field(
        description="Pass as `cursor` for the next page; null at the end."
    )


class ProblemRead(BaseModel):
    """RFC 9457. `type` is stable; further members depend on it."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that may answer with these problems."""
    titles = {
        400: "The request cannot be read",
        401: "No valid token",
        403: "The role does not allow this",
        404: "No such thing in the caller's organisation",
        408: "The sender was silent for too long",
        409: "Not possible in the present state",
        410: "It was here, and is over",
        412: "It was changed in the meantime",
        413: "The body is too large",
        415: "The body is of another type",
        416: "The range cannot be satisfied",
        422: "The request is not valid",
        423: "Another request is writing to it",
        429: "Too many requests",
        460: "The checksum does not match",
        502: "The upstream server's answer cannot be trusted",
        503: "The upstream server does not answer",
        507: "The disc is full",
    }
    return {
        status: {
            "description": titles[status],
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status in statuses
    }
