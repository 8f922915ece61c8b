"""Catalogue page with search."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.core.dependencies import Cursor, ReadSession
from app.models.distillation import Verdict
from app.releases.repository import ReleaseRepository, Search
from app.releases.terms import TermsTemplate
from app.web.dependencies import Reader
from app.web.forms import checked
from app.web.release_card import cards
from app.web.render import page

router = APIRouter()

ON_A_PAGE = 24


class Wanted(BaseModel):
    """Filters of the address; an empty one filters nothing."""

    q: Annotated[str, Field(max_length=200)] = ""
    class_name: Annotated[str, Field(max_length=100)] = ""
    organisation: Annotated[str, Field(max_length=40)] = ""
    terms: TermsTemplate | None = None
    verdict: Verdict | None = None
    images: Annotated[int | None, Field(ge=1, le=10**6)] = None
    accuracy: Annotated[int | None, Field(ge=0, le=100)] = None

    def search(self) -> Search:
        return Search(
            text=self.q or None,
            class_name=self.class_name or None,
            organisation_id=self.organisation or None,
            terms=self.terms,
            verdict=self.verdict,
            most_images=self.images,
            least_accuracy=None if self.accuracy is None else self.accuracy / 100,
        )


@router.get("/catalogue")
def show_catalogue(
    request: Request, session: ReadSession, caller: Reader, cursor: Cursor = None
) -> Response:
    given = {
        name: text.strip()
        for name, text in request.query_params.items()
        if name in Wanted.model_fields and text.strip()
    }
    wanted = checked(Wanted, **given)
    releases = ReleaseRepository(session).readable_by(caller)
    found = releases.catalogue(wanted.search(), cursor=cursor, limit=ON_A_PAGE)
    query = urlencode(given)
    return page(
        request,
        "catalogue/catalogue.html",
        # With scripts, the address follows the filters, so that it can be shared.
        headers={"HX-Replace-Url": "/catalogue" + (f"?{query}" if query else "")},
        cards=cards(session, caller, found.items),
        found=found,
        count=releases.count(wanted.search()),
        choices=releases.choices(),
        wanted=wanted,
        narrowed=bool(given),
        query=f"&{query}" if query else "",
        verdicts=(Verdict.PROVEN, Verdict.NOT_REFUTED, Verdict.INCONCLUSIVE),
        templates=list(TermsTemplate),
    )
