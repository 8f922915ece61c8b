"""One line per event on standard error. Lines carry ids, never names of files or people.

`plain` is for a terminal; `json` is for what collects logs: an object a line, with the ids of
`app.core.log_context` as members.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TypeAlias

from app.core.log_context import logged_ids

LogFormat = Literal["plain", "json"]

ExceptionInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class DiscreetFormatter(logging.Formatter):
    """Tells of an exception its kind and where it was raised, and not its text.

    The text may hold anything: the name of a file in a hospital's archive, which may be a
    patient's, or the values of a row that the database refused.
    """

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 (logging's name)
        lines: list[str] = []
        error, seen = ei[1], set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            kind = f"{type(error).__module__}.{type(error).__qualname__}"
            lines[:0] = [*traceback.format_tb(error.__traceback__), f"{kind}\n"]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "".join(lines).rstrip("\n")


class JsonFormatter(DiscreetFormatter):
    """One JSON object a line: time, level, logger, message, the ids, and a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **logged_ids(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def without_query(record: logging.LogRecord) -> bool:
    """Remove the query: it may hold search words or a sign-in code."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            argument.partition("?")[0] if isinstance(argument, str) else argument
            for argument in record.args
        )
    return True


def configure_logging(level: str, log_format: LogFormat = "plain") -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(
        JsonFormatter() if log_format == "json" else DiscreetFormatter(plain, "%Y-%m-%dT%H:%M:%S%z")
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Warnings of libraries are lines too, and not text between them.
    logging.captureWarnings(True)
    access = logging.getLogger("uvicorn.access")
    access.filters[:] = [without_query]
