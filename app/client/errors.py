from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

TYPE_PREFIX = "urn:iadd-exchange:problem:"
TEMPORARY = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may well be answered a little later."""


class PortalError(RuntimeError):
    """The portal refused, or what it sent cannot be used. The message is for who asked.

    Attributes:
        status: HTTP status, or None where no answer of the portal is the reason.
        code: Stable name of the problem (RFC 9457 `type`), as in ``terms-not-accepted``.
        title: The problem in a few words.
        detail: Explains the failure, what was kept, and what to do next.
        members: Other members of the problem, such as ``grant_id``.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        *,
        code: str | None = None,
        title: str = "",
        detail: str = "",
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail or message
        self.members = dict(members or {})

    @property
    def is_temporary(self) -> bool:
        """True if trying again later is all that is needed."""
        return self.status in TEMPORARY


class AddressError(PortalError):
    """The given address is not a portal's. Nothing was sent."""


class UnreachableError(PortalError):
    """The portal or the network is down."""

    @property
    def is_temporary(self) -> bool:
        return True


class _Problem(BaseModel):
    model_config = ConfigDict(extra="allow")

    type: str = ""
    title: str
    detail: str = ""


def problem_of(status: int, content: bytes) -> PortalError:
    """The error that an answer with a status of 400 or more is.

    Args:
        status: HTTP status.
        content: The body; RFC 9457 where the portal itself answered.
    """
    try:
        problem = _Problem.model_validate_json(content)
    except ValidationError:
        # Not from the portal but from something before it.
        return PortalError(f"The answer was HTTP {status}, without a reason.", status)
    return PortalError(
        f"{problem.title}. {problem.detail}".strip(),
        status,
        code=problem.type.removeprefix(TYPE_PREFIX) or None,
        title=problem.title,
        detail=problem.detail,
        members=problem.model_extra,
    )
