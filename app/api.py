"""Mounts the routers of each noun under /api/v1."""

from fastapi import APIRouter

from app.datasets.endpoints import router as datasets
from app.distillations.endpoints import router as distillations
from app.organisations.endpoints import router as organisations

router = APIRouter(prefix="/api/v1")
router.include_router(organisations)
router.include_router(datasets)
router.include_router(distillations)
