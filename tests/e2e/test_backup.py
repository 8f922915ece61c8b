"""A backup of a service in the middle of a job is restored elsewhere, and the job ends there."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.service import exchange

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.slow


def test_a_job_that_ran_during_the_backup_ends_where_it_is_restored(
    make_service: "Callable[..., Service]", archive: bytes, tmp_path: Path
) -> None:
    here = make_service()
    dataset = here.upload(archive)
    job = here.distill(dataset["id"], iterations=60)
    here.wait_for(job, "distilling")
    exchange("backup", str(tmp_path / "backup"), data_dir=here.data_dir)
    here.wait_for(job, "ready")
    undisturbed = here.images(job)
    token = (here.data_dir / "token").read_text()
    here.stop()

    said = exchange("restore", str(tmp_path / "backup"), data_dir=tmp_path / "there")
    assert "2 intact logs" in said
    (tmp_path / "there" / "token").write_text(token)
    there = make_service(tmp_path / "there")

    row = there.wait_for(job, "ready")
    assert row["problem"] is None
    # As undisturbed: what was drawn follows from secrets that came along.
    assert there.images(job) == undisturbed
