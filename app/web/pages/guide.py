"""Pages of the guide to a first distillation on synthetic X-rays."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.core.dependencies import ReadSession, WriteSession
from app.core.security import Permission
from app.datasets.sample import make_sample
from app.overview.guide import Guide, Step, guide, start_first
from app.web.dependencies import Distiller, Reader, Uploader, Visitor
from app.web.render import go_to, page

router = APIRouter(prefix="/guide")


@router.get("")
def show_guide(request: Request, session: ReadSession, caller: Visitor) -> Response:
    found = guide(session, caller) if caller.may(Permission.READ) else Guide(None, None)
    return page(request, "guide/guide.html", guide=found, steps=list(Step), seen=found.step.value)


@router.get("/steps")
def show_steps(
    request: Request,
    session: ReadSession,
    caller: Reader,
    seen: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Fragment that follows the running step; `seen` is the step shown before."""
    found = guide(session, caller)
    return page(request, "guide/steps.html", guide=found, steps=list(Step), seen=seen)


@router.post("/sample")
def draw_sample(request: Request, session: WriteSession, caller: Uploader) -> Response:
    make_sample(session, caller)
    return go_to(request, "/guide", note="note-sample-drawn")


@router.post("/distillation")
def start_distillation(request: Request, session: WriteSession, caller: Distiller) -> Response:
    start_first(session, caller)
    return go_to(request, "/guide", note="note-first-started")
