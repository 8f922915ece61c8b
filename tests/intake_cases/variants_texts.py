"""Second cases of names that devices burned into pictures: other words, places, sizes, colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from iadd.cohort import draw_image
from tests.fixtures.dicom import window_of, write_dicom
from tests.intake_cases.case import Case
from tests.intake_cases.drawing import Files, Pixels, encode, write_zip
from tests.intake_cases.variant import Variant

TWO = ("COVID", "Normal")
EACH = 3
Drawn = Callable[[ImageDraw.ImageDraw, int], None]
"""Draws into a picture of a side."""


def line(text: str, place: tuple[float, float], height: int, ink: int = 255) -> Drawn:
    """A line of text; `place` is a share of the side."""

    def draw(into: ImageDraw.ImageDraw, side: int) -> None:
        at = (round(place[0] * side), round(place[1] * side))
        into.text(at, text, fill=ink, font=ImageFont.load_default(size=height))

    return draw


def strip(text: str, top: float, height: int, *, paper: int, ink: int) -> Drawn:
    """A line on a strip across the whole picture, as printers of films leave it."""

    def draw(into: ImageDraw.ImageDraw, side: int) -> None:
        above = round(top * side)
        into.rectangle((0, above, side, above + 2 * height), fill=paper)
        line(text, (0.05, top + 0.4 * height / side), height, ink)(into, side)

    return draw


def burned(number: int, side: int, drawn: Drawn | None) -> Pixels:
    """A chest, and what a device wrote into it."""
    image = Image.fromarray(np.asarray(draw_image(TWO[number // EACH], number, image_size=side)))
    if drawn is not None:
        drawn(ImageDraw.Draw(image), side)
    return np.asarray(image)


def as_dicom(pixels: Pixels, number: int) -> bytes:
    """In 16 bits, as detectors that use all of them write."""
    levels = pixels.astype(np.uint16) * 257
    return write_dicom(
        levels, bits=16, SOPInstanceUID=f"1.2.9.{number}", PatientID=f"P{number}", **window_of(16)
    )


def texts(
    name: str,
    drawn: Sequence[Drawn | None],
    found: int,
    *,
    sides: Sequence[int] = (256,),
    ending: str = "png",
    write: Callable[[Pixels, int], bytes] = lambda pixels, number: encode(pixels),
    **case: object,
) -> Variant:
    """Six pictures of two classes; `found` of them have text that may name somebody."""
    described = Case(
        name=f"text-{name}",
        classes=dict.fromkeys(TWO, EACH),
        has_text=found,
        planted=("OKAFOR", "4711"),
        **case,  # type: ignore[arg-type]
    )

    def pack(path: Path) -> Path:
        files: Files = {
            f"{TWO[number // EACH]}/{number}.{ending}": write(
                burned(number, sides[number % len(sides)], one), number
            )
            for number, one in enumerate(drawn)
        }
        return write_zip(path, files)

    return Variant("burned-in-name", described, pack)


VARIANTS = [
    texts(
        "in-all-places",
        [
            line("OKAFOR, CHIDI", (0.03, 0.02), 13),
            line("Lindqvist Astrid", (0.35, 0.93), 14),
            line("R", (0.05, 0.05), 22),
            line("ID 4711-0815", (0.6, 0.02), 20),
            line("*07.11.1949", (0.05, 0.9), 30),
            None,
        ],
        4,
        sides=(256, 320, 480),
    ),
    texts(
        "on-strips",
        [
            strip("OKAFOR CHIDI M 52Y", 0.0, 14, paper=255, ink=0),
            strip("Pat. 4711 2019-03-05", 0.88, 14, paper=255, ink=0),
            strip("Krankenhaus Nord", 0.0, 16, paper=0, ink=255),
            strip("LINDQVIST A.", 0.85, 18, paper=0, ink=255),
            None,
            line("PORTABLE", (0.3, 0.03), 16),
        ],
        4,
    ),
    texts(
        "in-16-bit-dicom",
        [
            line("OKAFOR CHIDI", (0.03, 0.02), 14),
            None,
            strip("ACC 4711 08:15", 0.88, 14, paper=255, ink=0),
            line("AP", (0.85, 0.05), 18),
            line("Lindqvist, Astrid", (0.3, 0.9), 16),
            None,
        ],
        3,
        ending="dcm",
        write=as_dicom,
        findings={"metadata": 6},
    ),
]
