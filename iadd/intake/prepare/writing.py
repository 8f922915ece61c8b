"""The second half of a preparation: pictures get their grey levels, numbers and receipts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from iadd.intake.pictures.grey import GreyScale
from iadd.intake.prepare.folder import PreparedFolder
from iadd.intake.prepare.grey_png import read_png, write_png
from iadd.intake.prepare.receipt import FileReceipt, Grey, Waiting
from iadd.runtime.progress import Progress, ProgressListener


class PictureWriter:
    """Writes the pictures that wait in a folder.

    Args:
        folder: of the preparation.
        names: of the original files by their hashes, for the receipts.
        on_progress: phase ``writing``.
    """

    def __init__(
        self, folder: PreparedFolder, names: Mapping[str, str], on_progress: ProgressListener
    ) -> None:
        self._folder = folder
        self._names = names
        self._on_progress = on_progress
        self._scale = GreyScale()
        waiting = folder.waiting
        for grey in self._written().values():
            self._add(grey)
        for one in waiting.values():
            self._add(one.grey)

    def _written(self) -> dict[str, Grey]:
        """Pictures of earlier runs, without those that are to be written anew."""
        return {
            path: receipt.grey
            for path, receipt in self._folder.receipts.items()
            if receipt.became and receipt.grey and path not in self._folder.waiting
        }

    def _add(self, grey: Grey) -> None:
        self._scale.add(grey.group, grey.folder, grey.high, grey.depth)

    def _depth_of(self, grey: Grey) -> int:
        return grey.depth or self._scale.depth_of(grey.group, grey.folder)

    def scaled_otherwise(self) -> set[str]:
        """Return pictures of earlier runs whose depth is another one, now that more were read."""
        return {path for path, grey in self._written().items() if grey.used != self._depth_of(grey)}

    def write(self) -> None:
        """Write all that waits, in an order that says nothing of the files' names."""
        waiting = sorted(self._folder.waiting)
        for done, path in enumerate(waiting):
            self._report(done, len(waiting))
            self._write(self._folder.waiting[path])
        self._report(len(waiting), len(waiting))

    def _report(self, done: int, total: int) -> None:
        self._on_progress(
            Progress(phase="writing", done=done, total=max(1, total), unit="pictures")
        )

    def _write(self, one: Waiting) -> None:
        folder = self._folder
        name = folder.name_for(one)
        depth = self._depth_of(one.grey)
        work = folder.work_png(one.path)
        target = folder.path / f"{name}.png"
        target.parent.mkdir(exist_ok=True)
        if one.grey.depth is None:
            write_png(target, GreyScale.to_eight_bits(read_png(work), depth))
        else:
            work.replace(target)
        dicom = self._place_dicom(one, name) if one.has_dicom else None
        folder.add(
            FileReceipt(
                file=self._names[one.path],
                path=one.path,
                size=one.size,
                status="accepted",
                became=f"{name}.png",
                dicom=dicom,
                found=one.found,
                removed=one.removed,
                replaced=one.replaced,
                codes=one.codes,
                text_boxes=one.text_boxes,
                row=one.row,
                grey=replace(one.grey, used=depth),
            )
        )
        work.unlink(missing_ok=True)
        del folder.waiting[one.path]

    def _place_dicom(self, one: Waiting, name: str) -> str | None:
        folder = self._folder
        work = folder.work_dicom(one.path)
        if folder.dicom is None:
            return None
        target = folder.dicom / f"{name}.dcm"
        target.parent.mkdir(parents=True, exist_ok=True)
        if work.exists():
            work.replace(target)
        return f"{name}.dcm"
