"""Files made to harm cost themselves and nothing else."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from iadd.intake.errors import FileError
from tests.fixtures.dicom import write_dicom
from tests.iadd.intake.pictures.drawing import chest, encoded, read


def refusal_of(data: bytes) -> str:
    with pytest.raises(FileError) as refusal:
        read(data)
    return refusal.value.code


def png_of(width: int, height: int, bits: int = 8, colours: int = 0) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + checksum

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*pair) for pair in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("colours", [0, 2, 6])
def test_a_header_that_claims_too_many_pixels_is_too_large(bits, colours):
    assert refusal_of(png_of(50_000, 50_000, bits, colours)) == "too_large"
    assert refusal_of(png_of(2**31 - 1, 2**31 - 1, bits, colours)) == "too_large"


def test_every_format_is_measured_before_it_is_decoded():
    big = Image.new("L", (8000, 4001), 7)
    for name in ("JPEG", "TIFF", "BMP", "PNG"):
        assert refusal_of(encoded(big, name)) == "too_large"
    codestream = bytearray(encoded(chest(), "JPEG2000", no_jp2=True))
    codestream[8:16] = struct.pack(">II", 100_000, 100_000)
    assert refusal_of(bytes(codestream)) == "too_large"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "JPEG2000"])
def test_a_stamp_is_too_small(name):
    assert refusal_of(encoded(chest(side=64)[:15].copy(), name)) == "too_small"


def test_a_jpeg_of_very_many_scans_is_refused():
    data = encoded(chest(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    assert read(data[:-2] + scan * 20 + b"\xff\xd9").format == "JPEG"
    assert refusal_of(data[:-2] + scan * 1000 + b"\xff\xd9") == "unsupported_pixels"


def test_a_tiff_whose_pages_form_a_ring_ends():
    data = bytearray(encoded(chest(), "TIFF"))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert read(bytes(data)).pages_left_out == 0


def test_damaged_exif_costs_no_picture():
    data = encoded(chest(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read(data).metadata == ("exif",)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_gives_a_picture_or_a_refusal(seed):
    rng = np.random.default_rng(seed)
    files = [
        *(encoded(chest(), name) for name in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "JPEG2000")),
        encoded(chest(12), "PNG"),
        imagecodecs.png_encode(np.dstack([chest(12)] * 4)),
        imagecodecs.jpeg8_encode(chest(12), lossless=True, bitspersample=12),
        write_dicom(chest(12)),
        write_dicom(chest(12), "1.2.840.10008.1.2.4.90"),
        write_dicom(chest(12), "1.2.840.10008.1.2.4.80"),
        write_dicom(chest(12), "1.2.840.10008.1.2.5"),
    ]
    for data in files:
        for _ in range(12):
            damaged = bytearray(data)
            places = rng.integers(8, min(len(data), 600), 4)
            damaged[int(places[0])] = rng.integers(256)
            for place in rng.integers(0, len(data), 3):
                damaged[int(place)] = rng.integers(256)
            try:
                read(bytes(damaged))
            except FileError as error:
                assert error.reason  # noqa: PT017 - every other exception fails the test


def test_a_picture_of_one_value_is_blank():
    for level in (0, 128, 255):
        assert refusal_of(encoded(np.full((64, 64), level, np.uint8), "PNG")) == "blank"


def test_a_picture_of_nearly_one_value_is_blank():
    checkered = (np.indices((64, 64)).sum(0) % 2).astype(np.uint8)
    assert refusal_of(encoded(checkered + 100, "PNG")) == "blank"
    assert refusal_of(encoded((checkered + 100).astype(np.uint16) * 257, "PNG")) == "blank"
    speck = np.zeros((200, 200), np.uint8)
    speck[:10, :10] = 200
    assert refusal_of(encoded(speck, "PNG")) == "blank"
    noise = np.random.default_rng(0).normal(90, 0.7, (64, 64)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=60)
    assert refusal_of(file.getvalue()) == "blank"


def test_letters_alone_are_blank_and_a_small_lung_is_not():
    letters = np.zeros((100, 100), np.uint8)
    letters[45:55:2, 10:70] = 255
    assert refusal_of(encoded(letters, "JPEG", quality=90)) == "blank"
    collimated = np.zeros((128, 128), np.uint8)
    collimated[32:96, 32:96] = chest()
    assert read(encoded(collimated, "PNG")).pixels.max() > 100


def test_few_levels_are_flagged_as_low_contrast():
    faint = (30_000 + chest(12).astype(float) / 4095 * 4000).astype(np.uint16)
    assert read(encoded(faint, "PNG")).flags == ("low_contrast",)
    assert read(encoded(chest(12), "PNG")).flags == ()
    assert read(encoded(chest(8) // 16 + 100, "PNG")).flags == ("low_contrast",)
