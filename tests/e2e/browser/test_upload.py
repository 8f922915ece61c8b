"""An upload over a bad line: a reload, a pause and a portal that is killed lose nothing."""

import hashlib
import os
import random
import re
import signal
import zipfile

import pytest

pytestmark = pytest.mark.browser

MEGABYTE = 1_000_000
SENT = re.compile(r"([\d.]+) (k?M?B) of")


@pytest.fixture(scope="module")
def heavy(tmp_path_factory, archive):
    """An archive of 24 MB, nearly all of it a file that is no picture."""
    path = tmp_path_factory.mktemp("archive") / "ward.zip"
    path.write_bytes(archive)
    with zipfile.ZipFile(path, "a") as written:
        written.writestr("set/COVID/raw.bin", random.Random(5).randbytes(24 * MEGABYTE))
    return path


def slow_down(page, bytes_a_second):
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 0,
            "downloadThroughput": -1,
            "uploadThroughput": bytes_a_second,
        },
    )


def megabytes_sent(page):
    told = SENT.search(page.locator("[data-part=size]").text_content() or "")
    if told is None:
        return 0.0
    return float(told[1]) * {"B": 1e-6, "kB": 1e-3, "MB": 1.0}[told[2]]


@pytest.mark.timeout(1200)
def test_a_reload_and_a_killed_portal_lose_nothing(
    make_service, desk, found, hire, heavy, wait_until
):
    service = make_service()
    found(service, "St. Anna")
    steward = desk(service, hire(service, "St. Anna", "Dr. Slow", "steward"))
    page = steward.open("/datasets/new")
    page.get_by_label("Name", exact=True).fill("Ward, over a bad line")
    page.get_by_role("button", name="Create and choose archive").click()
    page.wait_for_url("**/datasets/ds_*")
    dataset_id = page.url.rpartition("/")[2]

    slow_down(page, 3 * MEGABYTE)
    page.get_by_label("Drop one archive here, or choose it").set_input_files(heavy)
    wait_until(lambda: megabytes_sent(page) > 8, "some megabytes have gone")

    # The page is loaded again in the middle: the person is asked for the same file.
    page.reload()
    page.locator("[data-part=again]", has_text="Choose the same file again").wait_for()
    [unfinished] = steward.context.request.get(service.url + "/api/v1/uploads").json()["items"]
    assert unfinished["offset"] > 0
    slow_down(page, 3 * MEGABYTE)
    page.get_by_label("Drop one archive here, or choose it").set_input_files(heavy)
    wait_until(
        lambda: megabytes_sent(page) >= unfinished["offset"] / MEGABYTE - 0.1,
        "it goes on where it was",
    )
    wait_until(lambda: megabytes_sent(page) > 14, "more has gone")

    # The portal dies without a word, and another one takes its place.
    os.kill(service.pid_of("-m app.cli portal"), signal.SIGKILL)
    page.get_by_text(re.compile("No connection|Trying again")).first.wait_for(timeout=60_000)

    page.get_by_role("link", name="Distill this dataset").first.wait_for(timeout=400_000)
    row = steward.context.request.get(f"{service.url}/api/v1/datasets/{dataset_id}").json()
    assert row["sha256"] == hashlib.sha256(heavy.read_bytes()).hexdigest()
    assert row["status"] == "ready"


@pytest.mark.timeout(900)
def test_an_upload_that_is_paused_goes_on_and_one_that_is_cancelled_leaves_nothing(
    service, desk, found, hire, heavy, wait_until
):
    found(service, "St. Pause")
    steward = desk(service, hire(service, "St. Pause", "Dr. Patient", "steward"))
    page = steward.open("/datasets/new")
    page.get_by_label("Name", exact=True).fill("Ward")
    page.get_by_role("button", name="Create and choose archive").click()
    page.wait_for_url("**/datasets/ds_*")
    slow_down(page, 3 * MEGABYTE)
    page.get_by_label("Drop one archive here, or choose it").set_input_files(heavy)
    wait_until(lambda: megabytes_sent(page) > 4, "some megabytes have gone")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused. What has arrived is kept.").first.wait_for()
    page.get_by_role("button", name="Resume", exact=True).click()
    wait_until(lambda: megabytes_sent(page) > 8, "more has gone")
    page.get_by_role("button", name="Cancel the upload").click()
    page.get_by_role("button", name="Cancel and remove").click()
    page.get_by_text("What had arrived was removed.").first.wait_for()
    assert steward.context.request.get(service.url + "/api/v1/uploads").json()["items"] == []
