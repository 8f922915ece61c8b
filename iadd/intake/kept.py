"""What composing a dataset needs of every picture, in columns: 200,000 records are not held.

Legend: N pictures were read, K of them are kept by the decisions.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from iadd.intake.decisions import Decisions
from iadd.intake.edit import DIGEST_BYTES, edit_pixels, edit_record
from iadd.intake.records import Record
from iadd.intake.splits import SPLITS

Pixels = npt.NDArray[np.uint8]

UNSTATED = -1
"""Stands for a split that the archive does not state."""
PAGES, METADATA, SECONDARY, TEXT = 1, 2, 4, 8
"""What is noted of a picture, each a bit."""


class Kept:
    """The pictures that decisions do not leave out, after what decisions change, in columns.

    Args:
        pixels: uint8 (N, S, S).
        records: of each.
        decisions: what a steward decided.
        texts: hashes of the pictures in which text waits for a decision.

    Attributes:
        numbers: which of the N pictures each is.
        classes: the names of the classes.
        class_codes: index into `classes` of each.
        splits: index into `SPLITS` of each, or `UNSTATED`.
        positions: of each in the archive.
        digests: of the pixels, uint8 (K, `DIGEST_BYTES`).
        patients: keyed hash of each one's patient, None where it is not known.
        views: of each, None where it is not known.
        widths: pixels across in the file.
        heights: pixels down.
        notes: bits of `PAGES`, `METADATA`, `SECONDARY`, `TEXT`.
    """

    def __init__(
        self,
        pixels: Pixels,
        records: Sequence[Record],
        decisions: Decisions,
        texts: frozenset[str],
    ) -> None:
        self._pixels = pixels
        self._records = records
        self._decisions = decisions
        self._edited: dict[int, str] = {}
        self.numbers = array("q")
        self.positions, self.widths, self.heights = array("q"), array("q"), array("q")
        self.class_codes, self.splits, self.notes = array("H"), array("b"), array("B")
        self.patients: list[str | None] = []
        self.views: list[str | None] = []
        digests = bytearray()
        codes: dict[str, int] = {}
        # Equal patients and views are held once.
        shared: dict[str | None, str | None] = {}
        for number, record in enumerate(records):
            if record.path in decisions.leave_out:
                continue
            if record.path in decisions.turn or record.path in decisions.blank:
                self._edited[number] = record.path
            record = edit_record(record, pixels[number], decisions)
            self.numbers.append(number)
            self.positions.append(record.position)
            self.widths.append(record.width)
            self.heights.append(record.height)
            self.class_codes.append(codes.setdefault(record.class_name, len(codes)))
            self.splits.append(UNSTATED if record.split is None else SPLITS.index(record.split))
            self.notes.append(_notes(record, texts))
            self.patients.append(shared.setdefault(record.patient, record.patient))
            self.views.append(shared.setdefault(record.view, record.view))
            digests += bytes.fromhex(record.digest)
        self.classes = list(codes)
        self.digests = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST_BYTES)

    def in_order(self) -> npt.NDArray[np.int64]:
        """Return the K places by digest; of equal ones the last split first, then by position.

        Of several splits the last one counts: no model learns what it is tested on.
        """
        return np.lexsort(
            (
                np.asarray(self.positions, np.int64),
                -np.asarray(self.splits, np.int64),
                *reversed(self.digests.T),
            )
        )

    def grey(self, place: int) -> Pixels:
        """Return a picture (S, S) after what decisions change of it."""
        number = self.numbers[place]
        path = self._edited.get(number)
        grey: Pixels = self._pixels[number]
        return grey if path is None else edit_pixels(grey, path, self._decisions)

    def records_of(self, places: Sequence[int]) -> Sequence[Record]:
        """Return the records of some of the K pictures, each made when it is asked for."""
        numbers = array("q", (self.numbers[place] for place in places))
        return _EditedRecords(self._records, numbers, self._pixels, self._decisions)


class _EditedRecords(Sequence[Record]):
    def __init__(
        self,
        records: Sequence[Record],
        numbers: Sequence[int],
        pixels: Pixels,
        decisions: Decisions,
    ) -> None:
        self._records = records
        self._numbers = numbers
        self._pixels = pixels
        self._decisions = decisions

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = self._numbers[index]
        return edit_record(self._records[number], self._pixels[number], self._decisions)


class ShownNames(Sequence[str]):
    """The names of pictures as reports show them, each read when it is asked for."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [record.shown for record in self._records[index]]
        return self._records[index].shown


def _notes(record: Record, texts: frozenset[str]) -> int:
    return (
        PAGES * (record.pages_left_out > 0)
        + METADATA * bool(record.metadata)
        + SECONDARY * ("secondary_capture" in record.flags)
        + TEXT * (record.path in texts)
    )
