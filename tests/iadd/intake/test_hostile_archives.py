"""Archives made to harm: each ends with its sentence, and costs neither memory nor other files."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iadd.intake.examine import Outcome, examine
from iadd.intake.layout import tables
from iadd.intake.layout.tables import Table
from tests.iadd.intake.containers.archives import RawEntry, memory_below, stored, write_raw_zip
from tests.intake_cases.drawing import class_folders, write_tar, write_zip
from tests.intake_cases.reading import OPTIONS, one_decoder

GOOD = class_folders("{c}/{i}.png", {"COVID": "COVID", "Normal": "Normal"}, 4)
PICTURE = next(iter(GOOD.values()))


@pytest.fixture(autouse=True, scope="module")
def _one_decoder() -> Iterator[None]:
    with one_decoder():
        yield


def read(path: Path) -> Outcome:
    out = path.with_name("out")
    out.mkdir()
    outcome = examine(path, out, options=OPTIONS)
    json.dumps(outcome.quality, ensure_ascii=False).encode()  # it can be stored
    return outcome


def with_header(name: bytes, **fields: bytes) -> Callable[[Path], Path]:
    """A tar whose last member has these fields, right or wrong."""

    def write(path: Path) -> Path:
        places = {"size": 124, "kind": 156}
        header = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
        header[:100] = name.ljust(100, b"\0")
        for field, value in fields.items():
            header[places[field] : places[field] + len(value)] = value
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        written = write_tar(path, GOOD).read_bytes()
        place = written.rindex(b"IEND")
        place += -place % 512
        content = b"" if fields.get("kind") in (b"2", b"3") else PICTURE.ljust(8192, b"\0")
        path.write_bytes(written[:place] + header + content + bytes(1024))
        return path

    return write


def with_entry(entry: RawEntry) -> Callable[[Path], Path]:
    rest = [stored(name.encode(), data) for name, data in GOOD.items()]
    return lambda path: write_raw_zip(path, [*rest, entry])


ONE_BAD_FILE = {
    "UTF-8 that is none": with_entry(stored(b"COVID/\xff\xfe\xc3.png", PICTURE, flags=0x800)),
    "surrogates": with_entry(stored(b"COVID/\xed\xa0\x80.png", PICTURE, flags=0x800)),
    "a name with NUL": with_entry(stored(b"COVID/\0z.png", PICTURE)),
    "an offset beyond the end": with_entry(stored(b"COVID/z.png", PICTURE, offset=1 << 31)),
    "the offset of zip64": with_entry(stored(b"COVID/z.png", PICTURE, offset=(1 << 32) - 1)),
    "an unknown method": with_entry(RawEntry(b"COVID/z.png", PICTURE, 9, 0, method=77)),
    "a wrong checksum": with_entry(RawEntry(b"COVID/z.png", PICTURE, len(PICTURE), 1)),
    "a name of 60,000 letters": with_entry(stored(b"COVID/" + b"a" * 60_000 + b".png", PICTURE)),
    "5,000 folders": with_entry(stored(b"a/" * 5_000 + b"x.png", PICTURE)),
    "a link": with_header(b"COVID/l.png", size=b"%011o\0" % 0, kind=b"2"),
    "a device": with_header(b"COVID/d.png", size=b"%011o\0" % 0, kind=b"3"),
}


@pytest.mark.parametrize("write", ONE_BAD_FILE.values(), ids=ONE_BAD_FILE)
def test_a_bad_entry_costs_itself_alone(write: Callable[[Path], Path], tmp_path: Path) -> None:
    outcome = read(write(tmp_path / "archive"))
    assert outcome.status == "ready", outcome.problem or outcome.layout
    quality = outcome.quality
    assert sum(sum(counts.values()) for counts in outcome.classes.values()) == 8
    ignored = sum(one["count"] for one in quality["ignored"])
    assert quality["images"] + quality["refused_count"] + ignored == quality["entries"] == 9


DAMAGED = {
    "a negative size": with_header(b"COVID/n.png", size=b"\xff" * 11 + b"\x80"),
    "a size beyond the end": with_header(b"COVID/n.png", size=b"\x80\0\0\0" + b"\x7f" * 8),
    "a size that is no number": with_header(b"COVID/n.png", size=b"0000zz00000\0"),
    "a long name without an end": with_header(b"././@LongLink", size=b"7" * 11 + b"\0", kind=b"L"),
}


@pytest.mark.parametrize("write", DAMAGED.values(), ids=DAMAGED)
def test_a_tar_that_contradicts_itself_is_damaged(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    outcome = read(write(tmp_path / "archive"))
    assert (outcome.status, outcome.problem["code"]) == ("rejected", "damaged-archive")


def zip_bomb(path: Path, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
        for number in range(3):
            archive.writestr(f"COVID/b{number}.png", bytes(20 << 20))
    return path


BOMBS: dict[str, Callable[[Path], Path]] = {
    "zip": lambda path: zip_bomb(path, zipfile.ZIP_DEFLATED),
    "zip by bzip2": lambda path: zip_bomb(path, zipfile.ZIP_BZIP2),
    "zip by LZMA": lambda path: zip_bomb(path, zipfile.ZIP_LZMA),
    **{
        f"tar.{end}": lambda path, end=end: write_tar(
            path, GOOD | {"COVID/b.png": bytes(60 << 20)}, mode=f"w:{end}"
        )
        for end in ("gz", "bz2", "xz", "zst")
    },
}


@pytest.mark.parametrize("write", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_in_every_container(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "archive")
    with memory_below(40):
        outcome = read(path)
    assert (outcome.status, outcome.problem["code"]) == ("rejected", "archive-too-large")


def test_a_packed_table_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(tables, "MOST_CELLS", 10_000)
    content = gzip.compress(b"file,label\n" + b"COVID/0.png,COVID\n" * 500_000)
    with memory_below(8):
        table = Table.parse("labels.csv.gz", content)
    assert table is not None
    assert (table.rows, table.cut) == (5_000, True)


def test_a_table_beside_each_picture_is_no_burden(tmp_path: Path) -> None:
    files = GOOD | {f"COVID/{i}.csv": b"file,label\nx,y\n" for i in range(300)}
    outcome = read(write_zip(tmp_path / "archive", files))
    assert outcome.status in ("ready", "awaiting_mapping")
    if outcome.layout is not None:
        assert len(outcome.layout["tables"]) <= 100


def test_many_scans_of_one_jpeg_cost_that_file(tmp_path: Path) -> None:
    from PIL import Image

    file = io.BytesIO()
    Image.effect_noise((300, 300), 50).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    bomb = data[:-2] + scan * 2_000 + b"\xff\xd9"
    assert zlib.crc32(bomb) != zlib.crc32(data)
    outcome = read(write_zip(tmp_path / "archive", GOOD | {"COVID/z.jpg": bomb}))
    assert outcome.status == "ready"
    assert outcome.quality["refused_count"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are of Unix")
@pytest.mark.parametrize("most_bytes", [20_000, 60_000])
def test_a_full_disc_is_said_with_its_number(most_bytes: int, tmp_path: Path) -> None:
    import errno
    import resource

    files = class_folders("{c}/{i}.png", {"COVID": "COVID", "Normal": "Normal"}, 4)
    request = {
        "key": "00" * 32,
        "source": str(write_zip(tmp_path / "archive", files)),
        "out": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "iadd.intake"],
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert last == {"error": errno.EFBIG}, done.stderr
    assert (tmp_path / "archive").exists()
    assert not (tmp_path / "read.levels").exists()
