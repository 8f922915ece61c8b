"""Overview of pending items, by what the caller may do about them."""

from datetime import timedelta

from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.security import Caller, Permission
from app.overview.repository import OverviewRepository
from app.overview.schemas import First, Job, Overview

NEWS_LASTS = timedelta(days=14)
"""So long what ended is news; afterwards it is found where it always was."""
REPORTS_WAIT = timedelta(days=30)


def overview(session: Session, caller: Caller) -> Overview:
    found = OverviewRepository(session).readable_by(caller)
    now = utc_now()
    news = now - NEWS_LASTS
    may = caller.may
    return Overview(
        decisions=found.decisions() if may(Permission.SHARE) else None,
        answers=found.answers(news) if may(Permission.REQUEST) else None,
        uploads=found.uploads() if may(Permission.UPLOAD) else None,
        confirmations=found.confirmations() if may(Permission.DISTILL) else None,
        reports=found.reports(now - REPORTS_WAIT) if may(Permission.DISTILL) else None,
        failures=found.failures(news) if may(Permission.DISTILL) else None,
        withdrawals=found.withdrawals(news) if may(Permission.DELETE) else None,
        jobs=found.jobs() if may(Permission.READ) else None,
        has_datasets=found.has_datasets() if may(Permission.READ) else None,
    )


def running_jobs(session: Session, caller: Caller) -> First[Job]:
    return OverviewRepository(session).readable_by(caller).jobs()
