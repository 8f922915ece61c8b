"""The refusal of a published bundle, and how checks raise it."""

from typing import NoReturn

from app.core.errors import Invalid

UNUSUAL = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What documents that somebody else has written may lead to, where something in them is missing, or
is another thing than it always is."""


class PublicationRefused(Invalid):
    """A bundle that is not shown. The detail says what is wrong with it."""

    code = "publication-refused"
    title = "The release cannot be published here"


def refuse(why: str) -> NoReturn:
    raise refused(why)


def refused(why: str) -> PublicationRefused:
    """The refusal in words, of which every one says what was kept."""
    return PublicationRefused(f"{why.rstrip('.')}. Nothing is shown here; at home nothing changed.")
