"""Creates the sample cohort of synthetic X-rays, for a first distillation without patients."""

from sqlalchemy.orm import Session

from app.audit.log import Action, record
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller
from app.datasets.repository import DatasetRepository
from app.models.dataset import Dataset, DatasetStatus
from app.organisations.quotas import StorageExceeded, allow_dataset, room_for_archive

IMAGES_PER_CLASS = 150
"""Images per class, of four classes, as in `exchange demo`."""
LARGEST_BYTES = 48 * 1024 * 1024
"""More than its archive has."""
SEED = 0

NAME = "Sample cohort (synthetic, no patients)"
DESCRIPTION = (
    "Chest X-rays that the portal generated, for a first try. No pixel comes from a "
    "person, nothing that is learned from them holds for people, and they are not shared."
)


def make_sample(session: Session, caller: Caller) -> tuple[Dataset, bool]:
    """The organisation's sample cohort, and whether it was made now; a worker generates it.

    Raises QuotaExceeded, StorageExceeded.
    """
    datasets = DatasetRepository(session)
    # Held until the commit: two that ask at once get the same one.
    room = room_for_archive(session, caller.organisation_id, lock=True)
    if (there := datasets.readable_by(caller).sample()) is not None:
        return there, False
    allow_dataset(session, caller.organisation_id)
    if room < LARGEST_BYTES:
        raise StorageExceeded(
            f"Your organisation may store {room} more bytes here, and the sample cohort needs up "
            f"to {LARGEST_BYTES}. No dataset was made. Delete what is needed no longer, or ask the "
            "operator for more room.",
            room=room,
        )
    dataset = datasets.add(
        Dataset(
            organisation_id=caller.organisation_id,
            name=NAME,
            description=DESCRIPTION,
            status=DatasetStatus.CHECKING,
            sample_seed=SEED,
        )
    )
    enqueue_after_commit(session, Task.CHECK_DATASET, dataset.id)
    record(session, caller, Action.SAMPLE_MADE, dataset.id)
    return dataset, True
