"""The list of what a backup holds, with a hash of each file: what is not in it is no part of it."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

FORMAT = 1
NAME = "manifest.json"
_CHUNK = 1 << 20

DatabaseKind = Literal["sqlite", "postgresql"]


class BackupError(RuntimeError):
    """A backup cannot be made, read or put back. The message says what was kept, and what to do."""


@dataclass(frozen=True)
class Kept:
    """One file of a backup.

    Attributes:
        size: In bytes.
        sha256: Hexadecimal.
        etag: Of an object: what the store called this version of it.
    """

    size: int
    sha256: str
    etag: str = ""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_at: When the database was read, RFC 3339, UTC.
        version: Version of the software that made it.
        revision: Of the database's schema.
        database: What kind of database it was.
        files: Of the database and the secret key, by name.
        objects: Stored objects, by key.
        missing: Keys that rows name and that were not in the store.
    """

    made_at: str
    version: str
    revision: str
    database: DatabaseKind
    files: dict[str, Kept] = field(default_factory=dict)
    objects: dict[str, Kept] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a backup.

        Raises:
            BackupError: When there is none, or it is of a newer format.
        """
        try:
            document: dict[str, Any] = json.loads((folder / NAME).read_text())
        except (OSError, ValueError) as error:
            raise BackupError(
                f"{folder} holds no finished backup: its {NAME} is missing or damaged. Nothing was "
                "changed."
            ) from error
        if document.pop("format", None) != FORMAT:
            raise BackupError(
                f"{folder} was made by a newer version of this software ({document.get('version')})"
                ": use that one. Nothing was changed."
            )
        for name in ("files", "objects"):
            document[name] = {key: Kept(**kept) for key, kept in document[name].items()}
        return cls(**{**document, "missing": tuple(document["missing"])})

    def write(self, folder: Path) -> None:
        """Write it completely or not at all: without it there is no backup."""
        part = folder / f"{NAME}.part"
        part.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1))
        part.replace(folder / NAME)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(kept.size for kept in (*self.files.values(), *self.objects.values()))


def kept_file(path: Path, *, etag: str = "") -> Kept:
    """Hash a file of a backup."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return Kept(path.stat().st_size, digest.hexdigest(), etag)
