"""A database that does not answer is said to whoever asks, and asked again by clients."""

import contextlib
import logging
import sqlite3
from datetime import timedelta

import pytest
from kombu.exceptions import OperationalError as BrokerError
from obstore.exceptions import GenericError
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.core.outages import is_outage
from app.models import Distillation


def no_such_column():
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("SELECT x")
        except sqlite3.OperationalError as error:
            return error


@pytest.fixture
def locked(portal):
    """`with locked():` another program writes, and the portal waits no longer than a moment."""
    engine = portal.database.engine
    if engine.dialect.name != "sqlite":
        pytest.skip("SQLite locks the whole database")

    def wait_a_moment(connection, *_):
        connection.execute("PRAGMA busy_timeout = 20")

    @contextlib.contextmanager
    def lock():
        event.listen(engine, "checkout", wait_a_moment)
        with contextlib.closing(sqlite3.connect(engine.url.database)) as other:
            other.isolation_level = None
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        event.remove(engine, "checkout", wait_a_moment)
        engine.dispose()  # its connections would go on waiting no longer than a moment

    return lock


def test_a_locked_database_is_said_and_can_be_read(portal, locked):
    portal.steward.get("/datasets")  # notes the use of its token
    with locked():
        refused = portal.steward.post("/datasets", json={"name": "chest"})
        read = portal.steward.get("/datasets")
    after = portal.steward.post("/datasets", json={"name": "chest"})

    assert refused.status_code == 503, refused.text
    assert refused.json()["type"].endswith(":storage-unavailable")
    assert refused.headers["Retry-After"] == "2"
    assert "Try again" in refused.json()["detail"]
    assert read.status_code == 200
    assert after.status_code == 201


def let_an_hour_pass(portal):
    with portal.database.transaction() as session:
        session.execute(update(Distillation).values(updated_at=utc_now() - timedelta(hours=1)))


def test_a_broker_that_refuses_messages_costs_no_request(portal, broker, caplog):
    dataset_id = portal.ready_dataset()
    broker.lose_messages()
    with broker.full():
        started = portal.steward.post(
            f"/datasets/{dataset_id}/distillations", json={"preset": "cpu_demo"}
        )
        let_an_hour_pass(portal)
        assert sweep(portal.services) is True

    assert started.status_code == 202
    assert "waits for the sweeper" in caplog.text
    assert not [one for one in caplog.records if one.levelno > logging.WARNING]
    let_an_hour_pass(portal)
    assert sweep(portal.services) is True
    assert broker.messages() == [("cpu", "start_distillation", started.json()["id"])]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BrokerError("MISCONF Errors writing to the AOF file"), True),
        (OperationalError("SELECT 1", None, Exception()), True),
        (OperationalError("SELECT x", None, no_such_column()), False),
        (GenericError("error sending request"), True),
        (OSError(30, "Read-only file system"), True),
        (KeyError("name"), False),
        (FileNotFoundError(2, "No such file"), False),
    ],
)
def test_what_an_outage_is(error, expected):
    assert is_outage(error) is expected
    wrapper = RuntimeError("while storing")
    wrapper.__cause__ = error
    assert is_outage(wrapper) is expected
