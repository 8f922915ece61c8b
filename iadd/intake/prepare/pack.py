"""Packs a prepared folder for the way to a portal: the manifest and its pictures, nothing else."""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
from pathlib import Path

from iadd.intake.deidentify.names import mask_path
from iadd.intake.prepare.folder import PreparedFolderError, is_finished
from iadd.intake.prepare.manifest import MANIFEST
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can hold; a fixed one says nothing and makes equal sets equal files."""
_PICTURE = re.compile(r"[^/\\]+/\d{6,}\.png")
_ENDINGS = frozenset((".zip", ".tar", ".gz", ".tgz", ".zst", ".xz", ".bz2"))
_PNG = b"\x89PNG\r\n\x1a\n"


def pack(
    folder: Path, target_folder: Path, *, on_progress: ProgressListener = ignore_progress
) -> Path:
    """Pack a prepared folder into a zip without compression, which pictures do not need.

    A set that was packed before is not packed again, so that an interrupted upload continues.

    Args:
        folder: a finished preparation.
        target_folder: where the zip is written.
        on_progress: phase ``packing``.

    Returns:
        The zip.

    Raises:
        PreparedFolderError: the preparation is not finished, or was changed by hand.
        OSError: the disc is full, or a picture is gone.
    """
    if not is_finished(folder):
        raise PreparedFolderError(
            f"The preparation of {folder} is not finished. Run the same `exchange prepare` again, "
            "which goes on, and then upload. Nothing was sent."
        )
    manifest = (folder / MANIFEST).read_bytes()
    names = [row["file"] for row in csv.DictReader(manifest.decode().splitlines())]
    target_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = target_folder / f"prepared-{_digest(folder, manifest, names)}.zip"
    if target.exists():
        return target
    draft = target.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, _DATE), manifest)
        for done, name in enumerate(names):
            on_progress(Progress(phase="packing", done=done, total=len(names) + 1, unit="pictures"))
            archive.writestr(zipfile.ZipInfo(name, _DATE), _picture(folder, name))
    draft.replace(target)
    return target


def shown_name(source: Path) -> str:
    """Return the name of a source, where no word of it may name a patient, for its dataset."""
    name = source.name
    while (stem := Path(name)).suffix.lower() in _ENDINGS:
        name = stem.stem
    return name if mask_path((name,), (), b"") == name else "Prepared images"


def work_name(source: Path, settings: str) -> str:
    """Return a name for the work on a source, the same for the same settings."""
    what = f"{source.resolve()}\0{settings}"
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _picture(folder: Path, name: str) -> bytes:
    content = (folder / name).read_bytes() if _PICTURE.fullmatch(name) else b""
    # Header, pixels, end: whatever else is in it was put there by somebody else.
    if not content.startswith(_PNG) or _chunks(content) - {b"IHDR", b"IDAT", b"IEND"}:
        raise PreparedFolderError(
            f"{name or 'A line'} of {MANIFEST} is not a picture that `exchange prepare` wrote. "
            "Nothing was sent. Prepare the source again, into another folder."
        )
    return content


def _chunks(png: bytes) -> set[bytes]:
    kinds = set()
    place = len(_PNG)
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        kinds.add(png[place + 4 : place + 8])
        place += size + 12
    return kinds


def _digest(folder: Path, manifest: bytes, names: list[str]) -> str:
    """What tells two states of a folder apart: the table, and when its pictures were written."""
    digest = hashlib.sha256(manifest)
    for name in names:
        status = (folder / name).stat() if _PICTURE.fullmatch(name) else None
        digest.update(f"{status and (status.st_size, status.st_mtime_ns)}".encode())
    return digest.hexdigest()[:16]
