"""Turns every error into application/problem+json, unexpected ones without their traceback.

Requests for pages get the same as a page from `app.state.problem_page`.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.disc import disc_full, is_disc_full
from app.core.errors import Invalid, NotFound, Problem, problem_dict
from app.core.ids import new_id
from app.core.outages import is_outage, storage_unavailable

logger = logging.getLogger(__name__)

CODES = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
}


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


ProblemPage = Callable[[HTTPConnection, dict[str, Any], Mapping[str, str]], Response | None]
"""Renders the problem as a page; None where the request was not for a page."""


def reply(
    request: HTTPConnection, body: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """The problem, in the form that fits who asked."""
    page: ProblemPage = request.scope["app"].state.problem_page
    shown = page(request, body, headers or {})
    return shown or ProblemResponse(body, status_code=body["status"], headers=headers)


def install(app: FastAPI, page: ProblemPage) -> None:
    app.state.problem_page = page
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _disconnect)
    app.add_exception_handler(DataError, _unstorable)


def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return reply(request, error.as_dict(), error.headers)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    details = {
        400: "The body cannot be read as JSON. Send a JSON object with "
        "`Content-Type: application/json`.",
        404: "There is nothing at this address. GET /api/v1/openapi.json describes what there is.",
        405: f"This address does not know {request.method}.",
    }
    body = problem_dict(
        code=CODES.get(status, phrase.lower().replace(" ", "-")),
        title=phrase,
        status=status,
        detail=details.get(status, str(error.detail)),
    )
    return reply(request, body, error.headers)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not sent back: it may be a secret, or not be JSON at all.
    errors = [
        {"where": _where(item["loc"]), "message": item["msg"].removeprefix("Value error, ")}
        for item in error.errors()
    ]
    listed = "; ".join(f"{item['where']}: {item['message']}" for item in errors[:5])
    problem = Invalid(f"{listed}. Nothing was changed.", errors=errors)
    return reply(request, problem.as_dict())


def _unstorable(request: Request, _error: Exception) -> Response:
    """Answer values that PostgreSQL can neither store nor look for, above all the character NUL."""
    if "\x00" in request.url.path or "%00" in request.scope.get("raw_path", b"").decode("latin-1"):
        problem: Problem = NotFound("Nothing has such an id: it holds a character that no id has.")
    else:
        problem = Invalid(
            "It holds a character or a number that cannot be stored. Nothing was changed."
        )
    return reply(request, problem.as_dict())


def _where(location: tuple[Any, ...]) -> str:
    parts = [str(part)[:100] for part in location]
    return ".".join(parts[1:] or parts)


def _disconnect(request: Request, _error: Exception) -> Response:
    # No client reads this; it only keeps a closed connection from being logged as a bug.
    logger.info("%s %s: the client went away", request.method, request.url.path)
    return Response(status_code=400)


class UnexpectedErrors:
    """Answers 500 to what no handler expects.

    It is the innermost middleware, so that its reply gets the headers and is counted like others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            if is_disc_full(error):
                logger.warning("the disc is full: %s %s", scope["method"], scope["path"])
                full = reply(HTTPConnection(scope), disc_full().as_dict())
                return await full(scope, receive, send)
            if is_outage(error):
                kind = type(error).__name__
                logger.warning("%s: %s %s was not done", kind, scope["method"], scope["path"])
                problem = storage_unavailable()
                waits = reply(HTTPConnection(scope), problem.as_dict(), problem.headers)
                return await waits(scope, receive, send)
            incident = new_id("err")
            logger.exception("%s: %s %s", incident, scope["method"], scope["path"])
            response = reply(HTTPConnection(scope), _unexpected(incident).as_dict())
            await response(scope, receive, send)


def _unexpected(incident: str) -> Problem:
    return Problem(
        "The portal made a mistake; the request changed nothing. Try again, and if it happens "
        f"again give the operator this number, under which the log has the reason: {incident}.",
        incident=incident,
    )
