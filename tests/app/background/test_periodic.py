"""Periodic tasks: beside each other, one round at a time, until the context closes."""

import threading
import time

from app.background.periodic import Periodic, PeriodicTask


def task(run, name="task", **more):
    return PeriodicTask(name=name, seconds=0.01, run=run, **more)


def test_a_slow_round_holds_up_no_other_task_and_never_runs_twice_at_once(wait_until):
    release, slow, quick = threading.Event(), [], []

    def wait(_stopping):
        slow.append(threading.current_thread().name)
        release.wait(30)

    with Periodic(task(wait, "slow"), task(lambda _: quick.append(1), "quick")):
        wait_until(lambda: slow and len(quick) > 3, "the quick one goes on")
        assert slow == ["slow"]
        release.set()
        wait_until(lambda: len(slow) > 1, "the slow one has its next round")


def test_a_round_that_fails_is_logged_and_the_next_one_is_tried(wait_until, caplog):
    rounds = []

    def fail(_stopping):
        rounds.append(1)
        raise RuntimeError("no luck")

    with Periodic(task(fail, "unlucky")):
        wait_until(lambda: len(rounds) > 1, "it is tried again")
    assert "unlucky: a round failed, and is tried again" in caplog.text
    assert "no luck" in caplog.text


def test_a_round_of_which_a_part_failed_is_not_told_as_ended(wait_until):
    rounds, told = [], []

    def fail_in_part(_stopping):
        rounds.append(1)
        return False

    with Periodic(task(fail_in_part, "partly"), on_round=told.append):
        wait_until(lambda: len(rounds) > 1, "it goes on")
    assert told == ["partly"], "at its start alone"


def test_nothing_runs_before_its_first_interval():
    rounds = []
    with Periodic(PeriodicTask(name="rare", seconds=3600, run=rounds.append)):
        time.sleep(0.05)
    assert rounds == []


def test_closing_tells_the_round_that_runs_and_waits_for_its_end(wait_until):
    began, ended = [], []

    def until_told(stopping):
        began.append(1)
        stopping.wait(30)
        time.sleep(0.05)
        ended.append(1)

    with Periodic(task(until_told)):
        wait_until(lambda: began, "a round began")
    assert ended == began
    time.sleep(0.05)
    assert ended == began, "no round begins after the end"


def test_a_round_that_does_not_end_is_left_behind_after_its_time(wait_until):
    began, release = [], threading.Event()

    def hang(_stopping):
        began.append(1)
        release.wait(30)

    with Periodic(task(hang, leave_seconds=0.05)):
        wait_until(lambda: began, "a round began")
        closing_at = time.monotonic()
    assert time.monotonic() - closing_at < 10
    release.set()
