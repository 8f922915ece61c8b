"""Names the format of a file by its first bytes; refuses those that are no X-ray picture.

Each refusal has its own code and says what to do.
"""

from __future__ import annotations

import re
import struct
import zlib

from iadd.intake.errors import FileError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WebP", "JPEG 2000", "DICOM")

_ACCEPTED = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
# The length of the second header: two letters alone may start a text.
_BMP_HEADERS = tuple(struct.pack("<I", size) for size in (12, 16, 40, 52, 56, 64, 108, 124))
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FL FD IS LO LT OB OD OF OL OW PN "
    b"SH SL SQ SS ST TM UI UL UN UR US UT".split()
)

_EXPORT = "export each X-ray as PNG or DICOM."
_UNPACK = "Archives inside the archive are not opened; unpack it first."
_VIDEO = "It is a video; " + _EXPORT
_REASONS = {
    "gif": "It is a GIF picture, which has too few grey levels; " + _EXPORT,
    "nifti": "It is a NIfTI volume; " + _EXPORT,
    "numpy": "It is a NumPy array file; " + _EXPORT,
    "metaimage": "It is a MetaImage volume; " + _EXPORT,
    "bare_values": "It holds pixel values without a header; " + _EXPORT,
    "nrrd": "It is an NRRD volume; " + _EXPORT,
    "analyze": "It is an Analyze or NIfTI header; " + _EXPORT,
    "hdf5": "It is an HDF5 file (perhaps MATLAB or MINC); " + _EXPORT,
    "pdf": "It is a PDF document; " + _EXPORT,
    "video": _VIDEO,
    "heif": "It is a HEIF or AVIF picture; " + _EXPORT,
    "jpeg_xl": "It is a JPEG XL picture; " + _EXPORT,
    "photoshop": "It is a Photoshop file; " + _EXPORT,
    "svg": "It is an SVG drawing, not an X-ray; leave it out.",
    "git_lfs_pointer": (
        "It is a Git LFS pointer, not the picture; run `git lfs pull` and pack the folder again."
    ),
    "web_page": (
        "It is a web page, perhaps the error of a failed download; download the picture again."
    ),
    "office_document": "It is an office document; " + _EXPORT,
    "nested_archive": _UNPACK,
    "empty_file": "It holds no bytes; export the picture again.",
    "not_an_image": (
        "It is no picture of a known format; export each X-ray as PNG, JPEG, TIFF or DICOM."
    ),
}
_REFUSED = (
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x93NUMPY", "numpy"),
    (b"NRRD000", "nrrd"),
    (b"%PDF-", "pdf"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"8BPS", "photoshop"),
    (b"version https://git-lfs", "git_lfs_pointer"),
    (b"\x1a\x45\xdf\xa3", "video"),
    (b"\0\0\x01\xba", "video"),
    (b"\xff\x0a", "jpeg_xl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jpeg_xl"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "office_document"),
    (b"7z\xbc\xaf\x27\x1c", "nested_archive"),
    (b"Rar!\x1a\x07", "nested_archive"),
    (b"\x28\xb5\x2f\xfd", "nested_archive"),
    (b"\xfd7zXZ\0", "nested_archive"),
    (b"BZh", "nested_archive"),
    (b"\x1f\x9d", "nested_archive"),
)
_META_IMAGE = re.compile(rb"\s*(ObjectType|NDims|Comment)\s*=")
_MARKUP = re.compile(
    rb"\s*(<!doctype\s+html|<!--|<html|<head|<body|<\?xml|<error|<svg)", re.IGNORECASE
)
_SIZE_OF_NIFTI = (348, 540)


def sniff(data: bytes, suffix: str = "") -> str:
    """Return which of `FORMATS` the bytes are in, whatever the file's name says.

    Args:
        data: the whole file.
        suffix: the end of its name (``.nii.gz``): names what its bytes alone do not.

    Raises:
        FileError: any other format, with its own code.
    """
    # First: the preamble of a DICOM file may be the header of a TIFF.
    if data[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _ACCEPTED:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and data[14:18] in _BMP_HEADERS:
        return "BMP"
    if starts_with_element(data):
        return "DICOM"
    raise _refusal(data, suffix.lower())


def starts_with_element(data: bytes) -> bool:
    """Whether the first bytes are a DICOM element of group 0002 or 0008, in any encoding."""
    for order in "<>":
        if len(data) < 16:
            return False
        group, element = struct.unpack_from(order + "HH", data)
        if group not in (0x0002, 0x0008) or element > 0x0200:
            continue
        if data[4:6] in _VRS:
            return True
        (length,) = struct.unpack_from(order + "I", data, 4)
        # Implicit: a short value of even length, and then an element of this or a later group.
        if length % 2 == 0 and length <= 1024 and 8 + length + 4 <= len(data):
            following = struct.unpack_from(order + "HH", data, 8 + length)
            if (group, element) < following and following[0] <= 0x7FE0:
                return True
    return False


def _refusal(data: bytes, suffix: str) -> FileError:
    code = _refused_code(data, suffix)
    return FileError(code, _REASONS[code])


def _refused_code(data: bytes, suffix: str) -> str:
    if not data:
        return "empty_file"
    for magic, code in _REFUSED:
        if data.startswith(magic):
            return code
    for found in (_compressed, _boxed, _text, _volume):
        if code_found := found(data, suffix):
            return code_found
    return _BY_SUFFIX.get(suffix.rpartition(".")[2], "not_an_image")


def _compressed(data: bytes, suffix: str) -> str | None:
    if data.startswith(b"PK\x03\x04") or data.startswith(b"PK\x05\x06"):
        if b".npy" in data[30:100] or suffix.endswith(".npz"):
            return "numpy"
        office = b"[Content_Types].xml" in data[:2000] or b"mimetypeapplication/v" in data[:200]
        return "office_document" if office else "nested_archive"
    if data.startswith(b"\x1f\x8b"):
        if suffix.endswith((".nii.gz", ".img.gz", ".hdr.gz")) or _is_nifti(_unpacked_head(data)):
            return "nifti"
        return "nested_archive"
    return "nested_archive" if data[257:262] == b"ustar" else None


def _unpacked_head(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data[:65536], 544)
    except zlib.error:
        return b""


def _boxed(data: bytes, suffix: str) -> str | None:
    if data[4:8] == b"ftyp":
        still = data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"heim", b"heis")
        return "heif" if still else "video"
    return "video" if data[:4] == b"RIFF" and data[8:12] == b"AVI " else None


def _text(data: bytes, suffix: str) -> str | None:
    head = data[:512].removeprefix(b"\xef\xbb\xbf")
    if _META_IMAGE.match(head):
        return "metaimage"
    if found := _MARKUP.match(head):
        return "svg" if b"<svg" in head.lower() else "web_page" if found else None
    return None


def _volume(data: bytes, suffix: str) -> str | None:
    return "nifti" if _is_nifti(data) else None


def _is_nifti(head: bytes) -> bool:
    if len(head) < 12:
        return False
    if not any(struct.unpack_from(order + "i", head)[0] in _SIZE_OF_NIFTI for order in "<>"):
        return False
    return head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2")


_BY_SUFFIX: dict[str, str] = {
    "nii": "nifti",
    "npy": "numpy",
    "npz": "numpy",
    "mha": "metaimage",
    "mhd": "metaimage",
    "raw": "bare_values",
    "zraw": "bare_values",
    "img": "bare_values",
    "nrrd": "nrrd",
    "nhdr": "nrrd",
    "hdr": "analyze",
    "pdf": "pdf",
    "mp4": "video",
    "avi": "video",
    "mov": "video",
}
