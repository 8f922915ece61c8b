"""Lineage of a dataset: trajectories, distillations, releases, recipients."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.repository import AccessRepository
from app.core.clock import utc_now
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.models.dataset import Dataset
from app.models.distillation import Distillation
from app.models.release import Release
from app.models.trajectory_set import TrajectorySet
from app.organisations.repository import OrganisationRepository
from app.releases.repository import ReleaseRepository


def trace(session: Session, dataset: Dataset) -> JsonObject:
    """Follow a dataset to everything that its images went into."""
    sets = session.scalars(
        select(TrajectorySet)
        .where(TrajectorySet.dataset_id == dataset.id)
        .order_by(TrajectorySet.created_at)
    ).all()
    distillations = DatasetRepository(session).distillations(dataset.id)
    releases = ReleaseRepository(session).of_distillations([row.id for row in distillations])
    return {
        "trajectories": [
            {"id": row.id, "teachers": row.teachers, "status": row.status.value} for row in sets
        ],
        "distillations": [
            {"id": row.id, "status": row.status.value, "created_at": row.created_at.isoformat()}
            for row in distillations
            if row.deleted_at is None
        ],
        "releases": [
            {"id": row.id, "title": row.title, "number": row.number, "status": row.status.value}
            for row in releases
        ],
        "recipients": _recipients(session, [row.id for row in releases]),
    }


def newest_releases(session: Session, dataset: Dataset, *, limit: int) -> Sequence[Release]:
    """Releases of a dataset's distillations, newest first."""
    return session.scalars(
        select(Release)
        .join(Distillation, Distillation.id == Release.distillation_id)
        .where(Distillation.dataset_id == dataset.id)
        .order_by(Release.created_at.desc(), Release.id.desc())
        .limit(limit)
    ).all()


def _recipients(session: Session, release_ids: list[str]) -> list[JsonObject]:
    """Each organisation that has downloaded a release, or may."""
    downloaded = ReleaseRepository(session).recipients(release_ids)
    held = AccessRepository(session).holders(release_ids, utc_now())
    pairs = sorted(downloaded | held)
    names = OrganisationRepository(session).names_of([organisation for _, organisation in pairs])
    return [
        {
            "release_id": release_id,
            "organisation_id": organisation_id,
            "organisation": names[organisation_id],
            "downloaded": (release_id, organisation_id) in downloaded,
            "has_access": (release_id, organisation_id) in held,
        }
        for release_id, organisation_id in pairs
    ]
