"""A worker is well while it takes messages and is registered, or stands by."""

import os
import subprocess
import sys
import time

import pytest

from worker import liveness


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(liveness.FOLDER, str(tmp_path / "marks"))
    return tmp_path / "marks"


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_both_signs_are_needed(folder):
    assert len(liveness.problems(folder, time.time())) == 2
    liveness.mark(liveness.TAKES)
    assert liveness.problems(folder, time.time()) == ["no sign for 75 s: registered"]
    liveness.mark(liveness.REGISTERED)
    assert liveness.problems(folder, time.time()) == []


def test_an_old_sign_is_none(folder):
    liveness.mark(liveness.TAKES)
    liveness.mark(liveness.REGISTERED)
    age(folder / liveness.TAKES, liveness.STALE_SECONDS + 1)

    assert liveness.problems(folder, time.time()) == ["no sign for 75 s: takes-messages"]


def test_who_stands_by_is_well_until_its_mark_is_gone(folder):
    liveness.mark(liveness.STANDS_BY)
    assert liveness.problems(folder, time.time()) == []
    liveness.unmark(liveness.STANDS_BY)
    assert len(liveness.problems(folder, time.time())) == 2


def test_the_check_ends_with_1_and_says_why(folder):
    def check():
        words = [sys.executable, "-m", "worker.liveness"]
        return subprocess.run(words, capture_output=True, text=True, check=False)

    assert (check().returncode, check().stdout) == (1, "")
    assert "no sign" in check().stderr
    liveness.mark(liveness.STANDS_BY)
    assert (check().returncode, check().stdout) == (0, "works\n")


def test_without_a_folder_nothing_is_marked(monkeypatch, tmp_path):
    monkeypatch.delenv(liveness.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    liveness.mark(liveness.TAKES)
    liveness.unmark(liveness.TAKES)
    assert list(tmp_path.iterdir()) == []
