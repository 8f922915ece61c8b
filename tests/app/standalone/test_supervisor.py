"""The supervisor with real processes: small Python programs that sleep, die or refuse to die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.standalone import supervisor as supervisor_module
from app.standalone.supervisor import ChildSpec, Supervisor, SupervisorError
from tests.fixtures.waiting import wait_until

SLEEP = "import time; time.sleep(60)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
FORKING = """
import os, time
if os.fork() == 0:
    print("fork", os.getpid(), flush=True)
time.sleep(60)
"""


def spec(name: str, program: str, **changes: object) -> ChildSpec:
    values: dict[str, object] = {
        "name": name,
        "command": [sys.executable, "-c", program],
        "environment": dict(os.environ),
        "order": 0,
        **changes,
    }
    return ChildSpec(**values)  # type: ignore[arg-type]  # a test's shorthand


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor([spec("sleeper", SLEEP)], log_dir=tmp_path, report=said.append)
    supervisor.start()
    try:
        first = supervisor.pids()["sleeper"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.pids().get("sleeper", first) != first, "it runs again")
    finally:
        supervisor.stop()
    assert any("killed by SIGKILL" in line for line in said)
    assert supervisor.pids() == {}


def test_a_child_that_keeps_dying_ends_everything_and_its_last_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "BACKOFF_SECONDS", (0.05, 0.05))
    supervisor = Supervisor(
        [
            spec("sleeper", SLEEP),
            spec("broken", "print('no such table'); raise SystemExit(3)", is_up=lambda: False),
        ],
        log_dir=tmp_path,
        report=lambda line: None,
    )
    with pytest.raises(SupervisorError, match="no such table") as caught:
        supervisor.start()
    assert "exit status 3" in str(caught.value)
    assert "3 times" in str(caught.value)
    assert str(tmp_path / "broken.log") in str(caught.value)
    assert supervisor.pids() == {}


def test_later_children_start_when_earlier_ones_are_up_and_stop_before_them(
    tmp_path: Path,
) -> None:
    log = tmp_path / "order"
    program = (
        "import pathlib, signal, sys, time\n"
        f"def tell(what): f = open({str(log)!r}, 'a'); f.write(what + ' '); f.close()\n"
        "def stop(*_): tell('-' + sys.argv[1]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "tell('+' + sys.argv[1])\n"
        "time.sleep(60)\n"
    )

    def told(word: str) -> bool:
        return log.exists() and word in log.read_text().split()

    children = [
        spec(
            name,
            "",
            command=[sys.executable, "-c", program, name],
            order=order,
            is_up=lambda name=name: told("+" + name),
        )
        for order, name in ((1, "portal"), (0, "broker"))
    ]
    supervisor = Supervisor(children, log_dir=tmp_path / "logs", report=lambda line: None)
    supervisor.start()
    supervisor.stop()
    assert log.read_text().split() == ["+broker", "+portal", "-portal", "-broker"]


def test_a_child_that_ignores_sigterm_is_killed_in_time_with_its_forks(tmp_path: Path) -> None:
    supervisor = Supervisor(
        [spec("stubborn", STUBBORN, stop_seconds=0.5), spec("forking", FORKING, stop_seconds=0.5)],
        log_dir=tmp_path,
        report=lambda line: None,
    )
    supervisor.start()
    wait_until(lambda: "deaf" in (tmp_path / "stubborn.log").read_text(), "it is deaf")
    wait_until(lambda: "fork" in (tmp_path / "forking.log").read_text(), "it has forked")
    fork = int((tmp_path / "forking.log").read_text().split()[1])
    pids = [*supervisor.pids().values(), fork]
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 5
    wait_until(lambda: not any(lives(pid) for pid in pids), "all are gone")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from pathlib import Path
from app.standalone.supervisor import ChildSpec, Supervisor
child = ChildSpec(name="sleeper", command=[sys.executable, "-c", {SLEEP!r}],
                  environment=dict(os.environ), order=0)
supervisor = Supervisor([child], log_dir=Path({str(tmp_path)!r}), report=lambda line: None)
supervisor.start()
print(supervisor.pids()["sleeper"], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert lives(child)
        process.kill()
    wait_until(lambda: not lives(child), "the child is gone")


def test_the_log_of_a_child_that_goes_on_is_begun_anew_when_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "LARGEST_LOG", 10_000)
    talking = "import time\nwhile True: print('x' * 500, flush=True); time.sleep(0.005)"
    supervisor = Supervisor([spec("talker", talking)], log_dir=tmp_path, report=lambda line: None)
    log, old = tmp_path / "talker.log", tmp_path / "talker.old.log"
    supervisor.start()
    try:
        wait_until(old.exists, "its log is begun anew")
        pid = supervisor.pids()["talker"]
        wait_until(lambda: log.stat().st_size > 1000, "it goes on to write")
        wait_until(lambda: log.stat().st_size < 10_000, "and again")
        assert supervisor.pids()["talker"] == pid
    finally:
        supervisor.stop()
    assert log.read_bytes().startswith(b"xxx"), "no hole where the log was before"
