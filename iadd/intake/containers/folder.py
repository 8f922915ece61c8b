"""Reads a folder as if it were an archive. Links are not followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from iadd.intake.containers.archive import Archive, Entry
from iadd.intake.containers.bounded_io import CHUNK
from iadd.intake.containers.file_names import NameDecoder, NamePool
from iadd.intake.containers.limits import Limits
from iadd.intake.containers.refusals import (
    not_a_file,
    too_many_bytes,
    too_many_entries,
    unreadable_folder,
)
from iadd.intake.errors import FileError, printable

# Neither wait for a pipe nor follow a link that took a file's place; Windows has neither flag.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN_FLAGS |= getattr(os, "O_BINARY", 0)


def open_folder(folder: Path, limits: Limits, encoding: str | None) -> Archive:
    """List a folder and all folders in it; nothing is read yet.

    Raises:
        DatasetError: ``archive_too_large`` or ``unreadable_folder``.
        OSError: when `folder` itself cannot be opened.
    """
    folders: list[str] = []
    paths = sorted(_list_files(folder, limits, folders))
    pool = NamePool()
    for path in paths:
        pool.add(os.fsencode(path))
    guess = pool.guess()
    entries = _entries(folder, paths, NameDecoder(encoding, guess), limits)
    return Archive(entries, max(1, len(paths)), "files", folders, lambda: guess)


def _list_files(folder: Path, limits: Limits, seen: list[str]) -> Iterator[str]:
    """Yield the paths of files, relative to `folder`, with ``/`` between folders."""
    waiting = [""]
    files = folders = 0
    while waiting:
        parent = waiting.pop()
        try:
            found = os.scandir(folder / parent)
        except OSError as error:
            if not parent:
                raise
            raise unreadable_folder(printable(parent)) from error
        with found:
            for item in found:
                path = f"{parent}/{item.name}" if parent else item.name
                if item.is_dir(follow_symlinks=False):
                    folders += 1
                    seen.append(path)
                    waiting.append(path)
                elif not (item.is_symlink() and item.is_dir()):
                    files += 1
                    yield path
                if max(files, folders) > limits.entries:
                    raise too_many_entries(limits.entries)


def _entries(folder: Path, paths: list[str], names: NameDecoder, limits: Limits) -> Iterator[Entry]:
    total = 0
    for position, path in enumerate(paths, start=1):
        try:
            size = os.lstat(folder / path).st_size
        except OSError:
            size = 0  # it went away since; reading it will say so
        total += size if size <= limits.entry_bytes else 0  # larger ones are not read
        if total > limits.total_bytes:
            raise too_many_bytes(limits.total_bytes)
        name = names.decode(os.fsencode(path))
        yield Entry(name, size, position, partial(_read_file, folder / path, limits))


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise not_a_file()
        with os.fdopen(os.open(path, _OPEN_FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise not_a_file()
            limits.check_entry(status.st_size, None)
            content = bytearray()
            # A file may grow while it is read.
            while piece := file.read(CHUNK):
                content += piece
                limits.check_entry(len(content), None)
    except OSError as error:
        raise FileError(
            "unreadable", "It cannot be opened; check that it is still there and may be read."
        ) from error
    return bytes(content)
