"""What holds after every fault: one list, for all of them."""

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.backups.doctor import examine
from tests.e2e.faults.installation import Installation
from tests.e2e.faults.main_job import STAGES, MainJob
from tests.fixtures.waiting import wait_until

_ID = re.compile(r"_[0-9a-f]{8,}")
_BAD_LINE = re.compile(r" (ERROR|CRITICAL) |^Traceback \(most recent call last\)")
_ARCHIVE_NAMES = re.compile(r"\b\d{3}\.png\b")


@dataclass(frozen=True)
class Undisturbed:
    """The run that nothing disturbed."""

    seconds: Mapping[str, float]
    """Of each stage."""
    images: bytes
    figures: Any
    keys: Collection[str]
    """Of its objects, ids left out."""

    @classmethod
    def of(cls, installation: Installation, job: MainJob) -> "Undisturbed":
        seen = [stage for stage in STAGES if stage in job.began_at]
        return cls(
            seconds={
                stage: job.began_at[after] - job.began_at[stage]
                for stage, after in itertools.pairwise(seen)
            },
            images=job.images(),
            figures=job.figures(),
            keys=kept_keys(installation, job),
        )


def kept_keys(installation: Installation, job: MainJob) -> set[str]:
    """Keys of all objects of a job, ids left out, once the portal has cleaned up."""

    def keys() -> set[str]:
        return {_ID.sub("", key) for key in _keys_of(installation, job)}

    wait_until(lambda: not any("archive" in key for key in keys()), "its archive is deleted")
    return keys()


def _keys_of(installation: Installation, job: MainJob) -> list[str]:
    folders = [f"datasets/{job.dataset_id}", f"distillations/{job.distillation_id}"]
    with installation.opened() as (database, storage):
        with database.reading() as session:
            sets = session.connection().exec_driver_sql(
                f"SELECT id FROM trajectory_set WHERE dataset_id = '{job.dataset_id}'"
            )
            folders += [f"trajectories/{row.id}" for row in sets]
        return [info.key for folder in folders for info in storage.list(folder)]


def expect_all_well(
    installation: Installation,
    job: MainJob,
    undisturbed: Undisturbed,
    *,
    log_sizes: Mapping[str, int],
    errors: Collection[str] = (),
) -> None:
    """Hold what is left against the undisturbed run.

    Args:
        installation: Where the job ran.
        job: It has ended.
        undisturbed: The run that nothing disturbed.
        log_sizes: Of the logs, before the job.
        errors: Regular expressions of the errors that this fault may log.
    """
    assert job.row["status"] == "ready", job.row["problem"]
    assert job.row["problem"] is None
    if not job.draws_anew:
        assert job.images() == undisturbed.images
        assert job.figures() == undisturbed.figures
    assert kept_keys(installation, job) == undisturbed.keys
    wait_until(lambda: not half_written(installation), "what was half written is deleted", 120)
    wait_until(lambda: not scratch(installation), "what was unpacked is deleted", 15)
    assert findings(installation) == {}
    logged = installation.logged_since(log_sizes)
    assert bad_lines(logged, errors) == []
    assert leaks(installation, logged) == []


def findings(installation: Installation) -> dict[str, str]:
    """What `exchange doctor` has to say: objects missing or of no row, a log that was changed."""
    with installation.opened() as (database, storage):
        found = examine(installation.seen_settings, database, storage)
        # How full the disc of this machine is, is no matter of the test.
        return {one.code: one.text for one in found if one.code != "full-disc"}


def half_written(installation: Installation) -> list[str]:
    """Files in the folder of objects that are none: what a killed process began to write."""
    root = installation.seen / "objects"
    if not root.exists():
        return []
    with installation.opened() as (_, storage):
        listed = {info.key for info in storage.list("")}
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return sorted(there - listed)


def scratch(installation: Installation) -> list[Path]:
    return list((installation.seen / "scratch").glob("*/*"))


def bad_lines(logged: Mapping[str, str], errors: Collection[str]) -> list[str]:
    """Errors in logs that the fault does not explain."""
    found = []
    for name, text in logged.items():
        lines = text.splitlines()
        for number, line in enumerate(lines):
            if _BAD_LINE.search(line) and not any(re.search(one, line) for one in errors):
                found.append("\n".join([name, *lines[number : number + 30]]))
    return found


def leaks(installation: Installation, logged: Mapping[str, str]) -> list[str]:
    """Logs with a secret, or with a name of the archive."""
    return [
        name
        for name, text in logged.items()
        if any(secret in text for secret in installation.secrets) or _ARCHIVE_NAMES.search(text)
    ]
