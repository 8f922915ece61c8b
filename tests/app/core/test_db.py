"""Sessions: many writers, readers beside them, times with a zone, messages after the commit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select, text, update

from app.core.db import Database
from app.core.queue import Queue, Task, enqueue_after_commit
from app.models import Organisation


class Recorder:
    def __init__(self):
        self.sent = []

    def send(self, task, *ids):
        self.sent.append((task, ids))

    def waiting(self, queue: Queue):
        return len(self.sent)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def recorded(database, migrated_url, recorder):
    database = Database(migrated_url, recorder)
    yield database
    database.close()


def test_many_writers_that_read_first_lose_nothing(database):
    """With SQLite's deferred BEGIN most of these fail with "database is locked" at once."""
    with database.transaction() as session:
        session.add(Organisation(id="org", name="0"))

    def count_up(_):
        for _ in range(25):
            with database.transaction() as session:
                row = session.scalars(
                    select(Organisation).where(Organisation.id == "org").with_for_update()
                ).one()
                row.name = str(int(row.name) + 1)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(count_up, range(6)))

    with database.reading() as session:
        assert session.get_one(Organisation, "org").name == "150"


def test_a_reader_does_not_wait_for_a_writer(database):
    with database.transaction() as session:
        session.add(Organisation(id="org", name="before"))
    read = []

    def look():
        with database.reading() as session:
            read.append(session.get_one(Organisation, "org").name)

    with database.transaction() as session:
        session.execute(update(Organisation).values(name="after"))
        reader = threading.Thread(target=look)
        reader.start()
        reader.join(timeout=5)

    assert read == ["before"]


def test_reading_commits_nothing(database):
    with database.reading() as session:
        session.add(Organisation(name="never"))
        session.flush()

    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Organisation)) == 0


def test_a_reader_sees_one_moment_of_what_changes_meanwhile(database):
    def count(session):
        return session.scalar(select(func.count()).select_from(Organisation))

    with database.reading() as session:
        before = count(session)
        with database.transaction() as other:
            other.add(Organisation(name="St. Anna"))
        assert count(session) == before
    with database.reading() as session:
        assert count(session) == before + 1


def test_sqlite_is_set_up_for_several_processes(sqlite_url):
    database = Database(sqlite_url)
    with database.reading() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA busy_timeout")) == 30_000
    database.close()


def test_a_time_comes_back_in_utc(database):
    there = timezone(timedelta(hours=9))
    with database.transaction() as session:
        session.add(Organisation(id="org", name="x", created_at=datetime(2026, 1, 1, tzinfo=there)))

    with database.reading() as session:
        stored = session.get_one(Organisation, "org").created_at
    assert stored == datetime(2025, 12, 31, 15, tzinfo=UTC)
    assert stored.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(database):
    with pytest.raises(Exception, match="without a zone"), database.transaction() as session:
        session.add(Organisation(name="x", created_at=datetime(2026, 1, 1)))


def test_a_message_leaves_after_the_commit(recorded, recorder):
    with recorded.transaction() as session:
        session.add(Organisation(name="x"))
        enqueue_after_commit(session, Task.DISTILL, "dl_1")
        session.flush()
        assert recorder.sent == []

    assert recorder.sent == [(Task.DISTILL, ("dl_1",))]


def test_a_message_of_a_failed_transaction_never_leaves(recorded, recorder):
    def fail():
        with recorded.transaction() as session:
            session.add(Organisation(name="x"))
            enqueue_after_commit(session, Task.DISTILL, "dl_1")
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with recorded.transaction() as session:
        session.add(Organisation(name="y"))
    assert recorder.sent == []


def test_a_savepoint_sends_nothing_and_takes_along_only_its_own(recorded, recorder):
    def fail(session):
        with session.begin_nested():
            with session.begin_nested():
                enqueue_after_commit(session, Task.DISTILL, "inner")
            enqueue_after_commit(session, Task.DISTILL, "fallen")
            raise ZeroDivisionError

    with recorded.transaction() as session:
        enqueue_after_commit(session, Task.DISTILL, "outer")
        with session.begin_nested():
            session.add(Organisation(name="x"))
            enqueue_after_commit(session, Task.DISTILL, "saved")
        assert recorder.sent == []
        with pytest.raises(ZeroDivisionError):
            fail(session)
        assert recorder.sent == []

    assert recorder.sent == [(Task.DISTILL, ("outer",)), (Task.DISTILL, ("saved",))]


def test_an_errors_text_holds_no_parameters(database):
    with pytest.raises(Exception, match="nowhere") as caught, database.transaction() as session:
        session.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "a patient"})

    assert "a patient" not in str(caught.value)
