"""Brings a Pillow image of 8 bits per sample or fewer to grey, alpha laid over black."""

from __future__ import annotations

from PIL import Image, ImageChops

from iadd.intake.errors import FileError

_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_KINDS = {"1": "black and white", "L": "grey 8", "LA": "grey 8", "P": "palette", "CMYK": "CMYK"}


def kind_of(image: Image.Image) -> str:
    """Return the kind of pixels, for the group."""
    return _KINDS.get(image.mode, "colour 8")


def to_grey(image: Image.Image) -> Image.Image:
    """Return a loaded image as mode ``L``: luma (ITU-R 601), transparent pixels black.

    Raises:
        FileError: ``unsupported_pixels``.
    """
    transparency = image.info.get("transparency")
    if image.mode in _WITH_ALPHA or (transparency is not None and image.mode in ("P", "RGB")):
        colours = image.convert("RGBA")
        return ImageChops.multiply(colours.convert("RGB").convert("L"), colours.getchannel("A"))
    if image.mode in ("1", "L"):
        grey = image.convert("L")
        if isinstance(transparency, int):
            # Fewer than 8 bits were widened by repeating them.
            level = 255 if image.mode == "1" and transparency else transparency
            grey = grey.point([0 if value == level else value for value in range(256)])
        return grey
    if image.mode == "RGB":
        return image.convert("L")
    if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return image.convert("RGB").convert("L")
    raise FileError(
        "unsupported_pixels",
        "Its pixels are of a kind that is not read; export it as grey PNG with 8 or 16 bits.",
    )
