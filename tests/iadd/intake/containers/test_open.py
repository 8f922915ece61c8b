"""What every kind of archive has in common."""

import bz2
import gzip
import lzma
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError
from tests.iadd.intake.containers.archives import (
    code_of,
    read_all,
    write_folder,
    write_tar,
    write_zip,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOISE = os.urandom(3000)
FILES = {"Normal/1.png": NOISE, "COVID/deep/2.png": b"two", "COVID/empty.png": b""}


def write_packed_tar(path: Path, files: dict[str, bytes], pack: Callable[[bytes], bytes]) -> Path:
    write_tar(path, files)
    path.write_bytes(pack(path.read_bytes()))
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "zip": lambda path: write_zip(path, FILES),
    "stored zip": lambda path: write_zip(path, FILES, zipfile.ZIP_STORED),
    "bzip2 zip": lambda path: write_zip(path, FILES, zipfile.ZIP_BZIP2),
    "lzma zip": lambda path: write_zip(path, FILES, zipfile.ZIP_LZMA),
    "tar": lambda path: write_tar(path, FILES),
    "tar.gz": lambda path: write_tar(path, FILES, "w:gz"),
    "tar.bz2": lambda path: write_packed_tar(path, FILES, bz2.compress),
    "tar.xz": lambda path: write_packed_tar(path, FILES, lzma.compress),
    "tar.zst": lambda path: write_packed_tar(path, FILES, zstd.compress),
    "folder": lambda path: write_folder(path, FILES),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_archive_yields_the_same_entries(kind: str, tmp_path: Path) -> None:
    assert read_all(WRITERS[kind](tmp_path / "archive")) == (FILES, {})


def test_folders_are_no_entries(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("COVID")
        archive.writestr("COVID/1.png", b"one")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        folder = tarfile.TarInfo("COVID")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert read_all(tmp_path / "a.zip") == ({"COVID/1.png": b"one"}, {})
    assert read_all(tmp_path / "a.tar") == ({}, {})


@pytest.mark.parametrize("kind", WRITERS)
def test_sizes_are_known_without_reading(kind: str, tmp_path: Path) -> None:
    with open_archive(WRITERS[kind](tmp_path / "archive")) as archive:
        sizes = {entry.name: entry.size for entry in archive.entries}
    assert sizes == {name: len(content) for name, content in FILES.items()}


@pytest.mark.parametrize(
    ("head", "code", "words"),
    [
        (b"", "empty_archive", "no bytes"),
        (b"\x89PNG\r\n\x1a\n", "not_an_archive", "single picture"),
        (b"\xff\xd8\xff\xe0", "not_an_archive", "single picture"),
        (b"7z\xbc\xaf\x27\x1c", "not_an_archive", "7-Zip"),
        (b"Rar!\x1a\x07", "not_an_archive", "RAR"),
        (b"PK\x07\x08PK", "not_an_archive", "split into several"),
        (b"LZIP\x01", "not_an_archive", "lzip"),
        (b"\0" * 128 + b"DICM", "not_an_archive", "DICOM"),
        (gzip.compress(b"hello", mtime=0), "not_an_archive", "a gzip file with no tar archive"),
        (lzma.compress(b"hello"), "not_an_archive", "an xz file with no tar archive"),
        (bz2.compress(b"hello"), "not_an_archive", "a bzip2 file with no tar archive"),
        (zstd.compress(b"hello"), "not_an_archive", "a Zstandard file with no tar archive"),
        (b"patient,age\n1,70\n", "not_an_archive", "neither a zip nor a tar"),
        (b"\0" * 10240, "not_an_archive", "neither a zip nor a tar"),
    ],
)
def test_what_is_no_archive_is_named(head: bytes, code: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(head)
    with pytest.raises(DatasetError, match=words) as caught:
        read_all(tmp_path / "upload")
    assert caught.value.code == code
    assert ".zip, .tar or .tar.gz" in str(caught.value)


def test_nothing_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_all(tmp_path / "missing.zip")


@pytest.mark.parametrize("kind", [kind for kind in WRITERS if kind != "folder"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_an_archive_cut_short_is_damaged(kind: str, kept: float, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path / "archive")
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: max(300, int(len(content) * kept))])
    assert code_of(path) == "damaged_archive"


def test_a_large_entry_is_refused_alone(tmp_path: Path) -> None:
    limits = Limits(entry_bytes=1000)
    files = {"a/large": NOISE, "a/small": b"small"}
    expected = ({"a/small": b"small"}, {"a/large": "too_large"})
    assert read_all(write_zip(tmp_path / "a.zip", files), limits) == expected
    assert read_all(write_tar(tmp_path / "a.tar", files), limits) == expected
    assert read_all(write_folder(tmp_path / "a", files), limits) == expected


@pytest.mark.parametrize("kind", WRITERS)
def test_the_whole_is_limited_in_bytes_and_in_entries(kind: str, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path / "archive")
    assert code_of(path, Limits(total_bytes=2000)) == "archive_too_large"
    assert code_of(path, Limits(entries=2)) == "archive_too_large"
    assert read_all(path, Limits(entries=3))[0] == FILES


def test_an_encoding_that_is_none_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", FILES)
    for encoding in ("klingon", "rot13", "base64", "utf-16", "idna", "unicode_escape", "a\0b", "ä"):
        with pytest.raises(DatasetError) as caught, open_archive(path, encoding=encoding):
            pass
        assert caught.value.code == "unknown_encoding"


def test_links_are_refused_and_never_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("a/soft", tarfile.SYMTYPE), ("a/hard", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = str(secret)
            tar.addfile(member)
        pipe = tarfile.TarInfo("a/pipe")
        pipe.type = tarfile.FIFOTYPE
        tar.addfile(pipe)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("a/soft")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, str(secret))
    (tmp_path / "folder" / "a").mkdir(parents=True)
    (tmp_path / "folder" / "a" / "soft").symlink_to(secret)
    (tmp_path / "folder" / "loop").symlink_to(tmp_path / "folder")

    no_file = "not_a_file"
    assert read_all(tmp_path / "a.tar") == (
        {},
        {"a/soft": no_file, "a/hard": no_file, "a/pipe": no_file},
    )
    assert read_all(tmp_path / "a.zip") == ({}, {"a/soft": no_file})
    assert read_all(tmp_path / "folder") == ({}, {"a/soft": no_file})
