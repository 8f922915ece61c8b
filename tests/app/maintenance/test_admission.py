"""Which versions work together, and what a database of another one means."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core.clock import utc_now
from app.core.db import Database
from app.core.version import VERSION, is_older, work_together
from app.maintenance.admission import Refusal, refusal, refusal_at_start, refusal_of
from app.maintenance.drain import drain, drained_since, resume
from app.migrations import SchemaFit, SchemaTooNew, fit_of, upgrade
from app.models import PortalProcess
from tests.fixtures.versions import minors_away


@pytest.mark.parametrize(
    ("one", "other", "fits"),
    [
        ("0.3.0", "0.3.9", True),
        ("0.3.0", "0.4.0", True),
        ("0.4.0.dev1", "0.3.2", True),
        ("0.3.0", "0.5.0", False),
        ("0.9.0", "0.10.0", True),
        ("1.3.0", "2.3.0", False),
        ("0.3.0", "nightly", False),
    ],
)
def test_neighbouring_minor_versions_work_together(one: str, other: str, fits: bool) -> None:
    assert work_together(one, other) is fits
    assert work_together(other, one) is fits
    assert not (is_older(one, other) and is_older(other, one))


def test_a_worker_says_which_of_the_two_is_to_be_updated() -> None:
    assert refusal_of("0.3.0", "0.5.0") == Refusal.TOO_OLD
    assert refusal_of("0.5.0", "0.3.0") == Refusal.TOO_NEW
    assert refusal_of("0.3.0", None) is None, "no portal lives that could be of another version"


def test_the_newest_portal_that_lives_counts(database: Database) -> None:
    now = utc_now()
    seen = {
        "old": (minors_away(-2), now),
        "present": (VERSION, now),
        "dead": (minors_away(+2), now - timedelta(minutes=5)),
    }
    with database.transaction() as session:
        for name, (version, seen_at) in seen.items():
            session.add(PortalProcess(id=name, version=version, started_at=now, seen_at=seen_at))
    with database.reading() as session:
        assert refusal(session) is None
    with database.transaction() as session:
        session.get_one(PortalProcess, "dead").seen_at = now
    with database.reading() as session:
        assert refusal(session) == Refusal.TOO_OLD


def test_the_mark_is_set_once_and_taken_back(database: Database) -> None:
    with database.transaction() as session:
        drain(session)
    with database.transaction() as session:
        since = drained_since(session)
        drain(session)
        assert refusal(session) == Refusal.DRAINED
    with database.transaction() as session:
        assert drained_since(session) == since
        resume(session)
    with database.reading() as session:
        assert refusal(session) is None


@pytest.mark.parametrize(
    ("step", "fit", "reason"), [(1, SchemaFit.NEXT, None), (2, SchemaFit.NEWER, "new_schema")]
)
def test_the_schema_of_the_next_version_fits_and_that_of_a_later_one_is_refused(
    empty_database: Database, step: int, fit: SchemaFit, reason: str | None
) -> None:
    assert fit_of(empty_database.engine) == SchemaFit.OLDER
    upgrade(empty_database.engine)
    assert fit_of(empty_database.engine) == SchemaFit.CURRENT
    later = {"version": minors_away(step), "revision": "9999"}
    with empty_database.transaction() as session:
        session.execute(text("UPDATE service_state SET version = :version"), later)
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), later)

    assert fit_of(empty_database.engine) == fit
    assert refusal_at_start(empty_database) == reason
    if fit == SchemaFit.NEXT:
        upgrade(empty_database.engine)  # leaves it as it is
    else:
        with pytest.raises(SchemaTooNew, match=f"belongs to version {later['version']}"):
            upgrade(empty_database.engine)
    with empty_database.reading() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
