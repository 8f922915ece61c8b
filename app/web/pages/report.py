"""Page of a distillation's report, with later additions."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.core.dependencies import PortalDep, ReadSession
from app.datasets.repository import DatasetRepository
from app.distillations import service
from app.distillations.repository import DistillationRepository
from app.releases.repository import ReleaseRepository
from app.web.dependencies import Reader
from app.web.received_scores import received_scores, summary_of
from app.web.render import POLICY, page
from app.web.stored_report import take_apart

router = APIRouter()

SCORES = 50
"""The newest ones; the releases' own pages lead to all."""


@router.get("/distillations/{distillation_id}/report")
def show_report(
    request: Request, distillation_id: str, session: ReadSession, portal: PortalDep, caller: Reader
) -> Response:
    """Show the report; the log records it like a download over REST."""
    # In a transaction that is over before the report is read: no reader holds up a writer.
    with portal.database.transaction() as writing:
        key = service.download_key(
            writing, caller, distillation_id, "report_html_key", "internal_html_key"
        )
    row = DistillationRepository(session).readable_by(caller).get(distillation_id)
    report = take_apart((portal.storage.find(key) or b"").decode(errors="replace"))
    releases = ReleaseRepository(session).of_distillations([distillation_id])
    scores = received_scores(session, releases, limit=SCORES + 1)
    policy = POLICY
    if report is not None:
        policy = POLICY.replace("style-src 'self'", f"style-src 'self' {report.style_source}")
    return page(
        request,
        "report/report.html",
        headers={"Content-Security-Policy": policy},
        row=row,
        dataset_name=DistillationRepository(session).dataset_names([row])[row.dataset_id],
        is_sample=DatasetRepository(session).is_sample(row.dataset_id),
        report=report,
        releases=releases,
        scores=scores[:SCORES],
        more_scores=len(scores) > SCORES,
        summary=summary_of(session, releases),
    )
