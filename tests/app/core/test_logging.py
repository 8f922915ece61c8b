"""What an operator reads of an error, and what nobody may read there."""

import contextlib
import logging
import sys

import httpx
import pytest

from app.core.logging import DiscreetFormatter
from tests.fixtures.portal_process import portal_process
from tests.fixtures.ports import free_ports


def read_file(name):
    raise FileNotFoundError(f"no such file: {name}")


def read_archive(name):
    try:
        read_file(name)
    except FileNotFoundError as error:
        raise RuntimeError(f"{name} is damaged") from error


@pytest.fixture
def logged():
    name = "^".join(["DOE", "JANE"])  # in pieces, since a traceback quotes the lines of its source
    try:
        read_archive(name)
    except RuntimeError:
        record = logging.LogRecord(
            "worker", logging.ERROR, __file__, 1, "%s: failed", ("ds_1",), sys.exc_info()
        )
    return DiscreetFormatter().format(record)


def test_an_error_is_told_by_kind_and_place(logged):
    assert logged.startswith("ds_1: failed\n")
    assert "in read_file" in logged
    assert "in read_archive" in logged
    assert logged.index("builtins.FileNotFoundError") < logged.index("builtins.RuntimeError")


def test_the_text_of_an_error_is_not_told(logged):
    assert "DOE^JANE" not in logged


def test_what_somebody_looks_for_is_in_no_line(portal, tmp_path, wait_until):
    [port] = free_ports(1)
    log = tmp_path / "portal.log"

    def answers():
        with contextlib.suppress(httpx.TransportError):  # it starts, perhaps slowly
            return httpx.get(f"http://127.0.0.1:{port}/glossary?q=Jane+Doe").is_success

    with portal_process(portal, port, log):
        wait_until(answers, "the portal answers", seconds=60)
        wait_until(lambda: "/glossary" in log.read_text(), "its log tells the request")
    assert "Doe" not in log.read_text()
