"""Whatever is sent, the answer is a problem that explains itself, and nothing has changed."""

import json
import logging

import pytest

JSON = {"Content-Type": "application/json"}
UNKNOWN = "ds_" + "0" * 24


def deep(levels):
    return "[" * levels + "]" * levels


HOSTILE = {
    "no body": ("POST", "/datasets", b"", 422),
    "no JSON": ("POST", "/datasets", b"{", 422),
    "no object": ("POST", "/datasets", b"[]", 422),
    "not UTF-8": ("POST", "/datasets", b'{"name": "\xff\xfe"}', 400),
    "NUL in a name": ("POST", "/datasets", b'{"name": "a\\u0000b"}', 422),
    "escape in a name": ("POST", "/datasets", b'{"name": "\\u001b[2J"}', 422),
    "half a character": ("POST", "/datasets", b'{"name": "\\ud800"}', 422),
    "line break in a name": ("POST", "/datasets", b'{"name": "a\\nb"}', 422),
    "right-to-left override": ("POST", "/datasets", '{"name": "a\u202egnp.exe"}'.encode(), 422),
    "blank name": ("POST", "/datasets", b'{"name": "   "}', 422),
    "long name": ("POST", "/datasets", json.dumps({"name": "x" * 201}).encode(), 422),
    "name of another type": ("POST", "/datasets", b'{"name": 5}', 422),
    "mistyped field": ("POST", "/datasets", b'{"name": "a", "descripton": "b"}', 422),
    "someone else's field": ("POST", "/datasets", b'{"name": "a", "status": "ready"}', 422),
    "deep JSON": ("POST", "/datasets", deep(100_000).encode(), 400),
    "long number": ("POST", "/datasets", b'{"name": ' + b"9" * 10_000 + b"}", 400),
    "large body": ("POST", "/datasets", b"x" * 1_100_000, 413),
    "unknown dataset": ("GET", f"/datasets/{UNKNOWN}", None, 404),
    "dataset of SQL": ("GET", "/datasets/'%20OR%201=1--", None, 404),
    "dataset with NUL": ("GET", "/datasets/%00", None, 404),
    "dataset not UTF-8": ("GET", "/datasets/%ff%fe", None, 404),
    "dataset of a path": ("GET", "/datasets/..%2f..%2fetc", None, 404),
    "long dataset": ("GET", "/datasets/" + "a" * 5000, None, 404),
    "archive of no dataset": ("PUT", f"/datasets/{UNKNOWN}/archive", b"x", 404),
    "delete of no dataset": ("DELETE", f"/datasets/{UNKNOWN}", None, 404),
    "distill no dataset": ("POST", f"/datasets/{UNKNOWN}/distillations", b'{"preset":"a"}', 404),
    "unknown distillation": ("GET", "/distillations/x", None, 404),
    "events of none": ("GET", "/distillations/x/events", None, 404),
    "cancel none": ("POST", "/distillations/x/cancel", None, 404),
    "retry none": ("POST", "/distillations/x/retry", None, 404),
    "report of none": ("GET", "/distillations/x/report.json", None, 404),
    "unknown report": ("GET", "/distillations/x/report.exe", None, 404),
    "unknown address": ("GET", "/nothing", None, 404),
    "method not known here": ("PATCH", "/datasets", b"{}", 405),
    "method of another protocol": ("PROPFIND", "/datasets", None, 405),
    "limit zero": ("GET", "/datasets?limit=0", None, 422),
    "limit huge": ("GET", "/datasets?limit=100000000000000000000", None, 422),
    "limit no number": ("GET", "/datasets?limit=many", None, 422),
    "cursor of nothing": ("GET", "/datasets?cursor=", None, 422),
    "cursor of noise": ("GET", "/datasets?cursor=%00%ff", None, 422),
    "cursor of JSON": ("GET", "/datasets?cursor=WzEsMl0", None, 422),
    "cursor deep": ("GET", "/datasets?cursor=" + "W1tb" * 60, None, 422),
    "cursor long": ("GET", "/datasets?cursor=" + "A" * 2000, None, 422),
    "cursor of another type": ("GET", "/datasets?cursor=bnVsbA", None, 422),
    "dataset filter of SQL": ("GET", "/distillations?dataset_id=%27", None, 422),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_input(portal, broker, caplog, case):
    method, path, body, status = case
    headers = JSON if method == "POST" else {}

    with caplog.at_level(logging.ERROR):
        reply = portal.steward.request(method, path, content=body, headers=headers)

    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:iadd-exchange:problem:")
    assert problem["title"]
    assert len(problem["detail"]) > 20
    assert caplog.records == []
    assert portal.steward.get("/datasets").json()["items"] == []
    assert broker.messages() == []


def test_validation_names_the_field_and_does_not_repeat_what_was_sent(portal):
    reply = portal.steward.post("/datasets", json={"name": 5, "password": "hunter2"})

    assert {error["where"] for error in reply.json()["errors"]} == {"name", "password"}
    assert "hunter2" not in reply.text


def test_a_method_that_is_not_allowed_is_told_those_that_are(portal):
    reply = portal.steward.request("PATCH", "/datasets")

    assert "POST" in reply.headers["allow"]


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256])
def test_an_idempotency_key_that_cannot_be_used(portal, key):
    reply = portal.steward.post(
        "/datasets", json={"name": "a"}, headers={"Idempotency-Key": key.encode()}
    )

    assert reply.status_code == 422
    assert reply.json()["type"] == "urn:iadd-exchange:problem:idempotency-key-invalid"
    assert portal.steward.get("/datasets").json()["items"] == []


def test_a_bug_answers_with_a_number_and_no_traceback(portal_with, caplog):
    portal = portal_with()
    with portal.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE dataset RENAME COLUMN name TO nom")

    reply = portal.steward.post("/datasets", json={"name": "a patient's name"})

    assert reply.status_code == 500
    problem = reply.json()
    assert problem["type"] == "urn:iadd-exchange:problem:internal-error"
    assert problem["incident"] in problem["detail"]
    assert "sql" not in reply.text.lower()
    assert reply.headers["x-content-type-options"] == "nosniff"
    [logged] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert problem["incident"] in logged.getMessage()
    assert "a patient's name" not in caplog.text
