"""Second cases of each kind: formats, discs, damage, and what is no X-ray."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from tests.fixtures.dicom import window_of, write_dicom
from tests.intake_cases.case import REJECTED, Case
from tests.intake_cases.drawing import (
    Files,
    chest,
    class_folders,
    encode,
    png,
    png_with_chunks,
    write_tar,
    write_zip,
)
from tests.intake_cases.variant import Variant, variant

TWO = {"COVID": "COVID", "Normal": "Normal"}
FOUR = {"COVID": 4, "Normal": 4}


def of_format(name: str, of: str, draw: Any, ending: str, **case: Any) -> Variant:
    """Two classes of four pictures, each as `draw(pixels)` encodes it."""
    files = {
        f"{finding}/{i}.{ending}": draw(chest(finding, i)) for finding in TWO for i in range(4)
    }
    given = {"classes": FOUR} | case
    return Variant(of, Case(name=name, **given), lambda path: write_zip(path, files))


def pages(first: int, *others: int) -> Any:
    """A TIFF of several pages of these sides."""

    def draw(pixels: Any) -> bytes:
        image = Image.fromarray(pixels)
        sizes = [image.resize((side, side)) for side in (first, *others)]
        return encode(sizes[0], "TIFF", save_all=True, append_images=sizes[1:])

    return draw


def text_png(kind: str) -> Any:
    def draw(pixels: Any) -> bytes:
        info = PngImagePlugin.PngInfo()
        if kind == "xmp":
            info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>PLANTED NAME</x:xmpmeta>")
        elif kind == "long":
            info.add_itxt("Comment", "PLANTED " * 400_000, zip=True)
        else:
            for number in range(300):
                info.add_text(f"Key {number}", "PLANTED")
        return encode(pixels, pnginfo=info)

    return draw


def with_exif(kind: str, **options: Any) -> Any:
    def draw(pixels: Any) -> bytes:
        exif = Image.Exif()
        exif[0x010E] = "PLANTED^NAME"
        exif[0x9C9D] = "PLANTED".encode("utf-16-le")
        return encode(pixels, kind, exif=exif, **options)

    return draw


METADATA = {"findings": {"metadata": 8}, "planted": ("PLANTED",)}
FORMATS = [
    of_format(
        "tiff-thumbnail-last", "tiff-thumbnail-first", pages(56, 20), "tif", findings={"pages": 8}
    ),
    of_format(
        "tiff-many-pages",
        "tiff-thumbnail-first",
        pages(24, 56, 30, 18),
        "tif",
        findings={"pages": 8},
    ),
    of_format("png-long-text", "png-text-2mb", text_png("long"), "png", **METADATA),
    of_format("png-many-texts", "png-text-2mb", text_png("many"), "png", **METADATA),
    of_format("png-xmp", "phi-in-exif", text_png("xmp"), "png", **METADATA),
    of_format("png-exif", "phi-in-exif", with_exif("PNG"), "png", **METADATA),
    of_format("webp-exif", "phi-in-exif", with_exif("WEBP", lossless=True), "webp", **METADATA),
    of_format(
        "tiff-description",
        "phi-in-exif",
        lambda p: encode(p, "TIFF", description="PLANTED^NAME", artist="PLANTED"),
        "tif",
        **METADATA,
    ),
    of_format(
        "jpeg-comment",
        "phi-in-exif",
        lambda p: encode(p, "JPEG", comment=b"PLANTED^NAME"),
        "jpg",
        **METADATA,
    ),
    of_format("jpeg-named-png", "webp-named-png", lambda p: encode(p, "JPEG"), "png"),
    of_format("png-named-dcm", "webp-named-png", encode, "dcm"),
    of_format("tiff-named-jpg", "webp-named-png", lambda p: encode(p, "TIFF"), "jpg"),
    of_format("bmp-named-tif", "webp-named-png", lambda p: encode(p, "BMP"), "tif"),
    of_format(
        "webp-lossless-named-jpeg",
        "webp-named-png",
        lambda p: encode(p, "WEBP", lossless=True),
        "JPEG",
    ),
    of_format("webp", "webp-named-png", lambda p: encode(p, "WEBP"), "webp"),
    of_format(
        "progressive",
        "webp-named-png",
        lambda p: encode(Image.fromarray(p).convert("RGB"), "JPEG", progressive=True),
        "jpe",
    ),
    of_format(
        "cmyk",
        "webp-named-png",
        lambda p: encode(Image.fromarray(p).convert("CMYK"), "JPEG"),
        "jpg",
    ),
    of_format(
        "j2k-codestream",
        "jpeg2000-files",
        lambda p: imagecodecs.jpeg2k_encode(p, codecformat="j2k", reversible=True),
        "j2k",
    ),
    of_format(
        "jp2-16",
        "jpeg2000-files",
        lambda p: imagecodecs.jpeg2k_encode(
            p.astype(np.uint16) * 16, reversible=True, bitspersample=12
        ),
        "jp2",
    ),
    of_format(
        "jp2-named-png",
        "jpeg2000-files",
        lambda p: imagecodecs.jpeg2k_encode(p, reversible=True),
        "png",
    ),
]


def gif() -> bytes:
    return encode(chest("Normal", 0), "GIF")


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "gif": (gif(), "png", "gif"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "jpg", "heif"),
    "avif": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(200), "png", "heif"),
    "pdf": (b"%PDF-1.7\n" + bytes(200), "png", "pdf"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n",
        "png",
        "git_lfs_pointer",
    ),
    "html": (b"<!DOCTYPE html><html><head><title>404", "jpg", "web_page"),
    "html-bom": (b"\xef\xbb\xbf\r\n  <HTML><body>Login", "jpg", "web_page"),
    "json-error": (b'{"error": "rate limit"}', "jpg", "not_an_image"),
    "nifti": (struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(100), "nii", "nifti"),
    "nifti-gz": (
        gzip.compress(struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(100)),
        "nii.gz",
        "nifti",
    ),
    "nifti-named-png": (
        struct.pack(">i", 348) + bytes(340) + b"n+1\0" + bytes(100),
        "png",
        "nifti",
    ),
    "nrrd": (b"NRRD0004\ntype: short\n", "nrrd", "nrrd"),
    "npy": (b"\x93NUMPY\1\0v\0{'descr': '<f8'}" + bytes(80), "npy", "numpy"),
    "matlab": (b"\x89HDF\r\n\x1a\n" + bytes(100), "mat", "hdf5"),
    "mha": (b"ObjectType = Image\nNDims = 3\n", "mha", "metaimage"),
    "raw": (bytes(range(256)) * 20, "raw", "bare_values"),
    "mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0" + bytes(100), "mp4", "video"),
    "zip": (b"PK\3\4" + bytes(100), "zip", "nested_archive"),
    "rar": (b"Rar!\x1a\7\0" + bytes(100), "rar", "nested_archive"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "svg", "svg"),
    "empty": (b"", "png", "empty_file"),
    "tiny": (encode(np.arange(64, dtype=np.uint8).reshape(8, 8)), "png", "too_small"),
    "half-png": (png("Normal", 5)[:700], "png", "truncated"),
    "half-jpeg": (encode(chest("Normal", 5), "JPEG")[:500], "jpg", "truncated"),
    "half-tiff": (encode(chest("Normal", 5), "TIFF")[:500], "tif", "truncated"),
    "half-dicom": (write_dicom(chest("Normal", 5, 12))[:900], "dcm", "truncated"),
    "excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "png", "office_document"),
    "jxl": (b"\xff\x0a" + bytes(50), "jxl", "jpeg_xl"),
    "black": (encode(np.zeros((60, 60), np.uint8)), "png", "blank"),
    "white-with-dot": (
        encode(np.where(np.arange(3600).reshape(60, 60) == 9, 0, 255).astype(np.uint8)),
        "png",
        "blank",
    ),
    "noise-of-one": (
        encode(np.random.default_rng(0).integers(99, 101, (60, 60)).astype(np.uint8)),
        "png",
        "blank",
    ),
}


def refused_dicom(**elements: Any) -> bytes:
    pixels = chest("Normal", 5, 12)
    return write_dicom(pixels, **(window_of(12) | elements))


def colour_dicom() -> bytes:
    header = Dataset()
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.SOPInstanceUID = "1.2.3.4"
    header.Modality = "OT"
    header.Rows = header.Columns = 40
    header.SamplesPerPixel, header.PlanarConfiguration = 3, 0
    header.PhotometricInterpretation = "RGB"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = bytes(range(240)) * 20
    header["PixelData"].VR = "OB"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    file = io.BytesIO()
    dcmwrite(file, header, enforce_file_format=True)
    return file.getvalue()


DICOM_REFUSED = {
    "ct": refused_dicom(Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    "mr": refused_dicom(Modality="MR"),
    "several frames": refused_dicom(NumberOfFrames=3),
    "colour": colour_dicom(),
    "localizer": refused_dicom(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "report": refused_dicom(Modality="SR"),
    "no rows": refused_dicom(Rows=None),
}


@variant(
    "nifti-and-npz",
    Case(
        name="all-that-is-no-x-ray",
        classes=FOUR,
        refused={
            code: sum(one[2] == code for one in REFUSED.values())
            for code in {one[2] for one in REFUSED.values()}
        },
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4)
    for name, (content, ending, _) in REFUSED.items():
        files[f"Normal/{name}.{ending}"] = content
    return write_tar(path, files, mode="w:gz")


def all_refused(name: str, content: bytes, ending: str, *said: str) -> Variant:
    files = {f"{c}/{i}.{ending}": content for c in TWO for i in range(4)}
    case = Case(name=f"all-{name}", status=REJECTED, said=("none could be read", *said))
    return Variant("bad input", case, lambda path: write_zip(path, files))


ALL_REFUSED = [
    all_refused("gif", gif(), "gif", "8 × It is a GIF picture"),
    all_refused("lfs", REFUSED["lfs"][0], "png", "8 × It is a Git LFS pointer", "git lfs pull"),
    all_refused("html", REFUSED["html"][0], "jpg", "8 × It is a web page"),
    all_refused("empty", b"", "png", "8 × It holds no bytes"),
    all_refused("heic", REFUSED["heic"][0], "jpg", "HEIF"),
    all_refused("ct", DICOM_REFUSED["ct"], "dcm", "CT"),
    all_refused("colour-dicom", DICOM_REFUSED["colour"], "dcm", "DICOM", "colour"),
    all_refused("frames", DICOM_REFUSED["several frames"], "dcm", "DICOM", "frames"),
    all_refused("nifti", REFUSED["nifti-gz"][0], "nii.gz", "NIfTI"),
]


@variant(
    "dicom-syntaxes",
    Case(
        name="dicom-that-is-no-x-ray",
        classes=FOUR,
        findings={"metadata": 8},
        planted=("PLANTED",),
        refused={
            "dicom_modality": 3,
            "dicom_frames": 1,
            "dicom_colour": 1,
            "dicom_localizer": 1,
            "truncated": 1,
        },
    ),
)
def _(path: Path) -> Path:
    files = {
        f"{finding}/{i}": write_dicom(
            chest(finding, i, 12), PatientID=f"PLANTED {finding}{i}", **window_of(12)
        )
        for finding in TWO
        for i in range(4)
    }
    return write_zip(path, files | {f"Normal/{name}": data for name, data in DICOM_REFUSED.items()})


def disc(labelled: bool) -> Files:
    files: Files = {
        "DICOMDIR": dicomdir(),
        "AUTORUN.INF": b"[autorun]",
        "README.TXT": b"disc",
        "VIEWER/weasis.exe": b"MZ",
        "VIEWER/lib/a.dll": b"MZ",
        "INDEX.HTM": b"<html>",
    }
    for index, finding in enumerate(("COVID", "Normal")):
        for i in range(4):
            number = 10 * index + i
            folder = f"{finding}/" if labelled else "DICOM/"
            name = f"{folder}PA{number:06d}/ST000000/SE000000/IM000000"
            files[name] = write_dicom(
                chest(finding, number, 12),
                PatientID=f"PLANTED-{number}",
                SOPInstanceUID=f"1.2.5.{number}",
                **window_of(12),
            )
    return files


def dicomdir() -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    directory = Dataset()
    directory.FileSetID = "PLANTED"
    directory.file_meta = meta
    file = io.BytesIO()
    dcmwrite(file, directory, enforce_file_format=True)
    return file.getvalue()


@variant(
    "pacs-cd",
    Case(
        name="disc-without-labels",
        status=REJECTED,
        said=("DICOM", "manifest.csv"),
        planted=("PLANTED",),
    ),
)
def _(path: Path) -> Path:
    return write_zip(path, disc(labelled=False))


@variant(
    "pacs-cd",
    Case(
        name="disc-in-class-folders",
        classes=FOUR,
        findings={"metadata": 8},
        ignored={"system files": 4, "documents": 2},
        planted=("PLANTED",),
        patients=8,
    ),
)
def _(path: Path) -> Path:
    return write_zip(path, disc(labelled=True))


@variant(
    "pacs-cd",
    Case(
        name="disc-with-manifest",
        classes=FOUR,
        findings={"metadata": 8},
        ignored={"system files": 4, "documents": 2, "tables": 1},
        planted=("PLANTED",),
        patients=8,
    ),
)
def _(path: Path) -> Path:
    files = disc(labelled=False)
    rows = ["file,label"]
    rows += [
        f"{name},{'COVID' if int(name.split('/')[1][2:]) < 10 else 'Normal'}"
        for name in files
        if name.startswith("DICOM/")
    ]
    return write_zip(path, files | {"manifest.csv": "\n".join(rows).encode()})


@variant(
    "pacs-cd",
    Case(
        name="disc-renamed-index",
        classes=FOUR,
        findings={"metadata": 8},
        ignored={"system files": 2},
        patients=8,
    ),
)
def _(path: Path) -> Path:
    files = {name: data for name, data in disc(labelled=True).items() if "IM0" in name}
    return write_zip(path, files | {"COVID/INDEX.dcm": dicomdir(), "Normal/DICOMDIR": dicomdir()})


@variant(
    "class-all-damaged",
    Case(
        name="class-of-empty-files",
        classes=FOUR,
        findings={"lost_class": 1},
        refused={"empty_file": 4},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4)
    return write_zip(path, files | {f"TB/{i}.png": b"" for i in range(4)})


@variant(
    "class-all-damaged",
    Case(
        name="class-of-pointers",
        findings={"lost_class": 1},
        classes={"COVID": 12, "Normal": 12},
        refused={"git_lfs_pointer": 9},
    ),
)
def _(path: Path) -> Path:
    files: Files = {}
    for index, split in enumerate(("train", "val", "test")):
        files |= class_folders(f"{split}/{{c}}/{{i}}.png", TWO, 4, first=5 * index)
        for i in range(3):
            files[f"{split}/Viral/{i}.png"] = REFUSED["lfs"][0] + bytes([i])
    return write_zip(path, files)


@variant(
    "class-all-damaged",
    Case(
        name="class-left-with-two",
        classes=FOUR,
        findings={"lost_class": 1},
        refused={"truncated": 2},
        ignored={"classes with too few images": 2},
    ),
)
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.jpeg", TWO, 4)
    files |= class_folders("{c}/{i}.jpeg", {"Viral": "Viral Pneumonia"}, 4)
    for i in range(2):
        files[f"Viral/{i}.jpeg"] = encode(chest("Viral Pneumonia", i), "JPEG")[:400]
    return write_zip(path, files)


@variant("deflate64", Case(name="damaged-entries", classes=FOUR, refused={"damaged": 1}))
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4) | {"Normal/x.png": png("Normal", 30)}
    written = bytearray(write_zip(path, files).read_bytes())
    place = written.rfind(b"x.png", 0, written.find(b"PK\1\2"))
    for at in range(place + 300, place + 340):
        written[at] ^= 0xFF
    path.write_bytes(written)
    return path


@variant("png-text-2mb", Case(name="png-broken-text", classes=FOUR, findings={"metadata": 8}))
def _(path: Path) -> Path:
    files = class_folders("{c}/{i}.png", TWO, 4)
    bad = {
        name: png_with_chunks(data, (b"zTXt", b"Comment\0\0not deflated"))
        for name, data in files.items()
    }
    return write_zip(path, bad)


VARIANTS = [*FORMATS, *ALL_REFUSED]
