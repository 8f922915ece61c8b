"""Keeps stored data from other users of the machine."""

import contextlib
import os
import stat
import tempfile
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
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(part).unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
