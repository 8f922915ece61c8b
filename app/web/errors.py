"""Problems as pages: what happened, what was kept, what to do next."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from app.core.errors import TYPE_PREFIX
from app.web.render import is_fragment, page

IN_FORM = {"HX-Retarget": "find .form-problem", "HX-Reswap": "innerHTML"}
"""Place of the message within the submitted form, whose input stays."""


def problem_page(
    request: HTTPConnection, problem: dict[str, Any], headers: Mapping[str, str]
) -> Response | None:
    """The problem as a page or, to a form that htmx sent, as an alert in the form.

    None for what is not a page: the REST API, probes, and whoever does not read HTML.
    """
    path = request.url.path
    reads_html = "text/html" in request.headers.get("accept", "") or is_fragment(request)
    if path.startswith("/api/") or not reads_html:
        return None
    status = int(problem["status"])
    kept = {name: value for name, value in headers.items() if name.lower() == "retry-after"}
    code = str(problem["type"]).removeprefix(TYPE_PREFIX)
    if is_fragment(request):
        if request.scope["method"] == "GET":
            kept |= {"HX-Reswap": "none"} if status == 401 else {}
        else:
            kept |= IN_FORM
        return page(
            request,
            "parts/problem.html",
            status_code=status,
            headers=kept,
            problem=problem,
            code=code,
        )
    if status == 401 and request.scope["method"] in ("GET", "HEAD"):
        back = path + (f"?{request.url.query}" if request.url.query else "")
        ended = "&ended=1" if request.cookies else ""
        return RedirectResponse(f"/sign-in?next={quote(back, safe='')}{ended}", 303)
    return page(
        request, "problem.html", status_code=status, headers=kept, problem=problem, code=code
    )
