"""Progress of a check, as a reader of the row sees it while a real worker checks."""

from typing import TYPE_CHECKING

import pytest

from app.core.security import Caller, Role
from app.datasets.sample import make_sample
from app.models import Dataset, DatasetStatus

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness


@pytest.mark.slow
def test_the_row_shows_the_phase_of_the_check_until_it_ends(own_harness: "WorkerHarness") -> None:
    own_harness.start_worker()
    caller = Caller.on_behalf(own_harness.organisation_id, Role.STEWARD, "Dr. Grey")
    with own_harness.database.transaction() as session:
        sample, _ = make_sample(session, caller)
    seen = []

    def is_over() -> bool:
        with own_harness.database.reading() as session:
            row = session.get_one(Dataset, sample.id)
        if row.progress is not None and row.progress not in seen:
            seen.append(row.progress)
        return row.status != DatasetStatus.CHECKING

    own_harness.until(is_over, "the sample is drawn and checked", 120)

    # Drawing takes seconds; what comes after may be over between two looks.
    assert seen[0] == {"phase": "drawing"}
    assert [told for told in seen if told["phase"] == "reading"] == sorted(
        (told for told in seen if told["phase"] == "reading"), key=lambda told: told["done"]
    )
    with own_harness.database.reading() as session:
        assert session.get_one(Dataset, sample.id).progress is None
