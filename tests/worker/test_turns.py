"""A worker takes the row whose turn it is, and no row loses its message."""

import pytest
from sqlalchemy import select

from app.core.queue import Queue, Task
from app.models import Dataset, DatasetStatus, DeviceUse, Organisation
from tests.fixtures.worker_harness import WorkerHarness
from worker import turns

NO_ARCHIVE = b"It is rejected at once."


@pytest.fixture
def other_id(own_harness: WorkerHarness) -> str:
    """A second organisation."""
    with own_harness.database.transaction() as session:
        other = Organisation(name="The other")
        session.add(other)
        session.flush()
        return other.id


@pytest.mark.slow
def test_one_archive_of_a_hospital_does_not_wait_for_the_many_of_another(
    own_harness: WorkerHarness, other_id: str
) -> None:
    crowd = own_harness.organisation_id
    many = [own_harness.upload(NO_ARCHIVE) for _ in range(4)]
    own_harness.organisation_id = other_id
    one = own_harness.upload(NO_ARCHIVE)

    own_harness.start_worker("cpu")

    def ended() -> list[Dataset]:
        query = select(Dataset).where(Dataset.status == DatasetStatus.REJECTED)
        with own_harness.database.reading() as session:
            return sorted(session.scalars(query), key=lambda row: row.updated_at)

    own_harness.until(lambda: len(ended()) == 5, "every archive is read")
    assert [row.id for row in ended()].index(one) == 1
    assert {row.id for row in ended()} == {*many, one}
    own_harness.drained()
    with own_harness.database.reading() as session:
        booked = session.query(DeviceUse).all()
    assert sorted(row.organisation_id for row in booked) == sorted([crowd] * 4 + [other_id])
    assert {row.queue for row in booked} == {Queue.CPU.value}
    assert all(row.seconds > 0 for row in booked)


class TestMessages:
    """What becomes of a message, in this process."""

    @pytest.fixture
    def taken(self, own_harness: WorkerHarness, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Ids of the checks that were worked on, each of which ends at once."""
        taken: list[str] = []

        def check(dataset_id: str) -> bool:
            with own_harness.database.transaction() as session:
                dataset = session.get(Dataset, dataset_id)
                if dataset is None or dataset.status != DatasetStatus.CHECKING:
                    return False
                dataset.status = DatasetStatus.READY
            taken.append(dataset_id)
            return True

        monkeypatch.setattr(turns, "get_services", lambda: own_harness.portal)
        monkeypatch.setitem(turns._HANDLERS, Task.CHECK_DATASET, check)
        return taken

    def test_each_of_as_many_messages_as_rows_brings_one_to_its_turn(
        self, own_harness: WorkerHarness, other_id: str, taken: list[str]
    ) -> None:
        rows = [own_harness.upload(NO_ARCHIVE) for _ in range(2)]
        own_harness.organisation_id = other_id
        rows.append(own_harness.upload(NO_ARCHIVE))
        for row_id in reversed(rows):
            turns.take_turn(Task.CHECK_DATASET, row_id)
        assert sorted(taken) == sorted(rows)

    def test_one_whose_row_is_gone_is_worth_another_row(
        self, own_harness: WorkerHarness, taken: list[str]
    ) -> None:
        row_id = own_harness.upload(NO_ARCHIVE)
        turns.take_turn(Task.CHECK_DATASET, "ds_gone")
        assert taken == [row_id]

    def test_a_row_that_another_worker_took_meanwhile_is_passed_over(
        self, own_harness: WorkerHarness, taken: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = own_harness.upload(NO_ARCHIVE), own_harness.upload(NO_ARCHIVE)
        check = turns._HANDLERS[Task.CHECK_DATASET]
        monkeypatch.setitem(
            turns._HANDLERS, Task.CHECK_DATASET, lambda row_id: row_id != first and check(row_id)
        )
        turns.take_turn(Task.CHECK_DATASET, first)
        assert taken == [second]

    @pytest.mark.usefixtures("taken")
    def test_one_too_many_does_nothing(self, own_harness: WorkerHarness) -> None:
        row_id = own_harness.upload(NO_ARCHIVE)
        for _ in range(2):
            turns.take_turn(Task.CHECK_DATASET, row_id)
