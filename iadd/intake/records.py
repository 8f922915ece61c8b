"""What is kept of each accepted picture beside its pixels: no name, no identifier.

Stored as gzipped JSON lines, one picture each, in the order of the pixels.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_FIXED_TIME = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One accepted picture.

    Attributes:
        shown: its path with every word that could name a patient replaced by a keyed hash.
        path: keyed hash of its path.
        folders: keyed hashes of the folders that it lies in, outermost first.
        position: which entry of the archive it is, from 0.
        class_name: its class.
        split: ``train``, ``validation`` or ``test`` where one was given.
        patient: keyed hash of its patient, where known.
        view: ``PA``, ``AP``, ``LATERAL``, … where known.
        site: where it was taken, as the archive's folders or table name it.
        digest: of its pixels, in hexadecimal.
        width: pixels across in the file.
        height: pixels down.
        metadata: kinds of metadata that the file carried; none of it is kept.
        pages_left_out: further pictures in the file.
        flags: what the decoder noticed: ``low_contrast``, ``secondary_capture``, …
    """

    shown: str
    path: str
    folders: tuple[str, ...]
    position: int
    class_name: str
    digest: str
    width: int = 0
    height: int = 0
    split: str | None = None
    patient: str | None = None
    view: str | None = None
    site: str | None = None
    metadata: tuple[str, ...] = ()
    pages_left_out: int = 0
    flags: tuple[str, ...] = ()

    def is_one_of(self, hashes: frozenset[str]) -> bool:
        """Return whether these hashes name the file or a folder that it lies in."""
        return self.path in hashes or not hashes.isdisjoint(self.folders)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records; equal records give equal bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=_FIXED_TIME) as packed,
    ):
        for record in records:
            packed.write(json.dumps(_document(record), separators=(",", ":")).encode() + b"\n")


def read_records(path: Path) -> Iterator[Record]:
    """Read what `write_records` wrote.

    What many records share, such as their folders and class, is held once.
    """
    shared: dict[Any, Any] = {}
    with gzip.open(path, "rb") as packed:
        for line in packed:
            document = json.loads(line)
            for name in ("folders", "metadata", "flags"):
                value = tuple(document.get(name, ()))
                document[name] = shared.setdefault(value, value)
            for name in ("class_name", "split", "patient", "view", "site"):
                if name in document:
                    document[name] = shared.setdefault(document[name], document[name])
            yield Record(**document)


def _document(record: Record) -> dict[str, Any]:
    """Leave out what says nothing."""
    return {name: value for name, value in asdict(record).items() if value not in (None, (), 0)} | {
        "position": record.position
    }
