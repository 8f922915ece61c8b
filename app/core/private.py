"""Keeps stored data from other users of the machine."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

PRIVATE_UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class NotPrivateError(RuntimeError):
    """Others can read a folder, and it cannot be closed to them. The message is for the user."""


def write_privately() -> None:
    """Let nobody else read what this process, and those that it starts, write from now on."""
    os.umask(PRIVATE_UMASK)


def private_folder(path: Path) -> Path:
    """Make a folder that its owner alone can enter, or close one that is there.

    What lies in it may be readable to all: nobody else reaches it.

    Raises:
        NotPrivateError: It belongs to somebody else, and others can enter it.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        try:
            path.chmod(mode & ~_OTHERS)
        except PermissionError as error:
            raise NotPrivateError(
                f"Other users of this machine can enter {path}, where pictures of patients would "
                "be stored, and it belongs to somebody else. Nothing was changed. Let its owner "
                f"run: chmod go= {path}"
            ) from error
    return path


def write_once(path: Path, content: bytes) -> bool:
    """Write a file that nothing replaces later; False where one is there already.

    It appears whole, and is on the disk before anybody can rely on it: of two that write at once,
    one wins, and both then read the same.
    """
    with _written(path, content) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            return False
    return True


def replace(path: Path, content: bytes) -> None:
    """Write a file in place of the one that is there, which stays whole until then."""
    with _written(path, content) as part:
        part.replace(path)


def remove(path: Path) -> None:
    """Remove a file, for good when this returns; none may be there."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


@contextlib.contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside `path` that holds all of it on the disk, to be linked or renamed to it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield part
    finally:
        part.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
