"""Expected failures. Each is named, carries its HTTP status and a stable `type` URI (RFC 9457).

`detail` is written for the person who sees it: what happened, what was kept, what to do next.
"""

from typing import Any, ClassVar

TYPE_PREFIX = "urn:iadd-exchange:problem:"


class Problem(Exception):  # noqa: N818 (RFC 9457 calls it a problem)
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong in the portal"

    def __init__(
        self, detail: str, *, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}
        self.members = members

    def as_dict(self) -> dict[str, Any]:
        return problem_dict(
            code=self.code, title=self.title, status=self.status, detail=self.detail, **self.members
        )


def problem_dict(
    *, code: str, title: str, status: int, detail: str, **members: Any
) -> dict[str, Any]:
    """The RFC 9457 object; workers store the same shape in a row's `problem`."""
    return {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        **members,
    }


class BadRequest(Problem):
    status = 400
    code = "bad-request"
    title = "The request cannot be read"


class Unauthenticated(Problem):
    status = 401
    code = "unauthenticated"
    title = "No valid token"


class Forbidden(Problem):
    status = 403
    code = "forbidden"
    title = "Your role does not allow this"


class NotFound(Problem):
    status = 404
    code = "not-found"
    title = "Not found"


class RequestTooSlow(Problem):
    status = 408
    code = "request-too-slow"
    title = "The request took too long to arrive"


class Conflict(Problem):
    status = 409
    code = "conflict"
    title = "Not possible in the present state"


class TooLarge(Problem):
    status = 413
    code = "too-large"
    title = "The body is too large"


class Invalid(Problem):
    status = 422
    code = "invalid"
    title = "The request is not valid"


class PreconditionFailed(Problem):
    status = 412
    code = "changed-meanwhile"
    title = "It was changed in the meantime"


class TooManyRequests(Problem):
    status = 429
    code = "too-many-requests"
    title = "Too many requests"
