"""The check of an archive is cancelled: at once where it waits, soon where a worker has it."""

import pytest

from app.background.sweeper import finish_cancelling
from app.core.security import Role
from app.datasets.repository import DatasetRepository
from app.models import Dataset, DatasetStatus


def claim(portal, dataset_id, seconds=60):
    with portal.database.transaction() as session:
        return DatasetRepository(session).claim(dataset_id, owner="worker", seconds=seconds)


def cancel(portal, dataset_id):
    reply = portal.steward.post(f"/datasets/{dataset_id}/check/cancel")
    assert reply.status_code == 202, reply.text
    return reply.json()


def test_one_that_waits_ends_at_once_and_keeps_its_archive(portal):
    dataset_id = portal.uploaded_dataset()

    row = cancel(portal, dataset_id)

    assert row["status"] == "rejected"
    assert row["problem"]["type"].endswith(":check-cancelled")
    assert portal.stored(f"datasets/{dataset_id}")
    [entry] = portal.admin.get("/audit?action=dataset.check_cancelled").json()["items"]
    assert entry["subject"] == dataset_id
    assert claim(portal, dataset_id) is None

    again = portal.steward.post(f"/datasets/{dataset_id}/check")
    assert again.status_code == 202
    assert (again.json()["status"], again.json()["problem"]) == ("checking", None)
    assert claim(portal, dataset_id) is not None


def test_a_cancelled_one_takes_another_archive_and_can_be_deleted(portal):
    first, second = portal.uploaded_dataset(), portal.uploaded_dataset()
    cancel(portal, first)
    cancel(portal, second)

    sent = portal.steward.put(f"/datasets/{first}/archive", content=b"another")

    assert sent.json()["status"] == "checking"
    assert portal.steward.delete(f"/datasets/{second}").status_code == 204


def test_one_that_a_worker_has_is_asked_for(portal):
    dataset_id = portal.uploaded_dataset()
    claim(portal, dataset_id)

    assert cancel(portal, dataset_id)["status"] == "checking"

    with portal.database.reading() as session:
        assert DatasetRepository(session).cancel_requested(dataset_id)
    finish_cancelling(portal.services)
    assert portal.dataset_status(dataset_id) == DatasetStatus.CHECKING


def test_where_its_worker_died_the_sweeper_ends_it(portal):
    dataset_id = portal.uploaded_dataset()
    claim(portal, dataset_id)
    cancel(portal, dataset_id)
    with portal.database.transaction() as session:
        session.get_one(Dataset, dataset_id).lease_expires_at = None

    finish_cancelling(portal.services)

    assert portal.dataset_status(dataset_id) == DatasetStatus.REJECTED


def test_an_end_that_came_first_stands_and_the_wish_is_over(portal):
    dataset_id = portal.uploaded_dataset()
    fence = claim(portal, dataset_id)
    cancel(portal, dataset_id)
    with portal.database.transaction() as session:
        DatasetRepository(session).mark_rejected(dataset_id, fence=fence, problem={"status": 422})

    with portal.database.reading() as session:
        assert not DatasetRepository(session).cancel_requested(dataset_id)


@pytest.mark.parametrize("state", ["new_dataset", "ready_dataset", "rejected_dataset"])
def test_there_may_be_nothing_to_cancel(portal, state):
    dataset_id = getattr(portal, state)()

    reply = portal.steward.post(f"/datasets/{dataset_id}/check/cancel")

    assert reply.status_code == 409
    assert reply.json()["type"].endswith(":nothing-to-cancel")


def test_on_its_page(portal):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    dataset_id = portal.uploaded_dataset()
    page = browser.client.get(f"/datasets/{dataset_id}", headers={"Accept": "text/html"})
    assert f'action="/datasets/{dataset_id}/check/cancel"' in page.text
    cancel(portal, dataset_id)
    page = browser.client.get(f"/datasets/{dataset_id}", headers={"Accept": "text/html"})
    assert "The check was cancelled" in page.text
    assert f'action="/datasets/{dataset_id}/check"' in page.text


def test_by_the_client_and_the_command(portal, client_of, exchange):
    first, second = portal.uploaded_dataset(), portal.uploaded_dataset()

    assert client_of(portal.steward).datasets.cancel_check(first).status == "rejected"
    assert client_of(portal.steward).datasets.check_again(first).status == "checking"
    done = exchange(portal.steward, "cancel", second)

    assert done.exit_code == 0, done.output
    assert portal.dataset_status(second) == DatasetStatus.REJECTED
