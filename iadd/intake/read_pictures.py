"""The second pass over an archive: every placed picture is decoded and written as it comes.

Legend: N pictures, S the side that they are resized to.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from iadd.intake.accounting import Accounting
from iadd.intake.containers.open import open_archive
from iadd.intake.deidentify.names import folder_hashes, hash_patient, mask_path, path_hash
from iadd.intake.edit import digest_of
from iadd.intake.errors import FileError
from iadd.intake.layout.placement import LEFT_OUT, Placement
from iadd.intake.layout.tables import is_table_name
from iadd.intake.layout.words import names_lateral
from iadd.intake.options import ReadOptions
from iadd.intake.paths import ignore_reason, path_parts
from iadd.intake.pictures.grey import GreyScale
from iadd.intake.pictures.npz import is_npz, picture_of, read_npz
from iadd.intake.pictures.picture import Picture
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.records import Record, line_of, record_of, write_records
from iadd.runtime.progress import Progress, ProgressListener

_MOST_WAITING = 256
_REPORT_EVERY = 50
_MOST_FOLDERS = 4_096
_PICTURES_FOR_A_DECODER = 200
_CHOSEN = {
    "left_out": "left out by the layout",
    "lateral": "lateral views",
    "several_labels": "pictures with several labels",
    "uncertain": "pictures with an uncertain label",
}
"""What the layout leaves out on purpose; the rest of its codes are defects of a file or a table."""


class PictureReader:
    """Reads the pictures of one archive into a file of grey values and their records.

    Args:
        source: the archive or folder.
        placements: of each candidate, in the order of the archive.
        encoding: of the archive's names, as they were surveyed.
        options: key, size, limits.
        accounting: continued with the files that are refused, ignored and accepted.
        kept: words of the layout that names may show: classes, splits, sites.
        on_progress: phase ``reading``.
    """

    def __init__(
        self,
        source: Path,
        placements: list[Placement],
        *,
        encoding: str | None,
        options: ReadOptions,
        accounting: Accounting,
        kept: frozenset[str],
        on_progress: ProgressListener,
    ) -> None:
        self._source = source
        self._placements = placements
        self._encoding = encoding
        self._options = options
        self._accounting = accounting
        self._kept = kept
        self._on_progress = on_progress
        self._scale = GreyScale()
        self._folders: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, pixels: Path, records: Path) -> frozenset[str]:
        """Write N·S² grey values to `pixels`, and the N records in the same order to `records`.

        The grey levels are first written beside them as 16-bit numbers, and what is known of each
        picture as a line: how many bits the pictures of a detector use is known only when all of
        them were read. Memory does not grow with N.

        Returns:
            The classes of the pictures.

        Raises:
            DatasetError: the archive is damaged or beyond its limits.
        """
        raw, facts = pixels.with_suffix(".levels"), pixels.with_suffix(".facts")
        try:
            with raw.open("wb") as levels, facts.open("wb") as lines:
                self._decode_all(levels, lines)
            classes: set[str] = set()
            with raw.open("rb") as levels, facts.open("rb") as lines, pixels.open("wb") as file:
                write_records(records, self._scaled(levels, lines, file, classes))
            return frozenset(classes)
        finally:
            raw.unlink(missing_ok=True)
            facts.unlink(missing_ok=True)

    def _decode_all(self, levels: BinaryIO, facts: BinaryIO) -> None:
        queue: deque[tuple[tuple[str, ...], int, Placement, Future[Picture]]] = deque()
        options = self._options
        # A decoder takes a third of a second to start: few pictures need one.
        workers = min(options.workers, 1 + len(self._placements) // _PICTURES_FOR_A_DECODER)
        with DecoderPool(options.image_size, workers=workers, patient_key=options.key) as pool:
            for position, parts, placement, decoding in self._decoding(pool):
                queue.append((parts, position, placement, decoding))
                while queue and (len(queue) > _MOST_WAITING or queue[0][3].done()):
                    self._take(*queue.popleft(), levels, facts)
            while queue:
                self._take(*queue.popleft(), levels, facts)

    def _decoding(
        self, pool: DecoderPool
    ) -> Iterator[tuple[int, tuple[str, ...], Placement, Future[Picture]]]:
        if is_npz(self._source):
            yield from self._arrays()
            return
        for position, parts, placement, data in self._candidates():
            yield position, parts, placement, pool.submit(data, parts[-1])

    def _arrays(self) -> Iterator[tuple[int, tuple[str, ...], Placement, Future[Picture]]]:
        """Pictures of a MedMNIST file: numbers already, which need no decoder."""
        for position, one in enumerate(read_npz(self._source)):
            if position % _REPORT_EVERY == 0:
                self._report(position, len(self._placements), "files")
            decoding: Future[Picture] = Future()
            try:
                decoding.set_result(picture_of(one.pixels, image_size=self._options.image_size))
            except FileError as error:
                decoding.set_exception(error)
            yield position, tuple(one.name.split("/")), self._placements[position], decoding

    def _candidates(self) -> Iterator[tuple[int, tuple[str, ...], Placement, bytes]]:
        placements = iter(self._placements)
        options, accounting = self._options, self._accounting
        with open_archive(self._source, options.limits, encoding=self._encoding) as archive:
            for position, entry in enumerate(archive.entries):
                if position % _REPORT_EVERY == 0:
                    self._report(entry.position, archive.total, archive.unit)
                parts = path_parts(entry.name)
                if parts is None or is_table_name(parts[-1]) or ignore_reason(parts) is not None:
                    continue
                placement = next(placements)
                if self._is_withdrawn(parts):
                    accounting.ignored["withdrawn"] += 1
                elif placement.left_out in _CHOSEN:
                    accounting.ignored[_CHOSEN[placement.left_out]] += 1
                elif placement.left_out is not None:
                    accounting.refuse(
                        parts, FileError(placement.left_out, LEFT_OUT[placement.left_out])
                    )
                else:
                    try:
                        yield position, parts, placement, entry.read()
                    except FileError as error:
                        accounting.refuse(parts, error)
            self._report(archive.total, archive.total, archive.unit)

    def _report(self, done: int, total: int, unit: str) -> None:
        self._on_progress(Progress(phase="reading", done=done, total=total, unit=unit))

    def _is_withdrawn(self, parts: tuple[str, ...]) -> bool:
        withdrawn, key = self._options.withdrawn, self._options.key
        return bool(withdrawn) and not withdrawn.isdisjoint(
            (path_hash(parts, key), *folder_hashes(parts, key))
        )

    def _take(
        self,
        parts: tuple[str, ...],
        position: int,
        placement: Placement,
        decoding: Future[Picture],
        levels: BinaryIO,
        facts: BinaryIO,
    ) -> None:
        try:
            picture = decoding.result()
        except FileError as error:
            self._refuse(parts, error)
            return
        folder = "/".join(parts[:-1])
        self._scale.add(picture.group, folder, picture.high, picture.depth)
        levels.write(picture.pixels.astype("<u2").tobytes())
        head = json.dumps([picture.group, folder, picture.depth]).encode()
        facts.write(head + b"\n" + line_of(self._record(parts, position, placement, picture)))

    def _refuse(self, parts: tuple[str, ...], error: FileError) -> None:
        # An index of a disc is no picture that somebody misses.
        if error.code == "dicomdir":
            self._accounting.ignored["system files"] += 1
        else:
            self._accounting.refuse(parts, error)

    def _scaled(
        self, levels: BinaryIO, facts: BinaryIO, file: BinaryIO, classes: set[str]
    ) -> Iterator[Record]:
        """Bring one picture after the other to 8 bits, write it, and yield its record."""
        size = self._options.image_size
        count = 0
        for head in facts:
            group, folder, depth = json.loads(head)
            picture = np.frombuffer(levels.read(size * size * 2), dtype="<u2").reshape(size, size)
            if depth is None:
                depth = self._scale.depth_of(group, folder)
            grey = GreyScale.to_eight_bits(picture, depth)
            file.write(grey.tobytes())
            record = replace(record_of(facts.readline()), digest=digest_of(grey))
            classes.add(record.class_name)
            count += 1
            yield record
        self._accounting.accepted = count

    def _folders_of(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        """Hashes of the folders of a file; counted once for files that follow each other."""
        folder = parts[:-1]
        if folder not in self._folders:
            if len(self._folders) >= _MOST_FOLDERS:
                self._folders.clear()
            self._folders[folder] = folder_hashes(parts, self._options.key)
        return self._folders[folder]

    def _record(
        self, parts: tuple[str, ...], position: int, placement: Placement, picture: Picture
    ) -> Record:
        """All that is kept of a picture but the digest of its grey values."""
        key, dicom = self._options.key, picture.dicom
        assert placement.class_name is not None, "those without a class were left out"
        patient = None if placement.patient is None else hash_patient(placement.patient, key)
        return Record(
            shown=mask_path(parts, set(self._kept), key),
            path=path_hash(parts, key),
            folders=self._folders_of(parts),
            position=position,
            class_name=placement.class_name,
            digest="",
            width=picture.width,
            height=picture.height,
            split=placement.split,
            patient=patient or (dicom.patient if dicom is not None else None),
            view=placement.view
            or (dicom.view if dicom is not None else None)
            or ("LL" if names_lateral(parts[:-1], parts[-1]) else None),
            site=placement.site,
            metadata=picture.metadata,
            pages_left_out=picture.pages_left_out,
            flags=picture.flags,
        )
