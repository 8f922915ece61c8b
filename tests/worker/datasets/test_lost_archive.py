"""An archive that is not stored as it arrived is not read, and asked for again."""

from typing import TYPE_CHECKING

import pytest

from app.core.queue import Task
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness


@pytest.mark.parametrize("content", [None, b"", b"another archive"], ids=["gone", "cut", "changed"])
def test_an_archive_that_is_not_as_it_arrived_is_asked_for_again(
    harness: "WorkerHarness", content: bytes | None
) -> None:
    with harness.database.transaction() as session:
        dataset = Dataset(
            organisation_id=harness.organisation_id,
            name="xrays",
            status=DatasetStatus.CHECKING,
            sha256="0" * 64,
        )
        session.add(dataset)
        session.flush()
        dataset.archive_key = f"datasets/{dataset.id}/archive-first"
    if content is not None:
        harness.storage.put(dataset.archive_key, content)
    harness.send(Task.CHECK_DATASET, dataset.id)

    def row() -> Dataset:
        with harness.database.reading() as session:
            return session.get_one(Dataset, dataset.id)

    harness.until(lambda: row().status == DatasetStatus.REJECTED, "it is rejected")
    problem = row().problem or {}
    assert problem["type"].endswith(":archive-lost")
    assert "Upload the archive again" in problem["detail"]
