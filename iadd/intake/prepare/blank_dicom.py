"""Paints places of a DICOM picture black; `dicom_copy` starts it, as a process with limits.

It reads the places as one line of JSON, then the file, from standard input, and writes the file,
uncompressed and not scrubbed yet, to standard output.
"""

from __future__ import annotations

import io
import json
import sys

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset

from iadd.intake.deidentify.silence import values_unlogged
from iadd.intake.pictures.confinement import confine
from iadd.intake.pictures.dicom_codecs import plugin_for, register
from iadd.intake.pictures.dicom_header import transfer_syntax_of
from iadd.intake.prepare.text import Box, edges

_MEMORY = 2 << 30


def main() -> None:
    """Paint one file."""
    boxes = [Box(**box) for box in json.loads(sys.stdin.buffer.readline())]
    data = sys.stdin.buffer.read()
    confine(_MEMORY)
    with values_unlogged():
        sys.stdout.buffer.write(blanked(data, boxes))


def blanked(data: bytes, boxes: list[Box]) -> bytes:
    """Return a file of one grey picture with its places painted black."""
    dataset = dcmread(io.BytesIO(data), force=True)
    syntax = transfer_syntax_of(dataset)
    if not getattr(dataset, "file_meta", None):
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        register()
        dataset.decompress(plugin_for(syntax), as_rgb=False, generate_instance_uid=False)
    order = ">" if syntax.is_implicit_VR is False and not syntax.is_little_endian else "<"
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    words = np.frombuffer(dataset.PixelData, f"{order}{kind}{int(dataset.BitsAllocated) // 8}")
    pixels = words[: rows * columns].reshape(rows, columns).copy()
    inverse = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    black = pixels.max() if inverse else pixels.min()
    for box in boxes:
        top, bottom = edges(box.top, box.bottom, rows)
        left, right = edges(box.left, box.right, columns)
        pixels[top:bottom, left:right] = black
    content = pixels.tobytes()
    dataset.PixelData = content + bytes(len(content) % 2)
    file = io.BytesIO()
    dcmwrite(file, dataset)
    return file.getvalue()


if __name__ == "__main__":
    main()
