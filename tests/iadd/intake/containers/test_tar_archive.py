"""Tars of every dialect, and tars that lie."""

import gzip
import io
import lzma
import os
import struct
import tarfile
import zlib
from pathlib import Path

import pytest

from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError
from tests.iadd.intake.containers.archives import (
    MEBIBYTE,
    code_of,
    list_names,
    memory_below,
    read_all,
    write_tar,
)

NOISE = os.urandom(3000)


def with_checksum(header: bytes) -> bytes:
    total = sum(header[:148]) + 8 * 32 + sum(header[156:512])
    return header[:148] + b"%06o\0 " % total + header[156:]


def v7_header(name: bytes, size: int, kind: bytes = b"\0") -> bytes:
    header = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2
    header += b"%011o\0" % size + b"%011o\0" % 0 + b" " * 8 + kind
    return with_checksum(header.ljust(512, b"\0"))


def pad(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


END = b"\0" * 1024


def test_the_old_header_without_a_magic_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(v7_header(b"COVID/", 0) + v7_header(b"COVID/1", 5) + pad(b"hello") + END)
    assert read_all(path) == ({"COVID/1": b"hello"}, {})


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read(dialect: int, tmp_path: Path) -> None:
    name = "COVID/" + "ü" * 100 + "/" + "x" * 120 + ".png"
    with tarfile.open(tmp_path / "a.tar", "w", format=dialect) as tar:
        member = tarfile.TarInfo(name)
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
        tar.addfile(tarfile.TarInfo("short"))
    assert read_all(tmp_path / "a.tar") == ({name: b"abc", "short": b""}, {})


def test_a_prefix_of_ustar_is_put_in_front(tmp_path: Path) -> None:
    name = "/".join(["folder" * 3] * 8) + "/1.png"
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo(name))
    assert list_names(tmp_path / "a.tar") == [name]


def test_streams_that_follow_each_other_are_one(tmp_path: Path) -> None:
    content = write_tar(tmp_path / "a.tar", {"a/1": NOISE, "a/2": b"two"}).read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(
        gzip.compress(content[:1700]) + gzip.compress(content[1700:])
    )
    assert read_all(tmp_path / "a.tar.gz") == ({"a/1": NOISE, "a/2": b"two"}, {})


def test_a_wrong_checksum_behind_the_tar_is_noticed(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar.gz", {"a/1": NOISE}, "w:gz")
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    assert code_of(path) == "damaged_archive"


def test_a_dictionary_that_needs_much_memory_is_refused(tmp_path: Path) -> None:
    # 1 GiB: the properties of LZMA2 in the header of a block, which the first stream holds alone.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(b"hello", filters=filters))
    at = packed.index(bytes([lzma.FILTER_LZMA2, 1]))
    packed[at + 2] = 36
    header = packed[12 : 12 + (packed[12] + 1) * 4]
    packed[12 + len(header) - 4 : 12 + len(header)] = struct.pack("<L", zlib.crc32(header[:-4]))
    (tmp_path / "a.tar.xz").write_bytes(packed)
    with pytest.raises(DatasetError, match="128 MiB of memory"):
        read_all(tmp_path / "a.tar.xz")


def test_a_plain_tar_is_skipped_through_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        for number in range(4):
            file.write(v7_header(b"a/%d" % number, 3 << 30))
            file.seek(3 << 30, os.SEEK_CUR)  # a hole of 3 GiB: reading it would take seconds
        file.write(END)
    with memory_below(1), open_archive(path) as archive:
        assert [entry.size for entry in archive.entries] == [3 << 30] * 4


def sparse_header(*, extended: bool, broken: bytes = b"") -> bytes:
    header = bytearray(tar_header("a/sparse", 512, tarfile.GNUTYPE_SPARSE))
    header[386:410] = (b"%011o\0" % 0 + b"%011o\0" % 512) if not broken else broken.ljust(24)
    header[482] = extended
    header[483:495] = b"%011o\0" % 512
    return with_checksum(bytes(header))


@pytest.mark.parametrize("broken", [b"", b"-1", b"\xff" * 24, b"rubbish"])
def test_sparse_members_are_refused_alone_however_broken(broken: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    good = v7_header(b"a/good", 4) + pad(b"good")
    path.write_bytes(
        sparse_header(extended=False, broken=broken)
        + NOISE[:512]
        + sparse_header(extended=True)
        + b"\0" * 512
        + NOISE[:512]
        + good
        + END
    )
    assert read_all(path) == ({"a/good": b"good"}, {"a/sparse": "not_a_file"})


def test_a_malformed_pax_header_costs_no_more_than_its_records(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    content = bytearray()
    for records in (b"12 GNU.sparse.map=-1,x\n", b"999999999999999999999 path=x\n", b"-5 a=b\n"):
        content += tar_header("pax", len(records), tarfile.XHDTYPE) + pad(records)
        content += v7_header(b"a/%d" % len(content), 1) + pad(b"x")
    path.write_bytes(bytes(content) + END)
    contents, refused = read_all(path)
    assert len(contents) + len(refused) == 3


def test_a_negative_size_is_damage(tmp_path: Path) -> None:
    header = bytearray(v7_header(b"a/1", 0))
    header[124:136] = b"\xff" * 12
    (tmp_path / "a.tar").write_bytes(with_checksum(bytes(header)) + END)
    assert code_of(tmp_path / "a.tar") == "damaged_archive"


def test_names_in_an_old_encoding_are_decoded_with_one_guess(tmp_path: Path) -> None:
    names = ["Gesund/0.png", "Lungenentzündung/1.png", "Unauffällig/2.png", "Bösartig/3.png"]
    content = b"".join(v7_header(name.encode("cp1252"), 1) + pad(b"x") for name in names) + END
    (tmp_path / "a.tar").write_bytes(content)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content))
    for path in (tmp_path / "a.tar", tmp_path / "a.tar.gz"):
        assert list(read_all(path)[0]) == names
        with open_archive(path) as archive:
            assert archive.names is not None
            assert (archive.names.encoding, archive.names.sure) == ("cp1252", True)
        assert "Unauff\u0434llig/2.png" in list_names(path, encoding="cp1251")


def test_rubbish_amid_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a/1": b"x" * 512, "a/2": b"y" * 512})
    content = bytearray(path.read_bytes())
    content[1024:1536] = b"\x55" * 512
    path.write_bytes(content)
    assert code_of(path) == "damaged_archive"


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


def test_names_come_through_as_they_are_and_touch_no_disk(tmp_path: Path) -> None:
    names = {"../../evil": b"1", "/etc/evil": b"2", "a/" + "x" * 5000: b"3"}
    (tmp_path / "inside").mkdir()
    path = write_tar(tmp_path / "inside" / "a.tar", names)
    assert read_all(path)[0] == names
    assert list(tmp_path.iterdir()) == [tmp_path / "inside"]
