"""What a clock that ran ahead left behind does no harm once the clock is right again."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.audit.export import verify_export
from app.background.sweeper import finish_cancelling
from app.core.clock import utc_now
from app.core.security import Role
from app.maintenance.workers import seen_workers
from app.models import DistillationStatus
from app.models.notification import MailStatus, Notification
from app.models.user import User
from app.models.worker_process import WorkerProcess
from app.notifications.repository import NotificationRepository
from app.organisations.keys import service as keys
from app.signing.verify import verify_bundle
from tests.fixtures.clients import PASSWORD

TOMORROW = timedelta(days=1)
GOOD = 0


@pytest.fixture
def rotated_tomorrow(portal, monkeypatch):
    monkeypatch.setattr(keys, "utc_now", lambda: utc_now() + TOMORROW)
    assert portal.admin.post("/organisations/mine/keys", json={}).status_code == 201
    monkeypatch.undo()


def test_a_job_held_until_tomorrow_is_cancelled_and_deleted(portal):
    distillation_id = portal.distillation(DistillationStatus.DISTILLING)
    portal.claim(distillation_id, seconds=TOMORROW.total_seconds())

    assert portal.steward.post(f"/distillations/{distillation_id}/cancel").status_code == 202
    finish_cancelling(portal.services)

    assert portal.row(distillation_id).status == DistillationStatus.CANCELLED
    assert portal.steward.delete(f"/distillations/{distillation_id}").status_code == 204


def test_a_key_of_tomorrow_signs_logs_that_hold(portal, rotated_tomorrow, tmp_path):
    export = tmp_path / "audit.jsonl"
    export.write_bytes(portal.admin.get("/audit/export").content)

    found = verify_export(export)

    assert found.exit_code == GOOD, found.lines


def test_a_key_of_tomorrow_signs_releases_that_hold(portal, rotated_tomorrow, tmp_path):
    release = portal.release()
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(portal.steward.get(f"/releases/{release['id']}/bundle").content)

    assert verify_bundle(bundle).exit_code == GOOD


def test_a_mail_put_off_to_next_week_leaves_now(portal):
    person = portal.account(Role.STEWARD)
    with portal.database.transaction() as session:
        row = Notification(
            user_id=person,
            kind="test",
            title="A notice",
            text="Some words.",
            email="grey@st-anna.example",
            mail_status=MailStatus.PENDING,
            next_try_at=utc_now() + timedelta(days=7),
        )
        session.add(row)
    with portal.database.reading() as session:
        assert row.id in NotificationRepository(session).due(utc_now())


def test_an_account_locked_until_next_year_opens(portal):
    person = portal.account(Role.STEWARD)
    with portal.database.transaction() as session:
        locked = {"locked_until": utc_now() + timedelta(days=365)}
        session.execute(update(User).where(User.id == person).values(locked))

    browser = portal.browser()
    reply = browser.client.post(
        "/api/v1/session", json={"email": "grey@st-anna.example", "password": PASSWORD}
    )

    assert reply.status_code == 201, reply.text


def test_a_worker_seen_tomorrow_does_not_live(portal, add_worker):
    worker_id = add_worker(seen_at=utc_now() + TOMORROW)
    with portal.database.reading() as session:
        assert session.scalars(select(WorkerProcess.id)).all() == [worker_id]
        assert list(seen_workers(session, utc_now() - TOMORROW)) == []
