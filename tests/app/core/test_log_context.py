"""Ids in the log: of the request or job within which a line is written, and of no other."""

import json
import logging
import re
import threading
from contextvars import copy_context

import httpx
import pytest

from app.core.log_context import add_to_log, log_context
from app.core.logging import JsonFormatter
from app.core.security import Role
from tests.fixtures.portal_process import portal_process
from tests.fixtures.ports import free_ports


def line(message="%s: done", *arguments, **more):
    record = logging.LogRecord("worker", logging.INFO, __file__, 1, message, arguments, None)
    return json.loads(JsonFormatter().format(record, **more))


def test_a_line_carries_the_ids_of_the_block_that_it_is_written_in():
    with log_context(job_id="dl_1", organisation_id=None):
        with log_context(task="distill"):
            inner = line("%s: done", "dl_1")
        outer = line("%s: done", "dl_1")

    assert (inner["message"], inner["job_id"], inner["task"]) == ("dl_1: done", "dl_1", "distill")
    assert "task" not in outer
    assert "organisation_id" not in inner
    assert "job_id" not in line("nothing")


def test_what_a_thread_of_a_request_finds_out_is_known_to_the_others():
    with log_context(request_id="rq_1"):
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(add_to_log,), kwargs={"job_id": "ds_1"})
        thread.start()
        thread.join()
        assert line("sent")["job_id"] == "ds_1"

    add_to_log(job_id="ds_2")
    assert "job_id" not in line("sent")


def test_no_other_field_gets_into_a_line():
    with pytest.raises(AssertionError, match="file_name"), log_context(file_name="Doe.dcm"):
        pass


def test_each_line_is_one_object_whatever_its_text():
    text = 'two\nlines, "quoted", \x1b[31m \ud800'.encode("utf-8", "replace").decode()

    formatted = JsonFormatter().format(
        logging.LogRecord("portal", logging.INFO, __file__, 1, text, (), None)
    )

    assert "\n" not in formatted
    assert json.loads(formatted)["message"] == text


def test_a_portal_logs_the_ids_of_request_organisation_and_job(portal, tmp_path, wait_until):
    person = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Grey")
    dataset_id = portal.ready_dataset()
    [port] = free_ports(1)
    log = tmp_path / "portal.log"
    headers = {"Authorization": f"Bearer {person.token}", "X-Request-ID": "Jane Doe"}

    def answers():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
        except httpx.TransportError:  # it does not listen yet, or has not begun to answer
            return False

    with portal_process(portal, port, log, EXCHANGE_LOG_FORMAT="json"):
        wait_until(answers, "the portal answers", seconds=60)
        reply = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/datasets/{dataset_id}/distillations",
            headers=headers,
            json={"preset": "cpu_demo"},
            timeout=60,
        )
        assert reply.status_code == 202, reply.text
        request_id = reply.headers["X-Request-ID"]
        wait_until(lambda: request_id in log.read_text(), "the request is logged")

    lines = [json.loads(each) for each in log.read_text().splitlines()]
    same = [each for each in lines if each.get("request_id") == request_id]
    assert re.fullmatch("rq_[0-9a-f]{24}", request_id)
    assert {each["organisation_id"] for each in same} == {portal.organisation_id}
    job_id = reply.json()["id"]
    assert [each["task"] for each in same if each.get("job_id") == job_id] == ["start_distillation"]
    for word in ("Doe", "Grey", person.token, "chest"):
        assert word not in log.read_text()
