"""Looks for burned-in text in every picture of an archive, at its original size, in slices.

It takes a fraction of a second a picture, so that a large archive takes an hour: it is a phase of
its own, which goes on where it was stopped.
"""

from __future__ import annotations

import io
import time
from array import array
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.intake.containers.open import open_archive
from iadd.intake.decisions import Box
from iadd.intake.errors import FileError
from iadd.intake.options import ReadOptions
from iadd.intake.pictures.picture import Picture
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.records import Record
from iadd.intake.text.reader import MOST_SIDE, TextBox, TextReader
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

SHOWN_SIDE = 480
"""Pixels a side of the picture that a person reviews."""
_AHEAD = 4


@dataclass(frozen=True)
class FoundText:
    """A picture with text that may name a patient.

    Attributes:
        path: keyed hash of its path (`Record.path`).
        shown: its masked name.
        boxes: of the text, in thousandths of width and height; the text itself is not kept.
        picture: PNG of `SHOWN_SIDE`, for the person who decides.
    """

    path: str
    shown: str
    boxes: tuple[Box, ...]
    picture: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return what is stored beside the picture."""
        return {
            "path": self.path,
            "shown": self.shown,
            "boxes": [list(box) for box in self.boxes],
        }


@dataclass(frozen=True)
class Slice:
    """What one slice of a scan found.

    Attributes:
        done: pictures that were looked at by now, from the first.
        total: pictures in all.
        found: those with text, of this slice.
    """

    done: int
    total: int
    found: list[FoundText]


def to_scan(records: Sequence[Record]) -> array[int]:
    """Return the number of one record of each picture, in the order of the archive."""
    positions, digests = array("q"), []
    for record in records:
        positions.append(record.position)
        digests.append(bytes.fromhex(record.digest))
    seen: set[bytes] = set()
    first = array("q")
    for number in sorted(range(len(positions)), key=positions.__getitem__):
        if digests[number] not in seen:
            seen.add(digests[number])
            first.append(number)
    return first


def scan_slice(
    source: Path,
    records: Sequence[Record],
    *,
    options: ReadOptions,
    encoding: str | None,
    start: int,
    seconds: float,
    on_progress: ProgressListener = ignore_progress,
) -> Slice:
    """Look at the pictures from `start` on, for about `seconds`; at one at least.

    Args:
        source: the archive.
        records: of its pictures, as they were read.
        options: key and limits.
        encoding: of the archive's names.
        start: pictures that were looked at before (`Slice.done`).
        seconds: after which no further picture is begun.
        on_progress: phase ``text``; may raise to stop.
    """
    wanted = to_scan(records)
    total = len(wanted)
    found: list[FoundText] = []
    done = start
    end = time.monotonic() + seconds
    reader = TextReader()
    rest = (records[number] for number in wanted[start:])
    pictures = _pictures(source, rest, options, encoding)
    for record, decoding in pictures:
        try:
            grey = _eight_bits(decoding.result())
        except FileError:
            # It was read before; a decoder that ran out of time now is not a finding.
            grey = None
        if grey is not None and (one := _look(reader, record, grey)) is not None:
            found.append(one)
        done += 1
        on_progress(Progress(phase="text", done=done, total=total, unit="images"))
        if time.monotonic() > end:
            break
    pictures.close()
    return Slice(done, total, found)


def _pictures(
    source: Path, wanted: Iterator[Record], options: ReadOptions, encoding: str | None
) -> Generator[tuple[Record, Future[Picture]]]:
    """Decode some pictures ahead, each at the size at which text in it is read best."""
    waiting: list[tuple[Record, Future[Picture]]] = []
    record = next(wanted, None)
    with (
        DecoderPool(MOST_SIDE, workers=1, patient_key=options.key) as pool,
        open_archive(source, options.limits, encoding=encoding) as archive,
    ):
        for position, entry in enumerate(archive.entries):
            if record is None:
                break
            if position != record.position:
                continue
            try:
                waiting.append((record, pool.submit(entry.read(), entry.name)))
            except FileError as error:
                failed: Future[Picture] = Future()
                failed.set_exception(error)
                waiting.append((record, failed))
            record = next(wanted, None)
            if len(waiting) > _AHEAD:
                yield waiting.pop(0)
        yield from waiting


def _eight_bits(picture: Picture) -> npt.NDArray[np.uint8]:
    """Scale by the picture's own brightest levels: text is to be read, not to be learnt."""
    highest = max(picture.high, 1.0)
    scaled = np.minimum(picture.pixels.astype(np.float32) * (255 / highest), 255)
    return np.asarray(scaled, dtype=np.uint8)


def _look(reader: TextReader, record: Record, grey: npt.NDArray[np.uint8]) -> FoundText | None:
    boxes = [box for box in reader.read(grey) if not box.harmless]
    if not boxes:
        return None
    side = len(grey)
    shown = Image.fromarray(grey).resize((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    shown.save(file, "PNG")
    return FoundText(
        record.path,
        record.shown,
        tuple(_thousandths(box, side) for box in boxes),
        file.getvalue(),
    )


def _thousandths(box: TextBox, side: int) -> Box:
    return (
        box.x0 * 1000 // side,
        box.y0 * 1000 // side,
        -(-box.x1 * 1000 // side),
        -(-box.y1 * 1000 // side),
    )
