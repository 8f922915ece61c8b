"""Makes the secrets of a service that nobody has given any, each in a file of its own.

`Settings` reads the files by `secrets_dir`, and the servers beside the portal by their own options.
Nothing here is ever printed.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from app.core.private import write_once

PREFIX = "exchange_"
NAMES = (
    "secret_key",
    "database_password",
    "broker_password",
    "storage_secret_key",
    "dashboards_password",
)
"""What a portal with servers of its own needs. The last is for who looks at its dashboards."""


class SecretFileError(RuntimeError):
    """A file cannot be used. The message is for the operator."""


def new_secret() -> bytes:
    """64 characters of 48 random bytes, which mean nothing special in an address or a shell."""
    return base64.urlsafe_b64encode(os.urandom(48))


def make_secrets(folder: Path, own: Mapping[str, str], groups: Mapping[str, int]) -> dict[str, str]:
    """Write each secret's file; a file that is there stays as it is.

    Args:
        folder: Folder of the files. Its group may list it, everybody enter it and read what theirs
            may.
        own: Values of the operator's own by name; they win over a file.
        groups: By name, the group that reads the file beside its owner, who must be in it. Not
            named: the owner's own.

    Returns:
        By name: made, kept or replaced.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o751)  # whatever the umask
        return {name: _settle(folder, name, own.get(name), groups.get(name)) for name in NAMES}
    except OSError as error:
        raise SecretFileError(
            f"{error.filename or folder} cannot be used by user {os.getuid()}: {error.strerror}. "
            "Files that were there are as they were. Give it to this user, and start again."
        ) from error


def _settle(folder: Path, name: str, own: str | None, group: int | None) -> str:
    path = folder / f"{PREFIX}{name}"
    done = "kept"
    if own and _is_other(path, own):
        done = "replaced" if path.exists() else "made"
        path.unlink(missing_ok=True)
        write_once(path, own.encode())
    elif write_once(path, new_secret()):
        done = "made"
    if not path.read_text().strip():
        raise SecretFileError(f"{path} is empty. Write the secret into it, or delete it.")
    _hand_to(path, group)
    return done


def _is_other(path: Path, own: str) -> bool:
    return not path.exists() or path.read_text().strip() != own


def _hand_to(path: Path, group: int | None) -> None:
    """Let its owner and one group read it; leave a file of another owner alone."""
    if path.stat().st_uid != os.getuid():
        return
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(0o440)
