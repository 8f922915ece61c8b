"""Commands that are interrupted or killed, and go on."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def start(tmp_path):
    """`start(member, url, "download", …)` runs a command in a process of its own."""
    started = []

    def run(member, url, *arguments):
        environment = {
            **os.environ,
            "EXCHANGE_TOKEN": member.token,
            "EXCHANGE_PORTAL_URL": url,
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "PYTHONPATH": str(Path(__file__).parents[4]),
        }
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # A shell's background jobs ignore it, and so would what they start.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_download_that_was_stopped_goes_on(
    start, portal, granted, proxy, tmp_path, number, wait_until
):
    content = portal.storage.get(f"releases/{granted['id']}/bundle.zip")
    part = tmp_path / f"{granted['id']}.zip.part"
    proxy.next(proxy.whole, proxy.stall_after(2000))
    process = start(portal.recipient, proxy.url, "download", granted["id"])
    assert proxy.stalled.wait(timeout=20)
    wait_until(lambda: part.is_file() and part.stat().st_size == 2000, "2000 bytes have arrived")

    process.send_signal(number)
    _, told = process.communicate(timeout=20)

    assert process.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert "Run the same command again" in told
        assert "Traceback" not in told
    assert part.read_bytes() == content[:2000]
    again = start(portal.recipient, proxy.url, "download", granted["id"])
    out, told = again.communicate(timeout=30)
    assert again.returncode == 0, told
    assert Path(tmp_path / out.strip()).read_bytes() == content
    assert [headers.get("range") for _, path, headers in proxy.requests if "bundle" in path] == [
        None,
        "bytes=2000-",
    ]
    assert not part.exists()
    assert portal.steward.get(f"/releases/{granted['id']}").json()["downloads"] == 1


def test_who_stops_waiting_is_told_that_the_job_goes_on(start, portal, proxy, wait_until):
    dataset_id = portal.ready_dataset()
    process = start(portal.steward, proxy.url, "distill", dataset_id, "--preset", "cpu_demo")
    wait_until(lambda: len(proxy.requests) > 2, "it waits")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    [row] = portal.steward.get("/distillations").json()["items"]
    assert process.returncode == 130
    assert f"exchange status {row['id']} --follow" in told
    assert row["status"] == "queued"


def offsets_of(proxy):
    return [
        int(headers["upload-offset"]) for method, _, headers in proxy.requests if method == "PATCH"
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_upload_that_was_stopped_goes_on(start, portal, proxy, tmp_path, number, wait_until):
    content = random.Random(4).randbytes(600_000)
    (tmp_path / "chest.zip").write_bytes(content)

    def hand_on_a_part(proxy, handler, headers):
        """The portal gets 250,000 bytes of it; the rest stays on the way."""
        part = handler.rfile.read(250_000)
        known = {name: value for name, value in headers.items() if name != "host"}
        proxy.portal.request(
            "PATCH", handler.path, content=part, headers={**known, "content-length": "250000"}
        )
        proxy.wait()
        handler.close_connection = True

    proxy.next(proxy.whole, proxy.whole, proxy.whole, hand_on_a_part)
    process = start(portal.steward, proxy.url, "upload", "chest.zip", "--no-wait")
    assert proxy.stalled.wait(timeout=30)

    process.send_signal(number)
    _, told = process.communicate(timeout=30)

    assert process.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert "Run the same command again" in told
        assert "Traceback" not in told
    [dataset] = portal.steward.get("/datasets").json()["items"]
    assert dataset["status"] == "awaiting_upload"
    assert offsets_of(proxy) == [0]
    again = start(portal.steward, proxy.url, "upload", "chest.zip", "--no-wait")
    out, told = again.communicate(timeout=60)
    assert again.returncode == 0, told
    assert out.strip() == dataset["id"]
    assert offsets_of(proxy) == [0, 250_000]
    [arrived] = portal.steward.get("/datasets").json()["items"]
    assert arrived["sha256"] == hashlib.sha256(content).hexdigest()
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
