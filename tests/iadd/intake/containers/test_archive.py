"""Archives as people make them, and as attackers do."""

import gzip
import io
import os
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iadd.intake.containers.limits import DEFAULT_LIMITS, Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError, FileError

MEBIBYTE = 1 << 20
NOISE = os.urandom(3000)
FILES = {"Normal/1.png": NOISE, "COVID/deep/2.png": b"two", "COVID/empty.png": b""}


def read_all(
    source: Path, limits: Limits = DEFAULT_LIMITS
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read the entries; return contents, and the codes of rejected ones, by name."""
    contents: dict[str, bytes] = {}
    refused: dict[str, str] = {}
    with open_archive(source, limits) as archive:
        position = 0
        for entry in archive.entries:
            assert position <= entry.position <= archive.total
            position = entry.position
            try:
                contents[entry.name] = entry.read()
            except FileError as error:
                refused[entry.name] = error.code
    return contents, refused


def code_of(source: Path, limits: Limits = DEFAULT_LIMITS) -> str:
    with pytest.raises(DatasetError) as caught:
        read_all(source, limits)
    assert str(caught.value).endswith(".")
    return caught.value.code


@contextmanager
def memory_below(mebibytes: float) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()
    assert peak < mebibytes


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "zip": lambda path: write_zip(path, FILES),
    "stored zip": lambda path: write_zip(path, FILES, zipfile.ZIP_STORED),
    "tar": lambda path: write_tar(path, FILES),
    "tar.gz": lambda path: write_tar(path, FILES, "w:gz"),
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


@pytest.mark.parametrize(
    ("head", "code", "words"),
    [
        (b"", "empty_archive", "no bytes"),
        (b"\x89PNG\r\n\x1a\n", "not_an_archive", "single picture"),
        (b"\xff\xd8\xff\xe0", "not_an_archive", "single picture"),
        (b"7z\xbc\xaf\x27\x1c", "not_an_archive", "7-Zip"),
        (b"Rar!\x1a\x07", "not_an_archive", "RAR"),
        (b"\0" * 128 + b"DICM", "not_an_archive", "DICOM"),
        (gzip.compress(b"hello", mtime=0), "not_an_archive", "no tar archive"),
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


@pytest.mark.parametrize("kind", ["zip", "stored zip", "tar", "tar.gz"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9])
def test_an_archive_cut_short_is_damaged(kind: str, kept: float, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path / "archive")
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[: max(300, int(len(content) * kept))])
    assert code_of(path) == "damaged_archive"


def test_rubbish_amid_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a/1": b"x" * 512, "a/2": b"y" * 512})
    content = bytearray(path.read_bytes())
    content[1024:1536] = b"\x55" * 512
    path.write_bytes(content)
    assert code_of(path) == "damaged_archive"


def test_a_damaged_zip_entry_is_refused_alone(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/1": NOISE, "a/2": b"good"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(NOISE, NOISE[::-1]))
    assert read_all(path) == ({"a/2": b"good"}, {"a/1": "damaged"})


# ----------------------------------------------------------------------------------- zip bombs


def test_a_zip_bomb_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/bomb.png": b"\0" * (48 * MEBIBYTE), "a/1": NOISE})
    with memory_below(2):
        assert code_of(path) == "archive_too_large"


def test_a_bomb_in_a_large_archive_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1", os.urandom(MEBIBYTE))
        archive.writestr("a/bomb", b"\0" * (16 * MEBIBYTE), zipfile.ZIP_DEFLATED)
        archive.writestr("a/black", b"\0" * MEBIBYTE, zipfile.ZIP_DEFLATED)
    contents, refused = read_all(path)
    assert refused == {"a/bomb": "inflated"}
    assert set(contents) == {"a/1", "a/black"}


def test_a_zip_header_that_lies_about_the_size_gains_nothing(tmp_path: Path) -> None:
    unpacked = 32 * MEBIBYTE
    path = write_zip(tmp_path / "a.zip", {"a/liar.png": b"\0" * unpacked})
    content = path.read_bytes()
    assert content.count(struct.pack("<L", unpacked)) == 2  # in both headers
    path.write_bytes(content.replace(struct.pack("<L", unpacked), struct.pack("<L", 1000)))
    with memory_below(4):
        assert read_all(path) == ({}, {"a/liar.png": "damaged"})


def test_zip_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/0", NOISE)
        archive.filelist += [archive.filelist[0]] * 50
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


def test_a_huge_central_directory_is_not_read(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/1": b"one"})
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    claimed = 256 * MEBIBYTE
    directory = struct.pack("<L", claimed)
    hostile = content[: end + 12] + directory + content[end + 16 :]
    with path.open("wb") as file:
        file.truncate(claimed)  # a hole: zipfile looks for the directory this far from the end
        file.seek(claimed)
        file.write(hostile[end:])
        file.seek(0)
        file.write(b"PK\x03\x04")
    with memory_below(2):
        assert code_of(path, Limits(entries=10)) == "damaged_archive"


# ----------------------------------------------------------------------------------- tar bombs


def test_a_tar_gz_bomb_stops_at_its_ratio(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with memory_below(150):  # writing it
        write_tar(path, {"a/bomb": b"\0" * (48 * MEBIBYTE), "a/1": NOISE}, "w:gz")
    with memory_below(4):
        assert code_of(path, Limits(entry_bytes=MEBIBYTE)) == "archive_too_large"


def tar_header(name: str, size: int, kind: bytes) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    member.type = kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_tar_header_of_absurd_length_is_not_read(kind: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(tar_header("long", 512 * MEBIBYTE, kind))
        file.truncate(600 * MEBIBYTE)
    with memory_below(4):
        assert code_of(path) == "damaged_archive"


def test_a_chain_of_tar_headers_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_header("x", 0, tarfile.XHDTYPE) * 5000 + b"\0" * 1024)
    assert code_of(path) == "damaged_archive"


# ------------------------------------------------------------------- entries that are no files


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


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/1": b"one"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the general purpose flags of the local header …
    content[content.index(b"PK\x01\x02") + 8] |= 1  # … and of the central directory
    path.write_bytes(content)
    assert read_all(path) == ({}, {"a/1": "encrypted"})


def test_names_come_through_as_they_are_and_touch_no_disk(tmp_path: Path) -> None:
    names = {"../../evil": b"1", "/etc/evil": b"2", "a/" + "x" * 5000: b"3"}
    (tmp_path / "inside").mkdir()
    path = write_tar(tmp_path / "inside" / "a.tar", names)
    assert read_all(path)[0] == names
    assert list(tmp_path.iterdir()) == [tmp_path / "inside"]


def test_two_entries_of_one_name_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/1", b"two")
    with open_archive(path) as opened:
        assert [entry.read() for entry in opened.entries] == [b"one", b"two"]
