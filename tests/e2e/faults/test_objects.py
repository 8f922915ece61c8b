"""A stored object is gone, cut off, or has a flipped bit, at a random moment of the main job."""

import random
from collections.abc import Callable

import pytest

from app.core.db import Database
from app.core.storage import Storage
from app.models import Distillation
from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import MainJob

pytestmark = pytest.mark.slow

BEARS = ("objects-missing", "objects-damaged", "archive-lost")
KEPT = ("teacher-", "distilled.", "evaluation.", "privacy.")
"""Parts of the keys of what stays when the job has ended."""
FAILURES = [r"failed$"]
"""What a step logs that fails: its kind, and where."""


def remove(storage: Storage, key: str, chance: random.Random) -> None:
    storage.delete(key)


def cut(storage: Storage, key: str, chance: random.Random) -> None:
    content = storage.get(key)
    storage.put(key, content[: chance.randrange(len(content))])


def flip(storage: Storage, key: str, chance: random.Random) -> None:
    content = bytearray(storage.get(key))
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    storage.put(key, bytes(content))


@pytest.mark.parametrize("damage", [remove, cut, flip])
def test_a_damaged_object_is_made_again_or_asked_for_and_never_used(
    one_machine: Installation,
    disturb: Callable[..., MainJob],
    damage: Callable[[Storage, str, random.Random], None],
) -> None:
    """Of what steps pass on; the dataset's images are the operator's to bring back."""

    def strike(job: MainJob, stage: str, chance: random.Random) -> None:
        with one_machine.opened() as (database, storage):
            keys = passed_on(job, database, storage)
            if not keys:  # nothing is stored yet
                return
            key = chance.choice(keys)
            print(f"{damage.__name__}: {key}")
            try:
                content = storage.get(key)
                damage(storage, key, chance)
            except FileNotFoundError:  # its step was over at this moment
                return
            job.wait_for_problem()
            if job.problems:
                job.draws_anew = key.startswith("trajectories/")
            # What no step needed any more is missed by `exchange doctor` alone.
            is_images = key.endswith("images.safetensors")
            if is_images or (not job.problems and any(name in key for name in KEPT)):
                storage.put(key, content)

    disturb(one_machine, strike, bears=BEARS, errors=FAILURES)


def passed_on(job: MainJob, database: Database, storage: Storage) -> list[str]:
    """Keys of what a later step of the job reads."""
    found = [info.key for info in storage.list(f"datasets/{job.dataset_id}")]
    found = [key for key in found if "archive" in key or key.endswith("images.safetensors")]
    if job.distillation_id:
        with database.reading() as session:
            row = session.get_one(Distillation, job.distillation_id)
        folders = [f"distillations/{row.id}"]
        if row.trajectory_set_id is not None:
            folders.append(f"trajectories/{row.trajectory_set_id}")
        names = ("checkpoints/", "partial/", *KEPT)
        found += [
            info.key
            for folder in folders
            for info in storage.list(folder)
            if any(name in info.key for name in names)
        ]
    return found
