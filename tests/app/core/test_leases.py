"""One worker at a time, and no write by one that lost its lease; on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import true, update

from app.core import leases
from app.core.clock import utc_now
from app.core.leases import LeaseLost
from app.models import Dataset, DatasetStatus, Organisation

CHECKING = (DatasetStatus.CHECKING,)


@pytest.fixture
def row_id(database):
    with database.transaction() as session:
        organisation = Organisation(name="St. Anna")
        session.add(organisation)
        session.flush()
        dataset = Dataset(
            organisation_id=organisation.id, name="chest", status=DatasetStatus.CHECKING
        )
        session.add(dataset)
        session.flush()
        return dataset.id


def claim(database, row_id, *, owner="a", seconds=60.0, statuses=CHECKING):
    with database.transaction() as session:
        return leases.claim(
            session, Dataset, row_id, statuses=statuses, owner=owner, seconds=seconds
        )


def read(database, row_id):
    with database.reading() as session:
        return session.get_one(Dataset, row_id)


def touched_long_ago(database, row_id):
    with database.transaction() as session:
        session.execute(
            update(Dataset)
            .where(Dataset.id == row_id)
            .values(updated_at=utc_now() - timedelta(hours=1))
        )


def test_a_held_row_is_not_given_out(database, row_id):
    assert claim(database, row_id) == 1
    assert claim(database, row_id, owner="b") is None
    assert read(database, row_id).lease_owner == "a"


def test_of_many_at_once_one_gets_it(database, row_id):
    with ThreadPoolExecutor(8) as threads:
        fences = list(threads.map(lambda n: claim(database, row_id, owner=str(n)), range(8)))

    assert sorted(fence for fence in fences if fence is not None) == [1]


def test_a_row_in_another_status_is_not_given_out(database, row_id):
    assert claim(database, row_id, statuses=(DatasetStatus.READY,)) is None


def test_an_expired_lease_goes_to_the_next_and_is_counted(database, row_id):
    first = claim(database, row_id, seconds=-1)
    second = claim(database, row_id, owner="b", seconds=-1)
    third = claim(database, row_id, owner="c")

    assert (first, second, third) == (1, 2, 3)
    assert read(database, row_id).takeovers == 2


def test_a_row_given_back_counts_no_takeover(database, row_id):
    fence = claim(database, row_id)
    with database.transaction() as session:
        leases.release(session, Dataset, row_id, fence=fence, name="renamed")

    assert claim(database, row_id, owner="b") is not None
    row = read(database, row_id)
    assert (row.takeovers, row.name) == (0, "renamed")


def test_a_row_is_given_back_once(database, row_id):
    """A commit whose reply was lost is tried again: nothing may be counted or told twice."""
    fence = claim(database, row_id)
    with database.transaction() as session:
        leases.release(session, Dataset, row_id, fence=fence, name="first")

    with pytest.raises(LeaseLost), database.transaction() as session:
        leases.release(session, Dataset, row_id, fence=fence, name="second")

    assert read(database, row_id).name == "first"


def test_a_heartbeat_keeps_the_lease(database, row_id):
    fence = claim(database, row_id, seconds=-1)
    with database.transaction() as session:
        leases.renew(session, Dataset, row_id, fence=fence, seconds=60)

    assert claim(database, row_id, owner="b") is None


@pytest.mark.parametrize("act", ["renew", "write", "release"])
def test_whoever_lost_the_lease_changes_nothing(database, row_id, act):
    old = claim(database, row_id, seconds=-1)
    claim(database, row_id, owner="b")
    before = read(database, row_id)

    calls = {
        "renew": lambda s: leases.renew(s, Dataset, row_id, fence=old, seconds=90),
        "write": lambda s: leases.write(s, Dataset, row_id, fence=old, name="mine"),
        "release": lambda s: leases.release(s, Dataset, row_id, fence=old),
    }
    with pytest.raises(LeaseLost), database.transaction() as session:
        calls[act](session)

    after = read(database, row_id)
    assert (after.name, after.lease_owner) == ("chest", "b")
    assert after.lease_expires_at == before.lease_expires_at


def test_of_several_sweepers_one_frees_an_abandoned_row(database, row_id):
    claim(database, row_id, seconds=-1)
    since = utc_now() - timedelta(seconds=30)

    def free(_):
        with database.transaction() as session:
            return leases.free(session, Dataset, row_id, statuses=CHECKING, untouched_since=since)

    with ThreadPoolExecutor(4) as threads:
        freed = list(threads.map(free, range(4)))

    assert sorted(freed) == [False, False, False, True]
    assert claim(database, row_id, owner="b") == 2
    assert read(database, row_id).takeovers == 1


def test_a_row_touched_a_moment_ago_is_not_freed(database, row_id):
    def free():
        with database.transaction() as session:
            return leases.free(
                session,
                Dataset,
                row_id,
                statuses=CHECKING,
                untouched_since=utc_now() - timedelta(seconds=30),
            )

    assert not free()
    touched_long_ago(database, row_id)
    assert free()


def test_a_held_row_is_not_freed(database, row_id):
    claim(database, row_id, seconds=60)
    touched_long_ago(database, row_id)

    with database.transaction() as session:
        assert not leases.free(
            session, Dataset, row_id, statuses=CHECKING, untouched_since=utc_now()
        )


TOMORROW = 24 * 3600.0


def test_a_lease_that_a_clock_ahead_of_time_wrote_holds_nothing(database, row_id):
    fence = claim(database, row_id, seconds=TOMORROW)
    with database.reading() as session:
        assert leases.idle(session, Dataset, CHECKING, true()) == [row_id]
        assert leases.abandoned(session, Dataset, CHECKING, true()) == [row_id]
    assert not leases.is_held_until(read(database, row_id).lease_expires_at, utc_now())

    assert claim(database, row_id, owner="b") == fence + 1
    with pytest.raises(LeaseLost), database.transaction() as session:
        leases.write(session, Dataset, row_id, fence=fence, name="mine")


def test_a_waiting_row_that_was_changed_tomorrow_has_waited_long(database, row_id):
    since = utc_now() - timedelta(seconds=30)
    with database.transaction() as session:
        session.execute(
            update(Dataset)
            .where(Dataset.id == row_id)
            .values(updated_at=utc_now() + timedelta(days=1))
        )
    with database.reading() as session:
        assert leases.waiting(session, Dataset, CHECKING, true())[row_id] < since
    with database.transaction() as session:
        assert leases.free(session, Dataset, row_id, statuses=CHECKING, untouched_since=since)


@pytest.mark.parametrize("apart", [timedelta(minutes=-3), timedelta(minutes=3), timedelta(hours=2)])
def test_clocks_of_several_machines_may_be_apart(database, row_id, monkeypatch, apart):
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite is on one machine")
    monkeypatch.setattr(leases, "utc_now", lambda: utc_now() + apart)
    claim(database, row_id)
    monkeypatch.undo()

    assert claim(database, row_id, owner="b") is None
    with database.reading() as session:
        assert leases.idle(session, Dataset, CHECKING, true()) == []
        assert leases.abandoned(session, Dataset, CHECKING, true()) == []
