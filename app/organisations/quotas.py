"""Quotas of organisations: storage, datasets, running jobs and hours of computing."""

from datetime import timedelta

from pydantic import Field
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.core.errors import Conflict, TooLarge
from app.core.queue import Queue
from app.core.schemas import RequestModel
from app.models.organisation import Organisation
from app.organisations.repository import OrganisationRepository

GIBIBYTE = 1024**3
HOUR_SECONDS = 3600.0
QUOTA_WINDOW = timedelta(days=30)


class Quota(RequestModel):
    stored_bytes: int = Field(
        default=500 * GIBIBYTE,
        ge=0,
        le=2**53,
        description="For archives and releases together.",
    )
    datasets: int = Field(default=1000, ge=0, le=10**6)
    running: int = Field(
        default=20, ge=0, le=10**6, description="Distillations and trainings that wait or run."
    )
    gpu_hours: float | None = Field(
        default=None,
        ge=0,
        le=10**6,
        description="Hours that workers of the queue `gpu` may compute for it within 30 days, of "
        "whichever device; null: as many as it likes.",
    )


class QuotaExceeded(Conflict):
    code = "quota-exceeded"
    title = "The organisation has reached its limit"


class StorageExceeded(TooLarge):
    code = "quota-exceeded"
    title = "The organisation has no room for this"


def quota_of(organisation: Organisation) -> Quota:
    return Quota.model_validate(organisation.quota)


def allow_dataset(session: Session, organisation_id: str) -> None:
    """Raises QuotaExceeded."""
    organisations = OrganisationRepository(session)
    # Locked, so that two that ask at once do not both see room for one more.
    most = quota_of(organisations.get(organisation_id, lock=True)).datasets
    if organisations.count_datasets(organisation_id) >= most:
        raise QuotaExceeded(
            f"Your organisation has {most} datasets, the most that it may have here. No dataset "
            "was made. Delete one that is needed no longer, or ask the operator for more.",
            limit=most,
        )


def allow_run(session: Session, organisation_id: str) -> None:
    """Raises QuotaExceeded. What runs already goes on to its end."""
    organisations = OrganisationRepository(session)
    quota = quota_of(organisations.get(organisation_id, lock=True))
    _allow_hours(session, organisation_id, quota.gpu_hours)
    most = quota.running
    if organisations.count_running(organisation_id) >= most:
        raise QuotaExceeded(
            f"{most} distillations and trainings of your organisation wait or run, the most that "
            "may at once. Nothing was started. Wait for one to end, cancel one, or ask the "
            "operator for more.",
            limit=most,
        )


def gpu_hours(session: Session, organisation_id: str) -> float:
    """Hours that workers of the queue `gpu` computed for it within the window of the quota."""
    since = utc_now() - QUOTA_WINDOW
    organisations = OrganisationRepository(session)
    return organisations.device_seconds(organisation_id, Queue.GPU, since) / HOUR_SECONDS


def _allow_hours(session: Session, organisation_id: str, most: float | None) -> None:
    if most is None:
        return
    used = gpu_hours(session, organisation_id)
    if used >= most:
        raise QuotaExceeded(
            f"Workers have computed {used:.1f} hours for your organisation within 30 days, of the "
            f"{most:g} that it may use. Nothing was started, and what runs goes on. Wait until "
            "older hours count no longer, or ask the operator for more.",
            limit=most,
        )


def room_for_archive(
    session: Session, organisation_id: str, *, lock: bool = False, besides: str | None = None
) -> int:
    """Bytes that the organisation may still store, besides those of one upload.

    `lock` keeps others from filling them.
    """
    organisations = OrganisationRepository(session)
    most = quota_of(organisations.get(organisation_id, lock=lock)).stored_bytes
    return max(0, most - organisations.stored_bytes(organisation_id, besides=besides))


def no_room(room: int) -> StorageExceeded:
    return StorageExceeded(
        f"Your organisation may store {room} more bytes here, and the archive has more. The "
        "dataset still awaits its archive. Delete what is needed no longer, or ask the operator "
        "for more room.",
        room=room,
    )
