"""What is kept of each accepted picture beside its pixels: no name, no identifier.

Stored as gzipped JSON lines, one picture each, in the order of the pixels.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, overload

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


_FIELDS = tuple(field.name for field in fields(Record))
_LISTS = ("folders", "metadata", "flags")


class StoredRecords(Sequence[Record]):
    """Records in a temporary file, of which memory holds the places alone.

    Args:
        path: what `write_records` wrote; the temporary file lies in its folder.
    """

    def __init__(self, path: Path) -> None:
        self._starts = array("Q", [0])
        self._lines = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - as long as this
        with gzip.open(path, "rb") as packed:
            for line in packed:
                self._lines.write(line)
                self._starts.append(self._starts[-1] + len(line))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        self._lines.seek(self._starts[number])
        return record_of(self._lines.read(self._starts[number + 1] - self._starts[number]))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write records; equal records give equal bytes."""
    with (
        path.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=_FIXED_TIME) as packed,
    ):
        for record in records:
            packed.write(line_of(record))


def read_records(path: Path) -> Iterator[Record]:
    """Read what `write_records` wrote, one after the other."""
    with gzip.open(path, "rb") as packed:
        yield from map(record_of, packed)


def line_of(record: Record) -> bytes:
    """Return a record as a line of JSON, without what says nothing."""
    values = {name: getattr(record, name) for name in _FIELDS}
    document = {name: value for name, value in values.items() if value not in (None, (), 0)}
    document["position"] = record.position
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def record_of(line: bytes) -> Record:
    """Return the record that `line_of` wrote."""
    document: dict[str, Any] = json.loads(line)
    for name in _LISTS:
        document[name] = tuple(document.get(name, ()))
    return Record(**document)
