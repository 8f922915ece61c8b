"""Objects appear whole or not at all."""

import asyncio
import subprocess
import sys

import pytest

from app.core.storage import PART_BYTES, Storage


@pytest.fixture
def storage(tmp_path):
    return Storage((tmp_path / "with space" / "objects").as_uri())


def collect(stream):
    async def read():
        return b"".join([chunk async for chunk in stream])

    return asyncio.run(read())


@pytest.mark.parametrize("kind", ["bytes", "path", "iterable"])
def test_what_is_put_is_got(storage, tmp_path, kind):
    content = b"x" * 1000
    (tmp_path / "file").write_bytes(content)
    given = {
        "bytes": content,
        "path": tmp_path / "file",
        "iterable": iter([content[:9], content[9:]]),
    }

    storage.put("a/b", given[kind])

    assert storage.get("a/b") == content
    assert storage.info("a/b").size == 1000
    assert storage.exists("a/b")
    storage.download("a/b", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content


def test_a_file_url_with_escapes_is_that_folder(storage, tmp_path):
    storage.put("a", b"1")

    assert (tmp_path / "with space" / "objects" / "a").read_bytes() == b"1"


def test_what_is_not_there(storage, tmp_path):
    assert storage.find("a") is None
    assert not storage.exists("a")
    for call in (storage.get, storage.info, lambda key: storage.download(key, tmp_path / "x")):
        with pytest.raises(FileNotFoundError):
            call("a")
    storage.delete("a")
    storage.delete_folder("a")


def test_a_stream_that_breaks_leaves_what_was_there(storage):
    storage.put("a", b"before")

    async def breaks():
        for _ in range(3):
            yield b"x" * PART_BYTES
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        asyncio.run(storage.put_stream("a", breaks()))

    assert storage.get("a") == b"before"


def test_a_range_larger_than_a_part(storage):
    content = bytes(range(256)) * (PART_BYTES // 128)
    storage.put("a", content)

    assert collect(storage.read("a", 10, len(content) - 10)) == content[10:-10]
    assert collect(storage.read("a", 5, 5)) == b""


def test_a_folder_is_whole_segments_of_a_key(storage):
    for key in ("sets/a/1", "sets/a/b/2", "sets/ab/3"):
        storage.put(key, b"x")

    assert sorted(info.key for info in storage.list("sets/a")) == ["sets/a/1", "sets/a/b/2"]
    storage.delete_folder("sets/a")
    assert [info.key for info in storage.list("sets")] == ["sets/ab/3"]


WRITES_AND_WAITS = """
import sys, time
from app.core.storage import PART_BYTES, Storage

def pieces():
    for _ in range(3):
        yield b"x" * PART_BYTES
    print("written", flush=True)
    time.sleep(60)

Storage(sys.argv[1]).put("a/b", pieces())
"""


def test_what_a_killed_process_began_to_write_is_deleted_once_it_is_old(tmp_path):
    storage = Storage(tmp_path.as_uri())
    command = [sys.executable, "-c", WRITES_AND_WAITS, tmp_path.as_uri()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()
    storage.put("a/c", b"whole")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert [info.key for info in storage.list("")] == ["a/c"]

    assert storage.delete_half_written(60) == 0
    assert storage.delete_half_written(0) == 1
    assert storage.get("a/c") == b"whole"
    assert storage.delete_half_written(0) == 0
