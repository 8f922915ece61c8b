"""Finds text that is burned into pictures, without letting it out.

PP-OCRv6 (rapidocr, with its weights in the package) finds lines and reads them, offline. A line
that reads better mirrored or upside down is read so: films are scanned from either side. What
leaves is where text is, how sure that is, and whether it is one of the markers that X-ray
pictures carry.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.intake.text.markers import is_harmless, is_short

LEAST_SIDE = 480
MOST_SIDE = 736
"""Pixels of the longer side of a picture when it is read; letters of 1 % of it are found."""
LEAST_SCORE = 0.5
LEAST_SCORE_TURNED = 0.75
"""What is read mirrored or upside down only: ribs make letters there."""
_CLEAR = 0.9
_FRAME = 0.5
"""Share of the picture from which a box is the chest itself, not text."""
_MARGIN = 0.15
"""Of the height of a line: what a box is widened by."""
_THREADS = 1

_Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TextBox:
    """A line of text in a picture.

    Attributes:
        x0, y0, x1, y1: its edges in pixels; the right and lower one are beyond it.
        score: how sure the reading is, 0 to 1.
        harmless: whether it is a marker (a side, a view, a posture, an exposure).
    """

    x0: int
    y0: int
    x1: int
    y1: int
    score: float
    harmless: bool


class TextReader:
    """Reads pictures one by one; loading it takes about a second and 150 megabytes."""

    def __init__(self) -> None:
        # The libraries log what they load, and to the console.
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        from rapidocr import RapidOCR

        self._engine: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Global.text_score": 0.0,
                "EngineConfig.onnxruntime.intra_op_num_threads": _THREADS,
                "EngineConfig.onnxruntime.inter_op_num_threads": _THREADS,
                "Det.limit_side_len": MOST_SIDE,
                "Det.limit_type": "max",
            }
        )

    def read(self, image: _Grey) -> list[TextBox]:
        """Return the lines of text in a picture, from the top.

        Args:
            image: uint8 (H, W), at its original size if possible.
        """
        if min(image.shape) < 8 or int(image.max()) == int(image.min()):
            return []
        height, width = image.shape
        longer = max(height, width)
        scale = min(max(longer, LEAST_SIDE), MOST_SIDE) / longer
        size = (max(8, round(width * scale)), max(8, round(height * scale)))
        shrunk = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        lines = [
            line
            for quadrangle, text, score in self._lines(shrunk)
            if (line := self._judge(shrunk, quadrangle, text, score)) is not None
        ]
        return sorted(
            (_in_original(box, scale, width, height) for box in _with_doubtful(lines)),
            key=lambda box: (box.y0, box.x0),
        )

    def _lines(self, image: _Grey) -> Iterator[tuple[npt.NDArray[np.float32], str, float]]:
        result = self._engine(_as_colour(image), use_det=True, use_cls=False, use_rec=True)
        if result.boxes is not None and result.txts is not None:
            yield from zip(result.boxes, result.txts, result.scores, strict=True)

    def _judge(
        self, image: _Grey, quadrangle: npt.NDArray[np.float32], text: str, score: float
    ) -> _Line | None:
        height, width = image.shape
        left, top = np.floor(quadrangle.min(axis=0)).astype(int).clip(0).tolist()
        right, bottom = np.ceil(quadrangle.max(axis=0)).astype(int).tolist()
        right, bottom = min(right, width), min(bottom, height)
        if (right - left) * (bottom - top) > _FRAME * width * height:
            return None
        if right <= left or bottom <= top:
            return None
        least = LEAST_SCORE
        if score < _CLEAR:
            for turned in _turned(image[top:bottom, left:right]):
                other, sure = self._read_line(turned)
                if sure > score:
                    text, score, least = other, sure, LEAST_SCORE_TURNED
        if score < least or not any(letter.isalnum() for letter in text):
            return None
        box = TextBox(left, top, right, bottom, round(float(score), 3), is_harmless(text))
        return _Line(box, is_short(text))

    def _read_line(self, image: _Grey) -> tuple[str, float]:
        result = self._engine(_as_colour(image), use_det=False, use_cls=False, use_rec=True)
        if not result.txts:
            return "", 0.0
        return str(result.txts[0]), float(result.scores[0])


@dataclass(frozen=True)
class _Line:
    box: TextBox
    short: bool


def blank_boxes(image: _Grey, boxes: Sequence[TextBox]) -> _Grey:
    """Return a copy of a picture (H, W) with its boxes filled by the grey around them."""
    blanked = image.copy()
    for box in boxes:
        around = image[max(0, box.y0 - 2) : box.y1 + 2, max(0, box.x0 - 2) : box.x1 + 2]
        edge = np.concatenate([around[0], around[-1], around[:, 0], around[:, -1]])
        blanked[box.y0 : box.y1, box.x0 : box.x1] = np.uint8(np.median(edge))
    return blanked


def _with_doubtful(lines: Sequence[_Line]) -> list[TextBox]:
    """Two letters beside a line that may be a name may be a name too: Li, Wu, Ng."""
    named = any(not line.box.harmless and not line.short for line in lines)
    return [
        replace(line.box, harmless=not named) if line.short and not line.box.harmless else line.box
        for line in lines
    ]


def _turned(line: _Grey) -> Iterator[_Grey]:
    """Yield a line in the other directions that it may be meant to be read in."""
    if line.shape[0] > 1.5 * line.shape[1]:
        upright = np.rot90(line)
        yield from (upright[::-1], upright[:, ::-1], upright[::-1, ::-1])
    yield from (line[:, ::-1], line[::-1, ::-1], line[::-1])


def _as_colour(image: _Grey) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.broadcast_to(image[:, :, None], (*image.shape, 3)))


def _in_original(box: TextBox, scale: float, width: int, height: int) -> TextBox:
    margin = _MARGIN * min(box.y1 - box.y0, box.x1 - box.x0)
    return replace(
        box,
        x0=max(0, int((box.x0 - margin) / scale)),
        y0=max(0, int((box.y0 - margin) / scale)),
        x1=min(width, int((box.x1 + margin) / scale) + 1),
        y1=min(height, int((box.y1 + margin) / scale) + 1),
    )
