"""Scrubs a DICOM file for a hospital that keeps or sends DICOM, not only grey pictures."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from iadd.intake.deidentify.silence import values_unlogged
from iadd.intake.errors import FileError
from iadd.intake.prepare.text import Box

_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[3]
_INHERITED = ("SYSTEMROOT", "PATH", "LD_LIBRARY_PATH", "TEMP", "TMP")


@dataclass(frozen=True)
class DicomCopy:
    """A scrubbed file and what was taken out of it; see `iadd.intake.deidentify.receipt`."""

    data: bytes
    found: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    codes: tuple[str, ...]


def copy_dicom(data: bytes, key: bytes, boxes: Sequence[Box] = ()) -> DicomCopy:
    """Scrub a DICOM file after PS3.15 Annex E.

    Args:
        data: the file.
        key: secret of the hashes.
        boxes: places of text, which are painted black in its pixels.

    Raises:
        FileError: it cannot be scrubbed.
    """
    # pydicom takes a while to load, and most preparations need none of it here.
    from pydicom import dcmread

    from iadd.intake.deidentify.scrub import scrub, to_bytes

    if boxes:
        data = _blanked(data, boxes)
    try:
        with values_unlogged():
            dataset = dcmread(io.BytesIO(data), force=True)
    except Exception:  # noqa: BLE001  its message may repeat values of the header
        raise FileError("damaged", "Its DICOM header is damaged; export it again.") from None
    receipt = scrub(dataset, key, pixels_cleaned=bool(boxes))
    return DicomCopy(
        to_bytes(dataset), receipt.kinds, receipt.removed, receipt.replaced, receipt.codes
    )


def _blanked(data: bytes, boxes: Sequence[Box]) -> bytes:
    """Paint in a process of its own: pixels that are compressed have to be decoded."""
    head = json.dumps([asdict(box) for box in boxes]).encode() + b"\n"
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "iadd.intake.prepare.blank_dicom"],
            input=head + data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
            env={**environment, "PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode or not done.stdout:
        raise FileError(
            "text_not_blanked",
            "Text stands in its DICOM pixels and could not be painted over; export it "
            "uncompressed, or leave --keep-dicom out.",
        )
    return done.stdout
