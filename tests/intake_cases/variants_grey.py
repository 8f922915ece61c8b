"""Second cases of each kind: how grey values are meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from tests.fixtures.dicom import LOSSLESS, LOSSY, window_of, write_dicom
from tests.iadd.intake.pictures.drawing import raw_tiff
from tests.intake_cases.case import REJECTED, Case
from tests.intake_cases.drawing import Files, Pixels, chest, encode, png_with_chunks, write_zip
from tests.intake_cases.variant import Variant

FINDINGS = ("COVID", "Normal")
Draw = Callable[[Pixels, int], bytes]
"""Encodes a chest of some bits, and its number."""


def grey(
    name: str,
    of: str,
    bits: int,
    draw: Draw,
    *,
    ending: str = "png",
    count: int = 5,
    pattern: str = "{c}/{i}.{e}",
    **case: Any,
) -> Variant:
    """Two classes of chests of `bits`, as `draw` encodes them; all must look like the chests."""
    given: dict[str, Any] = {"classes": dict.fromkeys(FINDINGS, count), "looks": bits} | case

    def write(path: Path) -> Path:
        files: Files = {}
        for first, finding in enumerate(FINDINGS):
            for i in range(count):
                number = 50 * first + i
                file = pattern.format(c=finding, i=i, e=ending)
                files[file] = draw(chest(finding, number, bits), number)
        return write_zip(path, files)

    return Variant(of, Case(name=name, **given), write)


def marked(value: int, share: float, *, only: int | None = None) -> Callable[[Pixels, int], Pixels]:
    """Put a marker of some share of the picture into a corner, on all or on one of the pictures."""

    def mark(pixels: Pixels, number: int) -> Pixels:
        side = max(1, round((share * pixels.size) ** 0.5))
        if only is None or number == only:
            pixels = pixels.copy()
            pixels[2 : 2 + side, 2 : 2 + side] = value
        return pixels

    return mark


def png_of(change: Callable[[Pixels, int], Pixels] = lambda pixels, number: pixels) -> Draw:
    return lambda pixels, number: encode(change(pixels, number))


def tiff_of(change: Callable[[Pixels, int], Pixels] = lambda p, n: p, **options: Any) -> Draw:
    return lambda pixels, number: encode(change(pixels, number), "TIFF", **options)


def colours(*scale: int, alpha: int | None = None) -> Callable[[Pixels, int], Pixels]:
    def stack(pixels: Pixels, number: int) -> Pixels:
        planes = [pixels for _ in scale]
        if alpha is not None:
            planes.append(np.full_like(pixels, alpha))
        return np.stack(planes, axis=-1)

    return stack


def codec_png(change: Callable[[Pixels, int], Pixels]) -> Draw:
    return lambda pixels, number: imagecodecs.png_encode(change(pixels, number))


def codec_tiff(change: Callable[[Pixels, int], Any], **options: Any) -> Draw:
    return lambda pixels, number: raw_tiff(change(pixels, number), **options)


def hidden(mode: str) -> Draw:
    """A picture whose corner is transparent, with white hidden below."""

    def draw(pixels: Pixels, number: int) -> bytes:
        shown = pixels.copy()
        shown[:20, :20] = 255
        opaque = np.full_like(shown, 255)
        opaque[:20, :20] = 0
        image = Image.merge("LA", [Image.fromarray(shown), Image.fromarray(opaque)])
        return encode(image.convert(mode), "WEBP" if mode == "RGBA;webp" else "PNG")

    return draw


def black_corner(pixels: Pixels) -> Pixels:
    pixels = pixels.copy()
    pixels[:20, :20] = 0
    return pixels


def significant(bits: int, shift: int) -> Draw:
    """A PNG whose writer says how many bits count; shifted to the top of the words or not."""
    return lambda pixels, number: png_with_chunks(encode(pixels << shift), (b"sBIT", bytes([bits])))


def palette(pixels: Pixels, number: int) -> bytes:
    image = Image.fromarray(255 - pixels)
    indexed = Image.new("P", image.size)
    indexed.putdata(image.tobytes())
    indexed.putpalette([value for grey in range(255, -1, -1) for value in (grey, grey, grey)])
    return encode(indexed)


def hot(pixels: Pixels, number: int) -> Pixels:
    pixels = pixels.copy()
    pixels[number % 50, (7 * number) % 50] = 65535
    return pixels


def dim(pixels: Pixels, number: int) -> Pixels:
    """Every other picture is exposed with a fifth of the dose."""
    return pixels // 5 if number % 2 else pixels


def float_tiff(scale: float) -> Callable[[Pixels, int], Any]:
    return lambda pixels, number: (pixels * scale).astype(np.float32)


def dicom(**elements: Any) -> Draw:
    bits = elements.pop("bits", 12)
    return lambda pixels, number: write_dicom(
        pixels,
        bits=bits,
        PatientName="PLANTED^NAME",
        PatientID=f"PLANTED-{number}",
        SOPInstanceUID=f"1.2.3.{number + 1}",
        **(window_of(bits) | elements),
    )


def inverted_dicom(shape: str | None) -> Draw:
    extra = {} if shape is None else {"PresentationLUTShape": shape}

    def draw(pixels: Pixels, number: int) -> bytes:
        return dicom(PhotometricInterpretation="MONOCHROME1", **extra)(4095 - pixels, number)

    return draw


def signed_dicom(pixels: Pixels, number: int) -> bytes:
    values = pixels.astype(np.int16) - 1024
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    return dicom(bits=16, RescaleSlope=1, RescaleIntercept=1024, **window)(values, number)


METADATA: dict[str, Any] = {"findings": {"metadata": 10}, "planted": ("PLANTED",), "patients": 10}

VARIANTS = [
    grey("10bit-marker-1023", "12bit-marker-65535", 10, png_of(marked(65535, 0.01))),
    grey("14bit-marker-on-one", "12bit-marker-65535", 14, png_of(marked(65535, 0.02, only=2))),
    grey("12bit-marker-16383", "12bit-marker-65535", 12, png_of(marked(16383, 0.01))),
    grey("12bit-large-marker", "12bit-marker-65535", 12, png_of(marked(65535, 0.025))),
    grey("12bit-tiff-marker", "12bit-marker-65535", 12, tiff_of(marked(65535, 0.01)), ending="tif"),
    grey(
        "12bit-lzw-marker",
        "12bit-marker-65535",
        12,
        tiff_of(marked(65535, 0.01), compression="tiff_lzw"),
        ending="tiff",
    ),
    grey("10bit-hot-pixel", "12bit-one-pixel-4096", 10, png_of(hot)),
    grey("14bit-hot-pixel", "12bit-one-pixel-4096", 14, png_of(hot)),
    grey("9bit", "15bit", 9, png_of()),
    grey("10bit", "15bit", 10, png_of()),
    grey("11bit", "15bit", 11, png_of()),
    grey("13bit", "15bit", 13, png_of()),
    grey("14bit-tiff", "15bit", 14, tiff_of(), ending="tif"),
    grey("16bit", "15bit", 16, png_of()),
    grey("significant-12-of-16", "15bit", 12, significant(12, 0)),
    grey("significant-12-shifted", "15bit", 12, significant(12, 4)),
    grey(
        "doses",
        "mixed-maxima",
        12,
        png_of(dim),
        looks=None,
        grey_like=dim,
        findings={"low_contrast": 3},
    ),
    grey(
        "doses-dicom",
        "mixed-maxima",
        12,
        lambda p, n: dicom()(dim(p, n), n),
        looks=None,
        grey_like=dim,
        ending="dcm",
        **(METADATA | {"findings": {"metadata": 10, "low_contrast": 3}}),
    ),
    grey(
        "8bit-low-contrast",
        "raw-30000-34000",
        8,
        png_of(lambda p, n: 100 + p // 12),
        looks=None,
        findings={"low_contrast": 10},
    ),
    grey(
        "raw-60000-62000",
        "raw-30000-34000",
        12,
        png_of(lambda p, n: 60000 + p // 2),
        looks=None,
        findings={"low_contrast": 10},
    ),
    grey("rgb16-14bit", "rgb16-12bit", 14, codec_png(colours(1, 1, 1))),
    grey("rgba16-12bit", "rgb16-12bit", 12, codec_png(colours(1, 1, 1, alpha=65535))),
    grey(
        "rgb16-tiff", "rgb16-12bit", 12, codec_tiff(colours(1, 1, 1), photometric=2), ending="tif"
    ),
    grey("la16-10bit", "la16-12bit", 10, codec_png(colours(1, alpha=65535))),
    grey("la16-half", "la16-12bit", 16, codec_png(colours(1, alpha=65535))),
    grey(
        "la-hidden",
        "alpha-hidden-white",
        8,
        hidden("LA"),
        looks=None,
        grey_like=lambda p, n: black_corner(p),
    ),
    grey(
        "rgba-hidden",
        "alpha-hidden-white",
        8,
        hidden("RGBA"),
        looks=None,
        grey_like=lambda p, n: black_corner(p),
    ),
    grey(
        "jpeg-12bit",
        "webp-named-png",
        12,
        lambda p, n: imagecodecs.jpeg8_encode(p, level=95, bitspersample=12),
        ending="jpg",
    ),
    grey(
        "jpeg-lossless",
        "webp-named-png",
        12,
        lambda p, n: imagecodecs.jpeg8_encode(p, lossless=True, predictor=1, bitspersample=12),
        ending="jpg",
    ),
    grey("jpeg-ls", "webp-named-png", 12, lambda p, n: imagecodecs.jpegls_encode(p), ending="jls"),
    grey("jpeg-ls-8", "webp-named-png", 8, lambda p, n: imagecodecs.jpegls_encode(p), ending="jpg"),
    grey("palette-backwards", "alpha-hidden-white", 8, palette),
    grey(
        "minwhite-8",
        "tiff-minwhite-16-be",
        8,
        codec_tiff(lambda p, n: 255 - p, photometric=0),
        ending="tif",
    ),
    grey(
        "minwhite-le-16",
        "tiff-minwhite-16-be",
        16,
        codec_tiff(lambda p, n: 65535 - p, photometric=0),
        ending="tif",
    ),
    grey(
        "grey-be-16", "tiff-minwhite-16-be", 12, codec_tiff(lambda p, n: p, order=">"), ending="tif"
    ),
    grey(
        "float-0-1",
        "tiff-grey-alpha-16",
        12,
        codec_tiff(float_tiff(1 / 4095), sample_format=3),
        ending="tif",
        looks=None,
        classes={},
        status=REJECTED,
        refused={"unsupported_pixels": 10},
        said=("fractions",),
    ),
    grey(
        "float-levels",
        "tiff-grey-alpha-16",
        12,
        codec_tiff(float_tiff(1), sample_format=3),
        ending="tif",
    ),
    grey(
        "int32",
        "tiff-grey-alpha-16",
        12,
        codec_tiff(lambda p, n: p.astype(np.int32), sample_format=2),
        ending="tif",
    ),
    grey(
        "int16",
        "tiff-grey-alpha-16",
        12,
        codec_tiff(lambda p, n: p.astype(np.int16), sample_format=2),
        ending="tif",
    ),
    grey(
        "tiff-rgb-alpha",
        "tiff-grey-alpha-16",
        8,
        codec_tiff(colours(1, 1, 1, alpha=255), photometric=2, extra=2),
        ending="tif",
    ),
    grey(
        "tiff-deflate",
        "tiff-grey-alpha-16",
        8,
        tiff_of(compression="tiff_adobe_deflate"),
        ending="tif",
    ),
    grey("tiff-jpeg", "tiff-grey-alpha-16", 8, tiff_of(compression="jpeg"), ending="tif"),
    *(
        grey(
            f"dicom {name}",
            "dicom-syntaxes",
            12,
            lambda p, n, syntax=syntax: dicom(syntax=syntax)(p, n),
            ending="dcm",
            **METADATA,
        )
        for name, syntax in (LOSSLESS | LOSSY).items()
    ),
    grey(
        "dicom without window",
        "dicom-syntaxes",
        12,
        lambda p, n: write_dicom(p, PatientID=f"PLANTED-{n}", SOPInstanceUID=f"1.2.{n + 1}"),
        ending="dcm",
        **(METADATA | {"looks": None}),
    ),
    grey(
        "dicom window of 1",
        "dicom-syntaxes",
        12,
        dicom(WindowCenter=99999, WindowWidth=1),
        ending="dcm",
        **(METADATA | {"looks": None}),
    ),
    grey(
        "dicom two windows",
        "dicom-syntaxes",
        12,
        dicom(WindowCenter=[2048, 100], WindowWidth=[4096, 10]),
        ending="dcm",
        **METADATA,
    ),
    grey(
        "dicom inverse", "dicom-syntaxes", 12, inverted_dicom("INVERSE"), ending="dcm", **METADATA
    ),
    grey(
        "dicom monochrome1",
        "dicom-syntaxes",
        12,
        inverted_dicom(None),
        ending="",
        pattern="{c}/IM{i}{e}",
        **METADATA,
    ),
    grey("dicom signed", "dicom-syntaxes", 12, signed_dicom, ending="dcm", **METADATA),
    grey(
        "dicom no preamble implicit",
        "dicom-no-preamble",
        12,
        lambda p, n: dicom(syntax=LOSSLESS["implicit"], preamble=False)(p, n),
        ending="",
        pattern="{c}/{i}{e}",
        **METADATA,
    ),
    grey(
        "dicom no meta explicit",
        "dicom-no-preamble",
        12,
        lambda p, n: dicom(meta=False)(p, n),
        ending="ima",
        **METADATA,
    ),
    grey(
        "dicom no meta big endian",
        "dicom-no-preamble",
        12,
        lambda p, n: dicom(syntax=LOSSLESS["big endian"], meta=False)(p, n),
        ending="dcm",
        **METADATA,
    ),
    grey("dicom called png", "dicom-no-preamble", 12, dicom(), ending="png", **METADATA),
    grey(
        "dicom secondary capture",
        "dicom-syntaxes",
        8,
        lambda p, n: dicom(bits=8, Modality="SC", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")(p, n),
        ending="dcm",
        **(METADATA | {"findings": {"metadata": 10, "secondary_capture": 10}}),
    ),
]
