"""What operators see of the service as a whole, and what everybody is told of a drain."""

import re
from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.core.version import VERSION
from app.maintenance.drain import drain
from app.maintenance.portals import PortalRegistration
from app.models import BackupStatus, ScheduledBackup
from tests.fixtures.versions import minors_away


@pytest.fixture
def drained(portal):
    with portal.database.transaction() as session:
        drain(session)


@pytest.fixture
def failed_backup(portal, monkeypatch):
    """One was made yesterday, and the one of today failed."""
    settings = portal.services.settings
    monkeypatch.setitem(settings.__dict__, "backup_hours", 24.0)
    now = utc_now()
    with portal.database.transaction() as session:
        session.add(
            ScheduledBackup(
                status=BackupStatus.FAILED,
                made_at=now - timedelta(days=1),
                tried_at=now,
                size=5_000_000,
                problem="No space left on the disc of the backups.",
            )
        )


def test_portals_and_a_drain_are_told(portal, operator, drained):
    PortalRegistration(portal.database).renew()
    told = operator.get("/operations/status").json()["service"]
    assert told["version"] == VERSION
    assert told["drained_at"] is not None
    assert [found["version"] for found in told["portals"]] == [VERSION]
    assert told["backup"] is None


def test_a_worker_of_a_version_too_far_off_is_shown_with_what_to_update(operator, add_worker):
    add_worker("old", version=minors_away(-2))
    add_worker("near", version=minors_away(-1))
    add_worker("drained", refusal="drained")
    told = {one["host"]: one for one in operator.get("/operations/workers").json()["items"]}
    assert {host: one["refusal"] for host, one in told.items()} == {
        "old": "too_old",
        "near": None,
        "drained": "drained",
    }
    assert "update this worker" in told["old"]["advice"]
    assert told["near"]["advice"] is None
    queues = {one["name"]: one for one in operator.get("/operations/queues").json()["items"]}
    assert queues["gpu"]["workers"] == 1, "those that take work"


def test_the_page_shows_a_drain_a_refusal_and_a_failed_backup(
    portal, page_of, add_worker, drained, failed_backup
):
    add_worker("old", version=minors_away(-2))
    page = page_of(Role.OPERATOR, "/operations")
    assert "The service is drained since" in page
    assert ">too old<" in page
    assert "update this worker" in page
    assert "The last backup failed" in page
    assert "No space left on the disc of the backups." in page
    assert "Last good backup (5 MB)" in page


def test_everybody_is_told_that_jobs_wait(portal, page_of, drained):
    dataset_id = portal.ready_dataset()
    assert "The service is being updated since" in page_of(Role.STEWARD, f"/datasets/{dataset_id}")
    assert portal.steward.get("/session").json()["drained_at"] is not None


def test_nobody_is_told_so_otherwise(portal, page_of):
    assert "The service is being updated" not in page_of(Role.STEWARD, "/datasets")
    assert portal.steward.get("/session").json()["drained_at"] is None


def test_the_command_says_so_too(portal, exchange, drained):
    said = exchange(portal.steward, "status")
    assert said.exit_code == 0, said.output
    assert "The service is being updated since" in said.output


def test_metrics_have_the_age_of_the_last_good_backup_and_ready_stays_ready(
    portal, drained, failed_backup
):
    metrics = portal.client.get("/metrics").text
    [age] = re.findall(r"^exchange_backup_age_seconds (\S+)", metrics, re.MULTILINE)
    assert 86_000 < float(age) < 88_000
    assert "exchange_backup_failed 1.0" in metrics
    assert "exchange_drained 1.0" in metrics
    assert portal.client.get("/readyz").status_code == 200


@pytest.fixture
def page_of(portal):
    """`page_of(role, address)` opens a page as somebody of this role."""

    def open_page(role, address):
        email = f"{role.value}@st-anna.example"
        portal.account(role, email=email)
        browser = portal.browser()
        browser.sign_in(email)
        return browser.client.get(address).text

    return open_page
