"""Converts submitted forms into the schemas of services."""

from typing import Annotated, TypeVar

from fastapi import Form
from pydantic import BaseModel, ValidationError

from app.core.errors import Invalid

Body = TypeVar("Body", bound=BaseModel)
T = TypeVar("T")

Sent = Annotated[T, Form()]
"""A parameter of a page that comes from the submitted form: a field, or a model of all."""


class NotConfirmed(Invalid):
    code = "not-confirmed"
    title = "The confirmation does not match"


class ComparedForm(BaseModel):
    """A person has compared a key by another way."""

    fingerprint: str = ""
    compared: bool = False

    def expect_compared(self) -> None:
        """Raises NotConfirmed."""
        if not self.compared:
            raise NotConfirmed("Compare the fingerprint first, then tick the box. Nothing changed.")


def checked(body_type: type[Body], **fields: object) -> Body:
    """Validate the same body as over REST. Raises Invalid, which names the field."""
    try:
        return body_type.model_validate(fields)
    except ValidationError as error:
        # What was typed is not sent back: it may be a secret.
        errors = [
            {
                "where": ".".join(str(part) for part in item["loc"]),
                "message": item["msg"].removeprefix("Value error, "),
            }
            for item in error.errors(include_input=False, include_url=False)
        ]
    listed = "; ".join(f"{item['where']}: {item['message']}" for item in errors[:5])
    raise Invalid(f"{listed}. Nothing was changed.", errors=errors)


def confirmed(typed: str, name: str) -> None:
    """Check that an irreversible action was confirmed by name. Raises NotConfirmed."""
    if " ".join(typed.split()) != " ".join(name.split()):
        raise NotConfirmed(f"To continue, type {name}. Nothing was changed.")
