"""Draws pictures and packs them, for archives of our own."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from iadd.cohort import draw_image

Pixels = npt.NDArray[Any]
Files = dict[str, bytes]
SIDE = 56


@lru_cache(maxsize=512)
def _drawn(finding: str, number: int) -> Pixels:
    return draw_image(finding, number, image_size=SIDE)


def chest(finding: str, number: int, bits: int = 8) -> Pixels:
    """Draw a chest of COVID, Normal, Viral Pneumonia or Lung Opacity with noise, (S, S).

    Args:
        finding: what it shows.
        number: of the invented patient.
        bits: 8 gives uint8; more gives uint16 that reaches nearly all levels.
    """
    drawn = _drawn(finding, number).astype(float)
    noise = np.random.default_rng(number).normal(0, 0.4, drawn.shape)
    levels = np.clip(drawn + noise, 0, 250) / 255 * ((1 << bits) - 1)
    return np.rint(levels).astype(np.uint8 if bits == 8 else np.uint16)


def encode(pixels: Pixels | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Encode by Pillow."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@lru_cache(maxsize=512)
def png(finding: str, number: int, bits: int = 8) -> bytes:
    """Return the PNG of `chest`."""
    return encode(chest(finding, number, bits))


def png_with_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Insert chunks after the header of a PNG."""
    inserted = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    return data[:33] + inserted + data[33:]


def class_folders(
    pattern: str, names: Mapping[str, str], count: int, *, bits: int = 8, first: int = 0
) -> Files:
    """Draw `count` pictures of each class.

    Args:
        pattern: of the paths, with ``{c}`` for the class's folder and ``{i}`` for the number.
        names: by folder of a class, the finding that is drawn.
        count: of each class.
        bits: of the pictures.
        first: number of the first picture.
    """
    return {
        pattern.format(c=folder, i=number): png(finding, number, bits)
        for folder, finding in names.items()
        for number in range(first, first + count)
    }


def write_zip(path: Path, files: Mapping[str, bytes], folders: Iterable[str] = ()) -> Path:
    """Pack a zip; `folders` are entries without content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            archive.writestr(folder.rstrip("/") + "/", b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_named_zip(
    path: Path, files: Mapping[bytes, bytes], *, method: int = 0, extra: Mapping[bytes, bytes] = {}
) -> Path:
    """Pack a zip whose names are these bytes, without a word about their encoding.

    Args:
        path: of the archive.
        files: by name.
        method: 0 stores, 9 packs by Deflate64.
        extra: extra fields by name.
    """
    body, directory = bytearray(), bytearray()
    for name, content in files.items():
        packed = content if method == 0 else _deflate64(content)
        field = extra.get(name, b"")
        common = struct.pack(
            "<HHHHLLLHH",
            *(0, method, 0, 33, zlib.crc32(content), len(packed), len(content)),
            *(len(name), len(field)),
        )
        directory += b"PK\1\2" + struct.pack("<HH", 20, 20) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name + field
        body += b"PK\3\4" + struct.pack("<H", 20) + common + name + field + packed
    count = len(files)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


def unicode_path(name: bytes, text: str) -> bytes:
    """Return the extra field 0x7075 that says how a name reads."""
    written = text.encode()
    body = b"\1" + struct.pack("<L", zlib.crc32(name)) + written
    return struct.pack("<HH", 0x7075, len(body)) + body


def _deflate64(content: bytes) -> bytes:
    import inflate64

    packer = inflate64.Deflater()
    packed: bytes = packer.deflate(content) + packer.flush()
    return packed


def write_tar(
    path: Path,
    files: Mapping[str, bytes],
    *,
    mode: str = "w",
    form: int = tarfile.PAX_FORMAT,
    folders: Iterable[str] = (),
    encoding: str = "utf-8",
) -> Path:
    """Pack a tar; `mode` as `tarfile` names compressions, and ``w:zst``."""
    zstandard = mode == "w:zst"
    opened: Any = tarfile.open  # its modes are too many types
    with opened(path, "w" if zstandard else mode, format=form, encoding=encoding) as archive:
        for folder in folders:
            member = tarfile.TarInfo(folder)
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    if zstandard:
        from backports import zstd

        path.write_bytes(zstd.compress(path.read_bytes()))
    return path


def write_v7_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """Pack a tar with the headers of 1979, which name no format."""
    written = bytearray()
    for name, content in files.items():
        header = bytearray(512)
        encoded = name.encode()
        header[: len(encoded)] = encoded
        for place, text in (
            (100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"),
            (124, b"%011o\0" % len(content)), (136, b"00000000000\0"), (148, b" " * 8),
        ):  # fmt: skip
            header[place : place + len(text)] = text
        header[148:156] = b"%06o\0 " % sum(header)
        written += header + content + b"\0" * (-len(content) % 512)
    path.write_bytes(written + b"\0" * 1024)
    return path
