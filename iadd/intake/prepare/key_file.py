"""The secret of the hashes of patients, in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_BYTES = 32


class KeyFileError(Exception):
    """A key file cannot be used; the message says what to do."""


def load_key(path: Path) -> bytes:
    """Return the key in a file; make the file where there is none.

    Raises:
        KeyFileError: the file cannot be made or read, or holds no key.
    """
    try:
        _make(path)
        text = path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        raise KeyFileError(f"The key file {path} cannot be used: {reason}.") from error
    except ValueError:
        key = b""
    if len(key) < _BYTES:
        raise KeyFileError(
            f"The file {path} holds no key. Name the file that `exchange prepare` made, or one "
            "that is not there yet, to have a key made."
        )
    return key


def _make(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        # Private from the start: created with these permissions, and then filled.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        _place(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _place(draft: Path, path: Path) -> None:
    """Give the file its name; of two programs that make it at once the first one wins."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:
        # File systems without links: memory sticks, some network drives.
        draft.replace(path)
