"""The name of an uploaded file, which may name a patient, is gone when its upload is over."""

import base64

import pytest

from app.background.sweeper import sweep
from app.core.clock import utc_now
from app.models import Upload
from tests.fixtures.database import all_rows

NAME = "chest x-rays.zip"


def rows_with_the_name(portal):
    """Tables with a row that holds the name of `begin`'s file, plain or as it was sent."""
    sent = base64.b64encode(NAME.encode()).decode()
    return {
        table.name
        for table, rows in all_rows(portal.database)
        if any(NAME in str(row) or sent in str(row) for row in rows)
    }


def arrive(portal, sending, dataset_id):
    assert sending.patch(0, b"0123").status_code == 204


def end(portal, sending, dataset_id):
    assert sending.patch(0, b"01").status_code == 204
    headers = {"Tus-Resumable": "1.0.0"}
    assert portal.steward.delete(f"/uploads/{sending.id}", headers=headers).status_code == 204


def expire(portal, sending, dataset_id):
    with portal.database.transaction() as session:
        session.get(Upload, sending.id).expires_at = utc_now()
    sweep(portal.services)


def delete_dataset(portal, sending, dataset_id):
    assert portal.steward.delete(f"/datasets/{dataset_id}").status_code == 204


def outrun(portal, sending, dataset_id):
    assert portal.steward.put(f"/datasets/{dataset_id}/archive", content=b"x").status_code == 202


@pytest.mark.parametrize("over", [arrive, end, expire, delete_dataset, outrun])
def test_no_row_holds_it_any_more(portal, begin, over):
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 4, Idempotency_Key="once")
    assert rows_with_the_name(portal) == {"upload"}

    over(portal, sending, dataset_id)

    assert rows_with_the_name(portal) == set()


def test_until_then_the_list_and_a_repeated_request_tell_it(portal, begin):
    dataset_id = portal.new_dataset()
    first = begin(portal.steward, dataset_id, 4, Idempotency_Key="once")
    again = begin(portal.steward, dataset_id, 4, Idempotency_Key="once")

    assert first.id == again.id
    assert again.reply.json()["filename"] == NAME
    assert [row["filename"] for row in portal.steward.get("/uploads").json()["items"]] == [NAME]


def test_an_archive_that_has_arrived_still_tells_whose_it_is(portal, begin):
    dataset_id = portal.new_dataset()
    sending = begin(portal.steward, dataset_id, 4)
    sending.patch(0, b"0123")

    encoded = base64.b64encode(dataset_id.encode()).decode()
    assert sending.head().headers["Upload-Metadata"] == f"dataset_id {encoded}"
