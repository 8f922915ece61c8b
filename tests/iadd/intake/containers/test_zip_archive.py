"""Zips of every method, and zips that lie."""

import os
import struct
import zipfile
import zlib
from pathlib import Path

import inflate64
import pytest

from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from tests.iadd.intake.containers.archives import (
    MEBIBYTE,
    RawEntry,
    code_of,
    list_names,
    memory_below,
    read_all,
    stored,
    write_raw_zip,
    write_zip,
)

NOISE = os.urandom(3000)


def deflate64(name: bytes, content: bytes) -> RawEntry:
    deflater = inflate64.Deflater()
    packed = deflater.deflate(content) + deflater.flush()
    return RawEntry(name, packed, len(content), zlib.crc32(content), method=9)


def test_a_damaged_zip_entry_is_refused_alone(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/1": NOISE, "a/2": b"good"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(NOISE, NOISE[::-1]))
    assert read_all(path) == ({"a/2": b"good"}, {"a/1": "damaged"})


def test_deflate64_is_read_as_windows_explorer_writes_it(tmp_path: Path) -> None:
    # The window of Deflate64 is twice as wide as that of Deflate; the repeat lies 50,000 bytes off.
    content = os.urandom(50_000) * 20 + b"end"
    path = write_raw_zip(tmp_path / "a.zip", [deflate64(b"a/1", content), deflate64(b"a/2", b"")])
    assert read_all(path) == ({"a/1": content, "a/2": b""}, {})


def test_a_deflate64_bomb_stops_early(tmp_path: Path) -> None:
    bomb = deflate64(b"a/liar", b"\0" * (60 * MEBIBYTE))
    liar = RawEntry(bomb.name, bomb.packed, 1000, bomb.checksum, method=9)
    path = write_raw_zip(tmp_path / "a.zip", [liar, stored(b"a/1", NOISE)])
    with memory_below(20):
        assert read_all(path) == ({"a/1": NOISE}, {"a/liar": "damaged"})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_a_bomb_in_any_method_gains_nothing_by_a_lie(method: int, tmp_path: Path) -> None:
    unpacked = 60 * MEBIBYTE + 1
    path = write_zip(tmp_path / "a.zip", {"a/liar": b"\0" * unpacked}, method)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", unpacked), struct.pack("<L", 1000)))
    with memory_below(12):
        assert read_all(path) == ({}, {"a/liar": "damaged"})


@pytest.mark.parametrize("method", [0, 8, 9, 12, 14, 93, 95])
def test_rubbish_in_any_method_is_refused_alone(method: int, tmp_path: Path) -> None:
    rubbish = RawEntry(b"a/bad", NOISE, 3000, zlib.crc32(b"other"), method=method)
    path = write_raw_zip(tmp_path / "a.zip", [rubbish, stored(b"a/good", b"good")])
    assert read_all(path) == ({"a/good": b"good"}, {"a/bad": "damaged"})


def test_a_method_that_is_not_known_is_refused_alone(tmp_path: Path) -> None:
    path = write_raw_zip(
        tmp_path / "a.zip", [RawEntry(b"a/bad", b"x", 1, 0, method=98), stored(b"a/good")]
    )
    assert read_all(path) == ({"a/good": b"x"}, {"a/bad": "compression_method"})


def test_encryption_by_aes_is_called_encryption(tmp_path: Path) -> None:
    path = write_raw_zip(tmp_path / "a.zip", [RawEntry(b"a/1", b"x", 1, 0, method=99, flags=1)])
    assert read_all(path) == ({}, {"a/1": "encrypted"})


def test_bytes_in_front_of_a_zip_are_skipped(tmp_path: Path) -> None:
    prefix = write_raw_zip(tmp_path / "b.zip", [stored(b"b/1")]).read_bytes()
    path = write_raw_zip(tmp_path / "a.zip", [stored(b"a/1", b"one")], prefix=prefix)
    assert read_all(path) == ({"a/1": b"one"}, {})


def test_offsets_that_begin_again_after_4_gib_are_read_as_macos_writes_them(
    tmp_path: Path,
) -> None:
    entries = [stored(b"a/1", b"one"), stored(b"a/2", b"two"), stored(b"a/3", b"three")]
    path = write_raw_zip(tmp_path / "a.zip", entries)
    content = path.read_bytes()
    third = content.index(b"PK\3\4", content.index(b"a/2"))
    with path.open("wb") as file:
        file.write(content[:third])
        file.seek(2**32)  # a hole
        directory = content.index(b"PK\1\2")
        file.write(content[third:directory])
        end = content.index(b"PK\5\6")
        at = content.rindex(b"PK\1\2", 0, end)
        file.write(content[directory : at + 42] + bytes(4) + content[at + 46 : end])
        start = struct.pack("<L", directory - third)
        file.write(content[end : end + 16] + start + content[end + 20 :])
    assert read_all(path) == ({"a/1": b"one", "a/2": b"two", "a/3": b"three"}, {})


def test_zip64_sizes_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        with archive.open("a/1", "w", force_zip64=True) as entry:
            entry.write(NOISE)
        large = struct.pack("<HHQQ", 1, 16, len(NOISE), len(NOISE))
        info = archive.filelist[0]
        info.extra = large
    content = bytearray((tmp_path / "a.zip").read_bytes())
    at = content.rindex(b"PK\1\2")
    content[at + 20 : at + 28] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(content)
    assert read_all(tmp_path / "a.zip") == ({"a/1": NOISE}, {})


def test_many_entries_need_little_memory_and_no_unpacking(tmp_path: Path) -> None:
    entries = [stored(b"COVID/images/person_%06d.png" % number) for number in range(20_000)]
    path = write_raw_zip(tmp_path / "a.zip", entries)
    with memory_below(3), open_archive(path) as archive:
        assert sum(entry.size for entry in archive.entries) == 20_000


# ------------------------------------------------------------------------------- hostile headers


@pytest.mark.parametrize("offset", [1, 2**31, 2**32 - 1])
def test_an_entry_that_lies_nowhere_is_refused_alone(offset: int, tmp_path: Path) -> None:
    entries = [stored(b"a/good", NOISE), stored(b"a/bad", b"bad", offset=offset)]
    path = write_raw_zip(tmp_path / "a.zip", entries)
    assert read_all(path)[1]["a/bad"] == "damaged"


def test_a_directory_that_lies_before_the_file_is_damaged(tmp_path: Path) -> None:
    path = write_raw_zip(tmp_path / "a.zip", [stored(b"a/1")])
    content = bytearray(path.read_bytes())
    content[-6:-2] = struct.pack("<L", 2**31)
    path.write_bytes(content)
    assert code_of(path) == "damaged_archive"


def test_two_entries_at_one_place_are_both_refused(tmp_path: Path) -> None:
    entries = [stored(b"a/1", NOISE), stored(b"a/2", NOISE), stored(b"a/2", NOISE, offset=0)]
    assert read_all(write_raw_zip(tmp_path / "a.zip", entries))[1] == {
        "a/1": "damaged",
        "a/2": "damaged",
    }


@pytest.mark.parametrize("name", [b"a/\xff\xfe.png", b"a/\xed\xa0\x80.png", b"a/\xc3"])
def test_bytes_that_are_no_utf8_in_spite_of_the_flag_are_replaced(
    name: bytes, tmp_path: Path
) -> None:
    entries = [stored(name, b"odd", flags=0x800), stored("b/ü.png".encode(), b"x", flags=0x800)]
    contents, refused = read_all(write_raw_zip(tmp_path / "a.zip", entries))
    assert not refused
    assert contents.pop("b/ü.png") == b"x"
    (odd,) = contents
    assert odd.startswith("a/\N{REPLACEMENT CHARACTER}")
    odd.encode()  # holds no surrogates


def test_the_unicode_path_field_counts_where_its_checksum_fits(tmp_path: Path) -> None:
    def field(raw: bytes, name: str) -> bytes:
        content = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
        return struct.pack("<HH", 0x7075, len(content)) + content

    raw = b"Befund_\x81/1"
    entries = [
        stored(raw, extra=field(raw, "Befund_ü/1")),
        stored(b"plain/2", extra=field(b"another name", "wrong/2")),
        stored(b"cut/3", extra=field(b"cut/3", "x")[:7]),
    ]
    path = write_raw_zip(tmp_path / "a.zip", entries)
    assert list_names(path) == ["Befund_ü/1", "plain/2", "cut/3"]
    with open_archive(path) as archive:
        assert archive.names is None


def test_an_entry_of_absurd_size_does_not_cost_the_others(tmp_path: Path) -> None:
    large = struct.pack("<HHQ", 1, 8, 2**62)
    absurd = RawEntry(b"a/bad", b"x", 2**32 - 1, 0, extra=large)
    path = write_raw_zip(tmp_path / "a.zip", [absurd, stored(b"a/good")])
    assert read_all(path) == ({"a/good": b"x"}, {"a/bad": "too_large"})


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


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a/1": b"one"})
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the general purpose flags of the local header …
    content[content.index(b"PK\x01\x02") + 8] |= 1  # … and of the central directory
    path.write_bytes(content)
    assert read_all(path) == ({}, {"a/1": "encrypted"})


def test_two_entries_of_one_name_are_both_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1", b"one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a/1", b"two")
    with open_archive(path) as opened:
        assert [entry.read() for entry in opened.entries] == [b"one", b"two"]
