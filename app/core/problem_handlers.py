"""Every error leaves as application/problem+json, unexpected ones without their traceback."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import Invalid, NotFound, Problem, problem_dict
from app.core.ids import new_id

logger = logging.getLogger(__name__)

CODES = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
}


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def install(app: FastAPI) -> None:
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _disconnect)
    app.add_exception_handler(DataError, _unstorable)


def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return ProblemResponse(error.as_dict(), status_code=error.status, headers=error.headers)


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
    return ProblemResponse(body, status_code=status, headers=error.headers)


def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was sent is not sent back: it may be a secret, or not be JSON at all.
    errors = [
        {"where": _where(item["loc"]), "message": item["msg"].removeprefix("Value error, ")}
        for item in error.errors()
    ]
    listed = "; ".join(f"{item['where']}: {item['message']}" for item in errors[:5])
    problem = Invalid(f"{listed}. Nothing was changed.", errors=errors)
    return ProblemResponse(problem.as_dict(), status_code=problem.status)


def _unstorable(request: Request, _error: Exception) -> Response:
    """What PostgreSQL cannot store, it cannot look for either: above all the character NUL."""
    if "\x00" in request.url.path or "%00" in request.scope.get("raw_path", b"").decode("latin-1"):
        problem: Problem = NotFound("Nothing has such an id: it holds a character that no id has.")
    else:
        problem = Invalid(
            "It holds a character or a number that cannot be stored. Nothing was changed."
        )
    return ProblemResponse(problem.as_dict(), status_code=problem.status)


def _where(location: tuple[Any, ...]) -> str:
    parts = [str(part)[:100] for part in location]
    return ".".join(parts[1:] or parts)


def _disconnect(request: Request, _error: Exception) -> Response:
    # Nobody is there to read this; it only keeps a closed connection from being logged as a bug.
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
        except Exception:
            if scope["type"] != "http" or started:
                raise
            incident = new_id("err")
            logger.exception("%s: %s %s", incident, scope["method"], scope["path"])
            await _unexpected(incident)(scope, receive, send)


def _unexpected(incident: str) -> Response:
    problem = Problem(
        "The portal made a mistake; the request changed nothing. Try again, and if it happens "
        f"again tell the operator this number, under which the log has the reason: {incident}.",
        incident=incident,
    )
    return ProblemResponse(problem.as_dict(), status_code=problem.status)
