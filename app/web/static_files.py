"""Serves scripts and styles, built from `frontend/` and named by their content."""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

FOLDER = Path(__file__).parent / "static"
ADDRESS = "/static"
A_YEAR = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if scope["query_string"]:  # the address that `asset` made changes with the content
            response.headers["Cache-Control"] = A_YEAR
        return response


@lru_cache
def asset(name: str) -> str:
    """The address of a file in `static/`, which changes with its content."""
    content = (FOLDER / name).read_bytes()
    return f"{ADDRESS}/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"
