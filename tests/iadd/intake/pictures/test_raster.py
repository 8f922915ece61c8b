"""PNG, JPEG, TIFF, BMP, WebP and JPEG 2000 give the grey levels of their source, upright."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from iadd.intake.errors import FileError
from iadd.intake.pictures.picture import Picture
from tests.iadd.intake.pictures.drawing import SIDE, chest, encoded, png_with, raw_tiff, read

LOSSLESS_8 = {
    "PNG": {},
    "TIFF": {"compression": "tiff_lzw"},
    "BMP": {},
    "WEBP": {"lossless": True},
    "JPEG2000": {},
}


def refused(data: bytes, **options) -> FileError:
    with pytest.raises(FileError) as refusal:
        read(data, **options)
    return refusal.value


def equal(picture: Picture, expected: np.ndarray) -> bool:
    return bool(np.array_equal(picture.pixels, expected))


@pytest.mark.parametrize(("name", "options"), LOSSLESS_8.items(), ids=LOSSLESS_8)
def test_grey_of_8_bits_is_read_as_it_is(name, options):
    picture = read(encoded(chest(), name, **options))
    assert equal(picture, chest())
    assert (picture.depth, picture.width, picture.height) == (8, SIDE, SIDE)
    assert picture.pixels.dtype == np.uint16


def test_jpeg_is_read_within_its_error():
    picture = read(encoded(chest(), "JPEG", quality=95))
    assert np.abs(picture.pixels - chest().astype(int)).mean() < 3


@pytest.mark.parametrize(
    "write",
    [
        lambda pixels: encoded(pixels, "PNG"),
        lambda pixels: encoded(pixels, "TIFF"),
        imagecodecs.png_encode,
        lambda pixels: raw_tiff(pixels, order=">"),
        lambda pixels: imagecodecs.jpeg2k_encode(pixels, reversible=True, bitspersample=16),
    ],
    ids=["PNG", "TIFF", "PNG by libpng", "TIFF, big endian", "JPEG 2000"],
)
def test_grey_of_16_bits_keeps_all_its_levels(write):
    picture = read(write(chest(15)))
    assert equal(picture, chest(15))
    assert picture.depth is None


def test_a_raw_codestream_of_12_bits_has_12_bits():
    data = imagecodecs.jpeg2k_encode(
        chest(12), reversible=True, bitspersample=12, codecformat="j2k"
    )
    picture = read(data)
    assert equal(picture, chest(12))
    assert picture.depth == 12


def test_jpeg_of_12_bits_and_lossless_jpeg_are_read():
    lossy = read(imagecodecs.jpeg8_encode(chest(12), level=95, bitspersample=12))
    assert lossy.depth == 12
    assert np.abs(lossy.pixels - chest(12).astype(int)).mean() < 40
    lossless = read(imagecodecs.jpeg8_encode(chest(12), lossless=True, bitspersample=12))
    assert equal(lossless, chest(12))
    assert equal(read(imagecodecs.jpeg8_encode(chest(8), lossless=True)), chest(8))


def test_16_bits_are_resized_without_an_8_bit_path():
    smooth = np.linspace(0, 4095, 256 * 256).reshape(256, 256).astype(np.uint16)
    picture = read(encoded(smooth, "PNG"))
    assert len(np.unique(picture.pixels)) > 1000
    assert picture.pixels.astype(float).mean() == pytest.approx(smooth.mean(), abs=1)


def test_a_large_picture_is_resized_as_in_one_piece():
    pixels = np.tile(chest(12, side=300), (7, 7))
    expected = Image.fromarray(pixels.astype(np.float32)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )
    picture = read(encoded(pixels, "PNG", compress_level=1))
    assert np.abs(picture.pixels - np.clip(np.asarray(expected), 0, None)).max() <= 0.51


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_colour_and_alpha_of_16_bits_are_read_as_12_bit_grey(channels, kind):
    grey = chest(12)
    opaque = np.full_like(grey, 65535)
    planes = {2: [grey, opaque], 3: [grey] * 3, 4: [grey] * 3 + [opaque]}[channels]
    samples = np.dstack(planes)
    if kind == "PNG":
        data = imagecodecs.png_encode(samples)
    else:
        data = raw_tiff(
            samples, extra=2 if channels % 2 == 0 else None, photometric=2 if channels > 2 else 1
        )
    picture = read(data)
    assert equal(picture, grey)
    assert picture.high < 4096


def test_colours_become_luma():
    samples = np.zeros((SIDE, SIDE, 3), np.uint16)
    samples[..., 0], samples[..., 1], samples[:32, :, 2] = 1000, 2000, 4000
    luma = read(imagecodecs.png_encode(samples)).pixels
    assert luma[0, 0] == round(0.299 * 1000 + 0.587 * 2000 + 0.114 * 4000)
    eight = read(encoded((samples // 16).astype(np.uint8), "PNG")).pixels
    assert abs(int(eight[0, 0]) - luma[0, 0] / 16) <= 1


@pytest.mark.parametrize("mode", ["LA", "RGBA", "grey 16", "colour 16", "palette", "key", "key 16"])
def test_hidden_values_count_as_black(mode):
    grey = np.maximum(chest(), 1)
    hidden = np.zeros((SIDE, SIDE), bool)
    hidden[:20] = True
    alpha = np.where(hidden, 0, 255).astype(np.uint8)
    white = np.where(hidden, 255, grey).astype(np.uint8)
    expected = np.where(hidden, 0, grey)
    deep, deep_alpha = white.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257
    match mode:
        case "LA":
            data = encoded(np.dstack([white, alpha]), "PNG")
        case "RGBA":
            data = encoded(np.dstack([white] * 3 + [alpha]), "PNG")
        case "grey 16":
            data = imagecodecs.png_encode(np.dstack([deep, deep_alpha]))
        case "colour 16":
            data = imagecodecs.png_encode(np.dstack([deep] * 3 + [deep_alpha]))
        case "palette":
            image = Image.fromarray(white).convert("P")
            data = encoded(image, "PNG", transparency=255)
        case "key":
            data = encoded(white, "PNG", transparency=255)
        case "key 16":
            data = png_with(encoded(deep, "PNG"), (b"tRNS", b"\xff\xff"))
    pixels = read(data).pixels
    deep_pixels = pixels / 257 if mode.endswith("16") else pixels
    assert np.abs(deep_pixels - expected).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_widened(depth):
    levels = (chest() >> (8 - depth)).astype(np.uint8)
    image = Image.fromarray(levels * (255 // ((1 << depth) - 1)))
    data = encoded(image.convert("1") if depth == 1 else image, "PNG")
    assert read(data).pixels.max() > 200


def test_cmyk_jpeg_is_upright():
    image = Image.fromarray(np.dstack([chest()] * 3)).convert("CMYK")
    picture = read(encoded(image, "JPEG", quality=95))
    assert np.corrcoef(picture.pixels.ravel(), chest().ravel())[0, 1] > 0.98


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "TIFF 16", "WEBP"])
def test_pictures_are_turned_upright(orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(chest()[:, :48].copy())
    # The largest quality: the turned and the plain picture must agree.
    options = {"quality": 100} if name in ("JPEG", "WEBP") else {}
    image = stored.copy()
    image.getexif()[0x0112] = orientation
    expected = ImageOps.exif_transpose(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    if name == "TIFF 16":
        name, stored = "TIFF", Image.fromarray(np.asarray(stored).astype(np.uint16))
    picture = read(encoded(stored, name, exif=exif, **options))
    assert np.abs(picture.pixels - np.asarray(expected).astype(int)).mean() < 3
    assert (picture.width, picture.height) == (48, SIDE)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_significant_bits_are_the_depth_where_the_levels_lie_in_them(bits):
    data = png_with(encoded(chest(12).astype(np.uint16), "PNG"), (b"sBIT", bytes([bits])))
    picture = read(data)
    assert picture.depth == {8: 16, 12: 12, 16: None}[bits]
    assert equal(picture, chest(12))


def test_levels_that_were_shifted_up_have_16_bits():
    data = png_with(encoded(chest(12) << 4, "PNG"), (b"sBIT", bytes([12])))
    assert read(data).depth == 16


def test_large_text_is_no_damage():
    text = b"Comment\0" + b"x" * (2 << 20)
    packed = b"Comment\0\0" + zlib.compress(b"y" * (64 << 20))
    picture = read(png_with(encoded(chest(), "PNG"), (b"tEXt", text), (b"zTXt", packed)))
    assert equal(picture, chest())
    assert picture.metadata == ("text",)


def test_kinds_of_metadata_are_listed_and_their_content_is_not():
    exif = Image.Exif()
    exif[0x010E] = "PLANTED"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpeg = read(
        encoded(chest(), "JPEG", exif=exif, icc_profile=profile, comment=b"PLANTED", xmp=b"PLANTED")
    )
    assert jpeg.metadata == ("exif", "icc", "text", "xmp")
    assert "PLANTED" not in repr(jpeg)
    png = read(
        png_with(
            encoded(chest(), "PNG", icc_profile=profile, exif=exif),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0PLANTED"),
            (b"teSt", b"PLANTED"),
        )
        + b"PLANTED"
    )
    assert png.metadata == ("exif", "icc", "private", "trailing_data", "xmp")
    assert read(encoded(chest(), "TIFF", description="PLANTED")).metadata == ("text",)
    assert read(encoded(chest(), "WEBP", exif=exif)).metadata == ("exif",)
    assert read(encoded(chest(), "PNG")).metadata == ()


def test_the_largest_page_of_a_tiff_counts():
    small = Image.fromarray(chest(side=24))
    large = Image.fromarray(chest())
    data = encoded(small, "TIFF", save_all=True, append_images=[large, small])
    picture = read(data)
    assert equal(picture, chest())
    assert picture.pages_left_out == 2


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_white_is_zero_is_turned_upright(order, bits):
    grey = chest(bits)
    picture = read(raw_tiff((1 << bits) - 1 - grey, photometric=0, order=order))
    assert equal(picture, grey)
    assert picture.depth == bits


@pytest.mark.parametrize(
    ("samples", "sample_format"),
    [
        (chest().astype(np.float32) / 255, 3),
        (chest().astype(np.float64) - 100, 3),
        (np.full((SIDE, SIDE), np.nan, np.float32), 3),
        (chest(12).astype(np.int16) - 2000, 2),
        (chest(12).astype(np.uint32) * 65536, 1),
        (chest().astype(np.complex64), 6),
    ],
    ids=["fractions", "negative", "no numbers", "signed", "32 bits", "complex"],
)
def test_tiff_of_other_numbers_is_named(samples, sample_format):
    error = refused(raw_tiff(samples, sample_format=sample_format))
    assert error.code == "unsupported_pixels"
    assert "export" in error.reason


def test_tiff_of_grey_and_alpha_is_turned_upright_where_white_is_zero():
    for bits in (8, 12):
        grey = chest(bits)
        samples = np.dstack([(1 << bits) - 1 - grey, np.full_like(grey, np.iinfo(grey.dtype).max)])
        assert equal(read(raw_tiff(samples, photometric=0, extra=2)), grey)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_usual_compression_is_read(compression, bits, big):
    data = encoded(chest(bits), "TIFF", compression=compression, big_tiff=big)
    assert equal(read(data), chest(bits))


def test_tiff_of_12_packed_bits_is_read():
    grey = chest(12).astype(int).ravel()
    first, second = grey[::2], grey[1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    data = raw_tiff(packed.astype(np.uint8).reshape(SIDE, -1))
    for tag, before, after in ((256, SIDE * 3 // 2, SIDE), (258, 8, 12)):
        old, new = (struct.pack("<HHII", tag, 4, 1, value) for value in (before, after))
        assert old in data
        data = data.replace(old, new)
    picture = read(data)
    assert equal(picture, chest(12))
    assert picture.depth == 12


@pytest.mark.parametrize("bits", [8, 12])
def test_tiff_of_unknown_compression_is_named(bits):
    data = raw_tiff(chest(bits))
    plain, jbig = (struct.pack("<HHII", 259, 4, 1, value) for value in (1, 34661))
    assert refused(data.replace(plain, jbig)).code == "unsupported_pixels"


@pytest.mark.parametrize("kind", [np.float32, np.uint32, np.int32])
def test_tiff_of_whole_numbers_is_read_whatever_their_type(kind):
    code = {"f": 3, "u": 1, "i": 2}[np.dtype(kind).kind]
    assert equal(read(raw_tiff(chest(12).astype(kind), sample_format=code)), chest(12))


def test_animations_give_their_first_picture_and_count_the_rest():
    frames = [Image.fromarray(chest(number=number)).convert("RGB") for number in range(3)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    picture = read(data)
    assert equal(picture, chest())
    assert picture.pages_left_out == 2


@pytest.mark.parametrize(
    "data",
    [
        encoded(chest(), "PNG"),
        encoded(chest(12), "PNG"),
        imagecodecs.png_encode(np.dstack([chest(12)] * 3)),
        encoded(chest(), "JPEG"),
        encoded(chest(), "TIFF", compression="tiff_lzw"),
        encoded(chest(12), "TIFF", compression="tiff_adobe_deflate"),
        encoded(chest(), "BMP"),
        encoded(chest(), "WEBP", lossless=True),
        encoded(chest(), "JPEG2000"),
        imagecodecs.jpeg8_encode(chest(12), lossless=True, bitspersample=12),
    ],
    ids=["PNG", "PNG 16", "PNG colour 16", "JPEG", "TIFF", "TIFF 16", "BMP", "WebP", "JP2", "SOF3"],
)
def test_files_cut_short_are_truncated(data):
    for length in (40, len(data) // 3, len(data) * 2 // 3):
        assert refused(data[:length]).code == "truncated"
