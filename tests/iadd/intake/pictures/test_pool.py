"""A child that is killed, hangs, crashes or runs out of memory costs one file."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydicom import uid

from iadd.intake.errors import FileError
from iadd.intake.pictures.budget import Budget, BudgetClosed
from iadd.intake.pictures.picture import DecodeLimits
from iadd.intake.pictures.pool import DecoderPool
from iadd.intake.pictures.protocol import (
    HELLO,
    ProtocolError,
    pack_picture,
    receive,
    send,
    unpack_picture,
    unpack_refusal,
)
from tests.fixtures.dicom import write_dicom
from tests.iadd.intake.pictures.drawing import KEY, SIDE, chest, encoded, read

GOOD = encoded(chest(), "PNG")
posix = pytest.mark.skipif(os.name != "posix", reason="stops a process by a signal")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space")


def pool_of(workers: int = 1, **limits) -> DecoderPool:
    return DecoderPool(SIDE, workers=workers, patient_key=KEY, limits=DecodeLimits(**limits))


def refusal_of(future) -> FileError:
    with pytest.raises(FileError) as refusal:
        future.result(timeout=60)
    return refusal.value


def signal_all(pool: DecoderPool, number: int) -> None:
    for pid in pool.process_ids:
        os.kill(pid, number)


def test_pictures_come_back_as_they_are_decoded_here():
    files = [GOOD, encoded(chest(12), "PNG"), write_dicom(chest(12)), encoded(chest(), "JPEG")]
    with pool_of(workers=2) as pool:
        futures = [pool.submit(data, "a/b.png") for data in files * 5]
        for future, data in zip(futures, files * 5, strict=True):
            found, expected = future.result(timeout=60), read(data)
            assert np.array_equal(found.pixels, expected.pixels)
            assert found.pixels.dtype == np.uint16
            facts = [{**vars(picture), "pixels": None} for picture in (found, expected)]
            assert facts[0] == facts[1]


def test_refusals_come_back_by_their_code():
    with pool_of() as pool:
        assert refusal_of(pool.submit(b"", "a.png")).code == "empty_file"
        assert refusal_of(pool.submit(GOOD[:90], "a.png")).code == "truncated"
        assert refusal_of(pool.submit(b"\x1f\x8b?", "Name of a patient.nii.gz")).code == "nifti"
        assert pool.submit(GOOD, "a.png").result(timeout=60).format == "PNG"


@posix
def test_a_killed_child_costs_one_file():
    with pool_of() as pool:
        pool.submit(GOOD, "first.png").result(timeout=60)
        signal_all(pool, signal.SIGSTOP)
        lost, following = pool.submit(GOOD, "lost.png"), pool.submit(GOOD, "next.png")
        time.sleep(0.1)
        signal_all(pool, signal.SIGKILL)
        assert refusal_of(lost).code == "decoder_failed"
        assert following.result(timeout=60).format == "PNG"


@posix
def test_a_hanging_child_costs_one_file():
    with pool_of(seconds=0.5) as pool:
        pool.submit(GOOD, "first.png").result(timeout=60)
        signal_all(pool, signal.SIGSTOP)
        started = time.monotonic()
        error = refusal_of(pool.submit(GOOD, "hangs.png"))
        assert error.code == "decoder_failed"
        assert "0.5 seconds" in error.reason
        assert time.monotonic() - started < 10
        assert pool.submit(GOOD, "next.png").result(timeout=60).format == "PNG"


@linux
def test_a_picture_that_takes_more_memory_than_allowed_costs_one_file():
    plain = write_dicom(chest(12), uid.DeflatedExplicitVRLittleEndian)
    meta_end = 144 + int.from_bytes(plain[140:144], "little")
    # One private element, which pydicom unpacks with the rest before it looks at any.
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    size = 300 << 20
    bomb = packer.compress(b"\x09\0\x10\x10OB\0\0" + size.to_bytes(4, "little"))
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    with pool_of(address_space=500 << 20) as pool:
        assert refusal_of(pool.submit(plain[:meta_end] + bomb, "bomb.dcm")).code == "too_large"
        assert pool.submit(plain, "plain.dcm").result(timeout=60).format == "DICOM"
        assert pool.submit(GOOD, "next.png").result(timeout=60).format == "PNG"


def test_pictures_above_the_budget_are_decoded_one_after_the_other():
    large = encoded(np.tile(chest(12, side=500), (3, 3)), "PNG", compress_level=1)
    with pool_of(workers=2, decoded_bytes=1, waiting_bytes=1) as pool:
        futures = [pool.submit(large, "large.png") for _ in range(4)]
        assert {future.result(timeout=60).width for future in futures} == {1500}


@posix
def test_closing_ends_the_children_and_calls_off_what_waits():
    with pool_of(waiting_bytes=1 << 30) as pool:
        pool.submit(GOOD, "first.png").result(timeout=60)
        pids = pool.process_ids
        signal_all(pool, signal.SIGSTOP)
        futures = [pool.submit(GOOD, "waits.png") for _ in range(50)]
    assert all(future.done() for future in futures)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@posix
def test_children_end_when_the_pool_dies():
    script = f"""
import os, time
from iadd.intake.pictures.pool import DecoderPool
with DecoderPool(64, workers=2, patient_key=b"k") as pool:
    data = bytes.fromhex("{GOOD.hex()}")
    for future in [pool.submit(data, "a.png") for _ in range(40)]:
        future.result()
    print(*pool.process_ids, flush=True)
    time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert parent.stdout
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert pids
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_secrets_of_the_environment_stay_behind(monkeypatch):
    monkeypatch.setenv("EXCHANGE_SECRET", "PLANTED")
    with pool_of() as pool:
        pool.submit(GOOD, "a.png").result(timeout=60)
        for pid in pool.process_ids:
            environment = Path(f"/proc/{pid}/environ")
            if not environment.exists():
                pytest.skip("only Linux shows a process's environment")
            assert b"PLANTED" not in environment.read_bytes()
            assert KEY.hex().encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


@posix
def test_the_processor_limit_ends_a_loop():
    script = """
from iadd.intake.pictures.confinement import limit_processor_time
limit_processor_time(0)
while True:
    pass
"""
    ended = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert ended.returncode == -signal.SIGXCPU


@pytest.mark.parametrize(
    "script",
    [
        "import iadd.intake.pictures.child, sys; assert 'torch' not in sys.modules",
        "import iadd.intake.pictures.child, sys; assert 'pydicom' not in sys.modules",
        "import iadd.intake.pictures.pool, sys; assert 'torch' not in sys.modules",
    ],
)
def test_children_start_without_heavy_packages(script):
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_answers_of_a_child_are_not_trusted():
    data = b"".join(pack_picture(read(GOOD)))
    assert unpack_picture(data, SIDE).format == "PNG"
    for broken in (b"", data[:-1], data + b"\0", b"\xff" * 8 + data[8:], data.replace(b"{", b"[")):
        with pytest.raises(ProtocolError):
            unpack_picture(broken, SIDE)
    with pytest.raises(ProtocolError):
        unpack_refusal(b"{}")
    pipe = io.BytesIO()
    send(pipe, HELLO, [b"x" * 100])
    pipe.seek(0)
    with pytest.raises(ProtocolError):
        receive(pipe, most=99)


def test_a_budget_lends_no_more_than_it_has_and_all_of_it_to_one():
    budget, used, most = Budget(10), [0], [0]
    lock = threading.Lock()

    def use(size: int) -> None:
        with budget.taken(size):
            with lock:
                used[0] += size
                most[0] = max(most[0], used[0]) if size <= 10 else most[0]
            time.sleep(0.002)
            with lock:
                used[0] -= size

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(use, [6, 4, 5, 30, 3, 7, 10, 2] * 4))
    assert 6 < most[0] <= 10


def test_a_closed_budget_wakes_who_waits():
    budget = Budget(10)
    budget.take(10)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(budget.take, 1)
        budget.close()
        with pytest.raises(BudgetClosed):
            waiting.result(timeout=60)
