"""Folders read as archives."""

import os
from pathlib import Path

import pytest

from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import FileError
from tests.iadd.intake.containers.archives import (
    code_of,
    list_names,
    memory_below,
    read_all,
    write_folder,
)


def test_files_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write_folder(tmp_path, {"b/2": b"", "a/deep/1": b"", "a/0": b"", "c": b""})
    assert list_names(tmp_path) == ["a/0", "a/deep/1", "b/2", "c"]


def test_a_file_that_grew_or_went_away_is_refused_alone(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})
    with open_archive(tmp_path, Limits(entry_bytes=10)) as archive:
        grown, gone, good = list(archive.entries)
        (tmp_path / "a").write_bytes(b"x" * 100)
        (tmp_path / "b").unlink()
        for entry, code in ((grown, "too_large"), (gone, "unreadable")):
            with pytest.raises(FileError) as caught:
                entry.read()
            assert caught.value.code == code
        assert good.read() == b"3"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_all(tmp_path) == ({}, {"pipe": "not_a_file"})


def test_names_that_are_not_utf8_are_guessed(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + "/Lungenentzündung".encode("cp1252")
    try:
        os.mkdir(folder)  # noqa: PTH102 - paths of bytes
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    with open(folder + b"/1.png", "wb") as file:  # noqa: PTH123 - paths of bytes
        file.write(b"one")
    assert read_all(tmp_path) == ({"Lungenentzündung/1.png": b"one"}, {})


def test_endless_folders_are_limited(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).mkdir()
    assert code_of(tmp_path, Limits(entries=4)) == "archive_too_large"


def test_a_list_of_many_files_takes_little_memory(tmp_path: Path) -> None:
    for number in range(2000):
        (tmp_path / f"person_{number:06d}_bacteria.png").touch()
    with memory_below(2), open_archive(tmp_path) as archive:
        assert sum(1 for _ in archive.entries) == 2000
