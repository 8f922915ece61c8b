"""Mounts the routers of each noun under /api/v1: of every portal, and of hospitals' own."""

from fastapi import APIRouter, Depends

from app.access.endpoints import router as access
from app.audit.endpoints import router as audit
from app.auth.second_factor.endpoints import router as second_factor
from app.auth.sessions.endpoints import router as sessions
from app.auth.tokens.endpoints import router as tokens
from app.core.roles import hospital_only
from app.datasets.endpoints import router as datasets
from app.datasets.uploads.endpoints import router as uploads
from app.distillations.endpoints import router as distillations
from app.federation.connections.endpoints import router as connections
from app.federation.endpoints import router as portal_identity
from app.federation.home_keys.endpoints import router as home_keys
from app.federation.publications.endpoints import router as publications
from app.federation.shares.endpoints import router as shares
from app.forecasts.endpoints import router as forecasts
from app.ledgers.endpoints import router as ledgers
from app.notifications.endpoints import router as notifications
from app.operations.endpoints import router as operations
from app.organisations.endpoints import router as organisations
from app.organisations.keys.endpoints import router as keys
from app.releases.endpoints import router as releases
from app.releases.overrides.endpoints import router as overrides
from app.scheduling.endpoints import router as waits
from app.scores.endpoints import router as scores
from app.trainings.endpoints import router as trainings
from app.users.endpoints import router as users
from app.users.invitations.endpoints import router as invitations
from app.webhooks.endpoints import router as webhooks
from app.withdrawals.endpoints import router as withdrawals

router = APIRouter(prefix="/api/v1")
for noun in (
    sessions,
    organisations,
    keys,
    second_factor,
    users,
    invitations,
    tokens,
    releases,
    access,
    scores,
    portal_identity,
    home_keys,
    publications,
    notifications,
    webhooks,
    operations,
    audit,
):
    router.include_router(noun)
for noun in (
    datasets,
    uploads,
    ledgers,
    forecasts,
    distillations,
    waits,
    overrides,
    withdrawals,
    trainings,
    connections,
    shares,
):
    router.include_router(noun, dependencies=[Depends(hospital_only)])
