"""What nobody needs is deleted after a while, in batches; logs and results never are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from app.background import retention
from app.background.retention import forget_old
from app.core.clock import utc_now
from app.core.security import Role
from app.distillations.repository import DistillationRepository
from app.models import (
    AuditEntry,
    Distillation,
    DistillationStatus,
    Event,
    EventKind,
    Forecast,
    ForecastStatus,
    Invitation,
    MailStatus,
    Notification,
)

LONG_AGO = utc_now() - timedelta(days=400)


def count(portal, model, *where):
    with portal.database.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*where))


def age(portal, model, *columns):
    with portal.database.transaction() as session:
        session.execute(update(model).values(dict.fromkeys(columns, LONG_AGO)))


def draw_chart(portal, distillation_id, points=3):
    with portal.database.transaction() as session:
        events = DistillationRepository(session).events
        for done in range(points):
            events.append(distillation_id, EventKind.PROGRESS, {"done": done})
            events.append(distillation_id, EventKind.METRIC, {"done": done})


def tell(portal, mail_status, email="grey@hospital.example"):
    with portal.database.transaction() as session:
        session.add(
            Notification(
                email=email, kind="test", title="News", text="Read it.", mail_status=mail_status
            )
        )


def forecast(portal, dataset_id, status=ForecastStatus.READY):
    with portal.database.transaction() as session:
        row = Forecast(
            organisation_id=portal.organisation_id,
            dataset_id=dataset_id,
            preset="cpu_demo",
            settings={},
            settings_hash="0" * 64,
            pace_key="1" * 64,
            status=status,
        )
        session.add(row)
    return row.id


def test_the_chart_of_a_job_goes_a_year_after_its_end_and_its_messages_stay(either_portal):
    portal = either_portal
    ended = portal.distillation(DistillationStatus.FAILED)
    runs = portal.distillation(DistillationStatus.DISTILLING)
    for distillation_id in (ended, runs):
        draw_chart(portal, distillation_id)
    stay = count(portal, Event, Event.kind == EventKind.STATUS)
    assert forget_old(portal.services) == 0

    with portal.database.transaction() as session:
        session.get_one(Distillation, ended).finished_at = LONG_AGO

    assert forget_old(portal.services) == 6
    assert count(portal, Event, Event.kind == EventKind.STATUS) == stay
    assert count(portal, Event, Event.distillation_id == runs, Event.data["done"].is_not(None)) > 0
    assert portal.steward.get(f"/distillations/{ended}").status_code == 200


def test_old_notices_go_but_for_mail_that_is_still_to_be_sent(portal):
    for status in MailStatus:
        tell(portal, status)
    age(portal, Notification, "created_at")
    tell(portal, MailStatus.SENT)

    assert forget_old(portal.services) == 3
    assert count(portal, Notification, Notification.mail_status == MailStatus.PENDING) == 1
    assert count(portal, Notification) == 2


def test_old_forecasts_go_but_for_those_that_a_distillation_shows_or_a_worker_measures(portal):
    dataset_id = portal.ready_dataset()
    shown, waiting = forecast(portal, dataset_id), forecast(portal, dataset_id, "queued")
    forecast(portal, dataset_id)
    job = portal.distillation(dataset_id=dataset_id)
    with portal.database.transaction() as session:
        session.get_one(Distillation, job).forecast_id = shown
    age(portal, Forecast, "created_at")

    assert forget_old(portal.services) == 1
    with portal.database.reading() as session:
        assert set(session.scalars(select(Forecast.id))) == {shown, waiting}


def test_old_invitations_go_once_they_can_be_used_no_more(portal):
    body = {"email": "new@hospital.example", "roles": ["researcher"]}
    assert portal.admin.post("/invitations", json=body).status_code == 201
    assert forget_old(portal.services) == 0
    age(portal, Invitation, "expires_at")

    assert forget_old(portal.services) == 1


def test_no_log_is_cut_however_old_it_is(portal):
    portal.person(portal.organisation_id, Role.ADMIN)
    entries = count(portal, AuditEntry)
    age(portal, AuditEntry, "at")

    forget_old(portal.services)

    assert count(portal, AuditEntry) == entries > 0


def test_it_is_done_in_batches_between_which_a_portal_may_stop(portal, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    for _ in range(5):
        tell(portal, MailStatus.SENT)
    age(portal, Notification, "created_at")

    assert forget_old(portal.services, go_on=lambda: False) == 0
    assert forget_old(portal.services) == 4
    assert forget_old(portal.services) == 1


@pytest.mark.parametrize(("days", "left"), [(0, 1), (401, 1), (399, 0)])
def test_the_operator_says_after_how_long(portal, days, left):
    tell(portal, MailStatus.SENT)
    age(portal, Notification, "created_at")
    settings = portal.services.settings.model_copy(update={"retention_days": days})

    forget_old(replace(portal.services, settings=settings))

    assert count(portal, Notification) == left
