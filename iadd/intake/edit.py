"""Applies decisions to single pictures: merged classes, turned greys, boxes painted black."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from iadd.intake.decisions import Decisions
from iadd.intake.records import Record

Pixels = npt.NDArray[np.uint8]

DIGEST_BYTES = 16


def edit_record(record: Record, pixels: Pixels, decisions: Decisions) -> Record:
    """Return the record of a picture after the decisions about it."""
    name = decisions.merge.get(record.class_name, record.class_name)
    if record.path in decisions.turn or record.path in decisions.blank:
        grey = edit_pixels(pixels, record.path, decisions)
        return replace(record, class_name=name, digest=digest_of(grey))
    return record if name == record.class_name else replace(record, class_name=name)


def edit_pixels(pixels: Pixels, path: str, decisions: Decisions) -> Pixels:
    """Return the picture of a file, uint8 (S, S), after the decisions about it."""
    boxes = decisions.blank.get(path, ())
    turned = path in decisions.turn
    if not boxes and not turned:
        return pixels
    changed = np.array(pixels)
    if turned:
        changed = 255 - changed
    height, width = changed.shape
    for left, top, right, bottom in boxes:
        # Outwards to whole pixels, and one more: a letter's edge was blurred by the resizing.
        rows = slice(max(0, top * height // 1000 - 1), -(-bottom * height // 1000) + 1)
        columns = slice(max(0, left * width // 1000 - 1), -(-right * width // 1000) + 1)
        changed[rows, columns] = 0
    return changed


def digest_of(pixels: Pixels) -> str:
    """Return what equal pixels share, in hexadecimal."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=DIGEST_BYTES).hexdigest()
