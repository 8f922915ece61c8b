"""Mounts the pages: of every portal, and of hospitals' own."""

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from app.core.roles import hospital_only
from app.web.pages.account import router as account
from app.web.pages.audit import router as audit
from app.web.pages.catalogue import router as catalogue
from app.web.pages.checks import router as checks
from app.web.pages.connections import router as connections
from app.web.pages.datasets import router as datasets
from app.web.pages.decisions import router as decisions
from app.web.pages.distill import router as distill
from app.web.pages.distillations import router as distillations
from app.web.pages.findings import router as findings
from app.web.pages.glossary import router as glossary
from app.web.pages.guide import router as guide
from app.web.pages.home import router as home
from app.web.pages.invitations import router as invitations
from app.web.pages.keys import router as keys
from app.web.pages.layouts import router as layouts
from app.web.pages.notices import router as notices
from app.web.pages.operations import router as operations
from app.web.pages.organisation import router as organisation
from app.web.pages.organisations import router as organisations
from app.web.pages.people import router as people
from app.web.pages.publish import router as publish
from app.web.pages.releases import router as releases
from app.web.pages.report import router as report
from app.web.pages.requests import router as requests
from app.web.pages.sign_in import router as sign_in
from app.web.pages.texts import router as texts
from app.web.pages.tokens import router as tokens
from app.web.pages.trainings import router as trainings
from app.web.pages.webhooks import router as webhooks
from app.web.pages.withdrawals import router as withdrawals
from app.web.static_files import ADDRESS, FOLDER, Assets

router = APIRouter(include_in_schema=False)
for pages in (
    catalogue,
    releases,
    requests,
    audit,
    sign_in,
    home,
    account,
    organisation,
    people,
    invitations,
    keys,
    tokens,
    notices,
    glossary,
    operations,
    organisations,
    webhooks,
):
    router.include_router(pages)
for pages in (
    publish,
    trainings,
    datasets,
    checks,
    findings,
    decisions,
    layouts,
    texts,
    withdrawals,
    distillations,
    distill,
    report,
    guide,
    connections,
):
    router.include_router(pages, dependencies=[Depends(hospital_only)])


def install(app: FastAPI) -> None:
    app.include_router(router)
    # Compressed, unlike pages: they hold no secret that their length could reveal.
    app.mount(ADDRESS, GZipMiddleware(Assets(directory=FOLDER)), name="static")
