"""Formats are named by their bytes; each that is refused says what to do."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from iadd.intake.errors import FileError
from iadd.intake.pictures.sniff import sniff
from tests.fixtures.dicom import LOSSLESS, write_dicom
from tests.iadd.intake.pictures.drawing import chest, encoded


def zipped(name: str = "a.png") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"content")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, train_images=np.zeros((2, 28, 28), np.uint8))
    return file.getvalue()


def array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(4))
    return file.getvalue()


NIFTI = struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(100)
BIG_NIFTI = struct.pack(">i", 348) + bytes(340) + b"ni1\0"
NIFTI_2 = struct.pack("<i", 540) + b"n+2\0\r\n\x1a\n" + bytes(540)

REFUSED = {
    "empty": (b"", "empty_file", "no bytes"),
    "GIF": (encoded(chest(), "GIF"), "gif", "GIF"),
    "NIfTI": (NIFTI, "nifti", "NIfTI"),
    "NIfTI of two files": (BIG_NIFTI, "nifti", "NIfTI"),
    "NIfTI 2": (NIFTI_2, "nifti", "NIfTI"),
    "NIfTI packed": (gzip.compress(NIFTI), "nifti", "NIfTI"),
    "npz": (arrays(), "numpy", "NumPy"),
    "npy": (array(), "numpy", "NumPy"),
    "MetaImage": (b"ObjectType = Image\nNDims = 2\n", "metaimage", "MetaImage"),
    "MetaImage, other start": (b"NDims = 3\nDimSize = 1 1 1\n", "metaimage", "MetaImage"),
    "NRRD": (b"NRRD0005\n", "nrrd", "NRRD"),
    "PDF": (b"%PDF-1.7\n", "pdf", "PDF"),
    "LFS": (b"version https://git-lfs.github.com/spec/v1\noid", "git_lfs_pointer", "Git LFS"),
    "HTML": (b"\n<!DOCTYPE html><html>", "web_page", "web page"),
    "HTML with a mark": (b"\xef\xbb\xbf<HTML>", "web_page", "web page"),
    "XML error": (b'<?xml version="1.0"?><Error><Code>AccessDenied', "web_page", "web page"),
    "SVG": (b'<?xml version="1.0"?><svg>', "svg", "SVG"),
    "zip": (zipped(), "nested_archive", "unpack"),
    "tar": (tarred(), "nested_archive", "unpack"),
    "gzip": (gzip.compress(b"text"), "nested_archive", "unpack"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(30), "nested_archive", "unpack"),
    "rar": (b"Rar!\x1a\x07\x01\0", "nested_archive", "unpack"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(30), "nested_archive", "unpack"),
    "xz": (b"\xfd7zXZ\0" + bytes(30), "nested_archive", "unpack"),
    "MP4": (b"\0\0\0\x18ftypmp42" + bytes(20), "video", "video"),
    "AVI": (b"RIFF\0\0\0\0AVI LIST", "video", "video"),
    "HEIC": (b"\0\0\0\x18ftypheic" + bytes(20), "heif", "HEIF"),
    "Word": (zipped("[Content_Types].xml"), "office_document", "office"),
    "text": (b"hello there, nothing to see", "not_an_image", "PNG"),
    "table": (b"BMI,age,label\n" * 10, "not_an_image", "PNG"),
    "program": (b"MZ" + bytes(200), "not_an_image", "PNG"),
}


@pytest.mark.parametrize(("data", "code", "word"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_xray_is_named(data, code, word):
    with pytest.raises(FileError) as refusal:
        sniff(data)
    assert refusal.value.code == code
    assert word in refusal.value.reason


@pytest.mark.parametrize(
    ("suffix", "code"),
    [(".nii.gz", "nifti"), (".npz", "numpy"), (".mhd", "metaimage"), (".raw", "bare_values")],
)
def test_a_damaged_file_is_named_by_its_suffix(suffix, code):
    data = gzip.compress(b"?") if suffix.endswith("gz") else b"?"
    with pytest.raises(FileError) as refusal:
        sniff(data, suffix)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("pillow", "name"),
    [("PNG", "PNG"), ("JPEG", "JPEG"), ("TIFF", "TIFF"), ("BMP", "BMP"), ("WEBP", "WebP"),
     ("JPEG2000", "JPEG 2000")],
)  # fmt: skip
def test_pictures_are_named_by_their_bytes(pillow, name):
    assert sniff(encoded(chest(), pillow), ".gif") == name


def test_a_raw_codestream_is_jpeg_2000():
    assert sniff(encoded(Image.fromarray(chest()), "JPEG2000", no_jp2=True)) == "JPEG 2000"


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("preamble", [True, False])
@pytest.mark.parametrize("name", ["implicit", "explicit", "big endian"])
def test_dicom_is_recognised_in_every_encoding(name, preamble, meta):
    data = write_dicom(chest(12), LOSSLESS[name], preamble=preamble, meta=meta)
    assert sniff(data) == "DICOM"


def test_text_that_starts_like_a_group_is_no_dicom():
    for data in (b"\x02\0\0\0" + bytes(40), b"\x08\0\x05\0" + b"\xff" * 40, b"\x08\0"):
        with pytest.raises(FileError) as refusal:
            sniff(data)
        assert refusal.value.code == "not_an_image"
