"""The first half of a preparation: each file of the source is decoded, refused or ignored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from iadd.intake.deidentify.names import folder_hashes, hash_patient, path_hash
from iadd.intake.errors import FileError
from iadd.intake.layout.placement import LEFT_OUT, Placement
from iadd.intake.layout.words import is_lateral
from iadd.intake.paths import path_parts
from iadd.intake.pictures.grey import GreyScale
from iadd.intake.pictures.picture import Picture
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.prepare.dicom_copy import DicomCopy, copy_dicom
from iadd.intake.prepare.entries import kind_of, open_source
from iadd.intake.prepare.folder import PreparedFolder
from iadd.intake.prepare.grey_png import write_png
from iadd.intake.prepare.options import PrepareOptions
from iadd.intake.prepare.receipt import FileReceipt, Grey, Row, Waiting
from iadd.intake.prepare.text import Box, TextSearch, paint_black
from iadd.intake.prepare.views import known_view, safe_site
from iadd.runtime.progress import Progress, ProgressListener

_MOST_WAITING = 32
_PICTURES_FOR_A_DECODER = 50
_UNSAFE = FileError("unsafe_name", "Its name points outside the archive; pack it again.")
_CHOSEN = ("left_out", "lateral", "several_labels", "uncertain")
_LATERAL = "lateral pictures, by their DICOM header"
_HELD = FileError(
    "text_in_picture",
    "Text stands in the picture; look at it, then use --text blank, or paint over it yourself.",
)


@dataclass(frozen=True)
class _Candidate:
    """A picture that is being decoded."""

    parts: tuple[str, ...]
    name: str
    path: str
    size: int
    placement: Placement
    data: bytes
    picture: Future[Picture]
    text: Future[tuple[Box, ...]] | None


class SourceReader:
    """Reads the files of one source that no earlier run has dealt with.

    Args:
        source: the archive or folder.
        placements: of each candidate, in the order of the source.
        files: how many entries the source has.
        encoding: of the archive's names, as they were surveyed.
        options: key, size, policies.
        folder: takes the pictures and the receipts.
        on_progress: phase ``reading``.
    """

    def __init__(
        self,
        source: Path,
        placements: Sequence[Placement],
        *,
        files: int,
        encoding: str | None,
        options: PrepareOptions,
        folder: PreparedFolder,
        on_progress: ProgressListener,
    ) -> None:
        self._source = source
        self._placements = placements
        self._files = max(1, files)
        self._encoding = encoding
        self._options = options
        self._folder = folder
        self._on_progress = on_progress
        self._done = 0
        self._again: frozenset[str] = frozenset()
        self.names: dict[str, str] = {}
        """Names of all files of the source by their hashes."""

    def read(self, *, again: Iterable[str] = ()) -> None:
        """Decode what is left to do, and what is named by its hash.

        Raises:
            DatasetError: the archive is damaged or beyond its limits.
        """
        options = self._options
        self._done, self._again = 0, frozenset(again)
        workers = min(options.workers, 1 + len(self._placements) // _PICTURES_FOR_A_DECODER)
        waiting: deque[_Candidate] = deque()
        with ExitStack() as opened:
            pool = opened.enter_context(
                DecoderPool(options.image_size, workers=workers, patient_key=options.key)
            )
            search = (
                None
                if options.text == "skip"
                else opened.enter_context(TextSearch(options.key, workers=workers))
            )
            for candidate in self._candidates(pool, search):
                waiting.append(candidate)
                while waiting and (len(waiting) > _MOST_WAITING or waiting[0].picture.done()):
                    self._take(waiting.popleft())
            while waiting:
                self._take(waiting.popleft())

    def _candidates(self, pool: DecoderPool, search: TextSearch | None) -> Iterator[_Candidate]:
        placements = iter(self._placements)
        options, folder = self._options, self._folder
        with open_source(self._source, options.limits, self._encoding) as entries:
            for entry in entries:
                parts = path_parts(entry.name)
                path = path_hash(parts or (entry.name,), options.key)
                self.names[path] = entry.name
                ignored = None if parts is None else kind_of(parts)
                is_candidate = parts is not None and ignored is None
                placement = next(placements) if is_candidate else None
                if path not in self._again and folder.is_done(path, entry.size):
                    self._count()
                elif parts is None:
                    self._refuse(entry.name, path, entry.size, _UNSAFE)
                elif placement is None:
                    self._ignore(entry.name, path, entry.size, ignored or "")
                elif placement.left_out in _CHOSEN:
                    reason = LEFT_OUT[placement.left_out]
                    self._ignore(entry.name, path, entry.size, reason)
                elif placement.left_out is not None:
                    error = FileError(placement.left_out, LEFT_OUT[placement.left_out])
                    self._refuse(entry.name, path, entry.size, error)
                else:
                    try:
                        data = entry.read()
                    except FileError as error:
                        self._refuse(entry.name, path, entry.size, error)
                        continue
                    yield _Candidate(
                        parts=parts,
                        name=entry.name,
                        path=path,
                        size=entry.size,
                        placement=placement,
                        data=data if options.keep_dicom else b"",
                        picture=pool.submit(data, parts[-1]),
                        text=None if search is None else search.submit(data, parts[-1]),
                    )

    def _take(self, one: _Candidate) -> None:
        try:
            picture = one.picture.result()
            boxes = () if one.text is None else one.text.result()
            if picture.dicom is not None and is_lateral(picture.dicom.view or ""):
                self._ignore(one.name, one.path, one.size, _LATERAL)
                return
            if boxes and self._options.text == "hold":
                raise _HELD
            copy = self._copy(one, picture, boxes)
        except FileError as error:
            # An index of a disc is no picture that somebody misses.
            if error.code == "dicomdir":
                self._ignore(one.name, one.path, one.size, "system files")
            else:
                self._refuse(one.name, one.path, one.size, error)
            return
        pixels = paint_black(picture.pixels, boxes)
        depth = picture.depth
        write_png(
            self._folder.work_png(one.path),
            # Levels of unknown depth wait for those of the other pictures.
            pixels if depth is None else GreyScale.to_eight_bits(pixels, depth),
        )
        self._folder.keep(
            Waiting(
                path=one.path,
                size=one.size,
                row=self._row(one.placement, picture),
                grey=Grey(
                    group=picture.group,
                    folder="/".join(folder_hashes(one.parts, self._options.key)),
                    high=picture.high,
                    depth=depth,
                ),
                found=(*picture.metadata, *(copy.found if copy else ())),
                removed=copy.removed if copy else (),
                replaced=copy.replaced if copy else (),
                codes=copy.codes if copy else (),
                has_dicom=copy is not None,
                text_boxes=len(boxes),
            )
        )
        self._count()

    def _copy(self, one: _Candidate, picture: Picture, boxes: Sequence[Box]) -> DicomCopy | None:
        """Write the scrubbed DICOM file beside the picture."""
        if not self._options.keep_dicom or picture.dicom is None:
            return None
        copy = copy_dicom(one.data, self._options.key, boxes)
        target = self._folder.work_dicom(one.path)
        draft = target.with_suffix(".part")
        draft.write_bytes(copy.data)
        draft.replace(target)
        return copy

    def _row(self, placement: Placement, picture: Picture) -> Row:
        key = self._options.key
        dicom = picture.dicom
        patient = None if placement.patient is None else hash_patient(placement.patient, key)
        assert placement.class_name is not None, "those without a class were left out"
        return Row(
            label=placement.class_name,
            patient=patient or (dicom.patient if dicom else None) or "",
            split=placement.split or "",
            view=known_view(placement.view or (dicom.view if dicom else None)),
            site=safe_site(placement.site, key),
        )

    def _refuse(self, name: str, path: str, size: int, error: FileError) -> None:
        self._put(FileReceipt(
            file=name, path=path, size=size, status="refused", code=error.code, reason=error.reason
        ))  # fmt: skip

    def _ignore(self, name: str, path: str, size: int, reason: str) -> None:
        self._put(FileReceipt(file=name, path=path, size=size, status="ignored", reason=reason))

    def _put(self, receipt: FileReceipt) -> None:
        self._folder.add(receipt)
        self._count()

    def _count(self) -> None:
        self._done += 1
        self._on_progress(
            Progress(phase="reading", done=self._done, total=self._files, unit="files")
        )
