"""Turns the bytes of one untrusted file into a `Picture`: format, grey levels, size, judgement."""

from __future__ import annotations

from PIL import Image

from iadd.intake.errors import FileError
from iadd.intake.pictures.grey_image import GreyImage, Reserve
from iadd.intake.pictures.levels import Counts, depth_for, high_of, is_blank, is_low_contrast
from iadd.intake.pictures.picture import DicomFacts, Picture
from iadd.intake.pictures.raster import read_raster
from iadd.intake.pictures.shrink import shrink, shrink_eight_bits, upright
from iadd.intake.pictures.sniff import sniff


def read_picture(
    data: bytes,
    *,
    image_size: int,
    patient_key: bytes,
    suffix: str = "",
    reserve: Reserve = lambda size: None,
) -> Picture:
    """Decode one file, in this process; `DecoderPool` does it in children with limits.

    The aspect ratio is not kept, as in the published experiments.

    Args:
        data: the file.
        image_size: S.
        patient_key: key of the hashes that stand for identifiers.
        suffix: the end of the file's name; only refusals depend on it.
        reserve: called before pixels are decoded, with the bytes that this will take.

    Raises:
        FileError: the codes of `sniff`, ``too_large``, ``too_small``, ``truncated``,
            ``unsupported_pixels``, ``blank``, and the codes of `dicom`.
    """
    picture_format = sniff(data, suffix)
    facts: DicomFacts | None = None
    flags: tuple[str, ...] = ()
    if picture_format == "DICOM":
        # pydicom takes a while to load, and few archives hold DICOM.
        from iadd.intake.pictures.dicom import read_dicom

        image, facts, flags = read_dicom(data, patient_key, reserve)
    else:
        image = read_raster(data, picture_format, image_size, reserve)
    return judged(image, image_size, facts, flags)


def judged(
    image: GreyImage,
    image_size: int,
    facts: DicomFacts | None = None,
    flags: tuple[str, ...] = (),
) -> Picture:
    """Resize a grey image and judge its levels.

    Raises:
        FileError: ``blank``.
    """
    if isinstance(image.rows, Image.Image):
        pixels, counts = shrink_eight_bits(image.rows, image_size)
    else:
        pixels, counts = shrink(image.rows, image.width, image.height, image_size)
    high = high_of(counts)
    depth, kind = _depth(image, high)
    own_depth = depth or depth_for(high)
    if is_blank(counts, own_depth):
        raise FileError("blank", "Nearly all its pixels have the same value; leave it out.")
    if is_low_contrast(counts, own_depth):
        flags = (*flags, "low_contrast")
    if image.white_is_zero:
        # Levels are turned within the bits that they use: within 16, a 12-bit picture would lie
        # in the brightest sixteenth. The white end of such a picture is near its highest level.
        full = (1 << own_depth) - 1
        pixels = (full - pixels.clip(max=full)).astype(pixels.dtype)
        counts = _turned(counts, full)
        depth, high, kind = own_depth, high_of(counts), f"{kind}, white is zero, {own_depth} bits"
    return Picture(
        pixels=upright(pixels, image.orientation),
        depth=depth,
        high=high,
        group=f"{image.format} {kind}",
        width=image.width,
        height=image.height,
        format=image.format,
        metadata=image.metadata,
        pages_left_out=image.pages_left_out,
        dicom=facts,
        flags=flags,
    )


def _depth(image: GreyImage, high: float) -> tuple[int | None, str]:
    """Decide the depth of a picture that declares significant bits.

    PNG asks writers to shift levels up to all bits of the word, and many do not.
    """
    if image.significant is None:
        return image.depth, image.kind
    depth = image.significant if depth_for(high) <= image.significant else 16
    return depth, f"{image.kind} of {depth} bits"


def _turned(counts: Counts, full: int) -> Counts:
    turned = counts[: full + 1][::-1].copy()
    turned[0] += counts[full + 1 :].sum()
    return turned
