"""`exchange verify`: every byte of a bundle counts."""

import hashlib
import io
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from app.releases.seal import BAD, GOOD, UNREADABLE, verify_bundle
from iadd.bundle import load_bundle, write_bundle
from iadd.config import Config
from iadd.distilled import DistilledDataset, History
from iadd.normalisation import Normalisation

Files = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real bundle, as small as one can be."""
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure}
    path = tmp_path_factory.mktemp("whole") / "bundle.zip"
    write_bundle(
        path,
        DistilledDataset(
            images=torch.randn(4, 1, 8, 8),
            labels=torch.tensor([0, 0, 1, 1]),
            classes=("COVID", "肺炎"),
            syn_lr=0.01,
            importance_weights=None,
            history=History(),
            config=Config().override({"image_size": 8, "depth": 2}),
            normalisation=Normalisation((0.5,), (0.25,)),
            initial_images=None,
            best_iteration=0,
        ),
        report_html=b"<!doctype html>",
        report_json={
            "dataset": {"name": "test"},
            "versions": {},
            "utility": {"distilled": figures, "random": figures, "full": figures},
            "privacy": {"statement": "Not refuted."},
        },
    )
    return path.read_bytes()


@pytest.fixture
def bundle(tmp_path: Path, whole: bytes) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    return path


def files_of(content: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def pack(files: Files, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Exactly as a bundle is packed, whatever the files are."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = method
            archive.writestr(entry, content)
    return packed.getvalue()


def with_sums(files: Files) -> Files:
    """The files with a list of sums that fits them, as a forger without a key can make it."""
    listed = [(name, content) for name, content in files if name != "SHA256SUMS"]
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in listed)
    return [*listed, ("SHA256SUMS", sums.encode())]


def test_a_bundle_is_good_and_its_signer_unknown(bundle: Path, whole: bytes) -> None:
    result = verify_bundle(bundle)
    assert result.exit_code == GOOD == 0
    assert "intact: 9 files" in result.lines[0]
    assert "Unknown signer" in result.lines[1]
    sums = dict(files_of(whole))["SHA256SUMS"]
    assert result.lines[2].strip() == hashlib.sha256(sums).hexdigest()


def test_with_a_trusted_key_an_unsigned_bundle_is_not_good(bundle: Path) -> None:
    code, lines = verify_bundle(bundle, trusted_key="ed25519:AAAA")
    assert code == BAD == 1
    assert "not signed" in lines[1]


def test_the_test_packs_as_the_bundle_is_packed(whole: bytes) -> None:
    """Without this the tampering below would be found by its packing alone."""
    assert pack(files_of(whole)) == whole
    assert pack(with_sums(files_of(whole))) == whole


def test_every_entry_changed(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    for number, (name, content) in enumerate(files):
        changed = bytes([content[0] ^ 1]) + content[1:]
        bundle.write_bytes(pack([*files[:number], (name, changed), *files[number + 1 :]]))
        code, lines = verify_bundle(bundle)
        assert code == BAD, name
        if name != "SHA256SUMS":
            assert name in lines[0]


def test_every_entry_removed(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    for number, (name, _) in enumerate(files):
        bundle.write_bytes(pack([*files[:number], *files[number + 1 :]]))
        assert verify_bundle(bundle).exit_code == BAD, name


def test_an_entry_added(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    bundle.write_bytes(pack(sorted([*files[:-1], ("extra.txt", b"hi")]) + files[-1:]))
    code, lines = verify_bundle(bundle)
    assert code == BAD
    assert "extra.txt is not listed" in lines[0]


def test_an_entry_twice(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    with pytest.warns(UserWarning, match="Duplicate"):
        bundle.write_bytes(pack([files[0], *files]))
    assert verify_bundle(bundle).exit_code == BAD


def test_two_entries_in_another_order(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    swapped = [files[1], files[0], *files[2:]]
    for forged in (swapped, with_sums(swapped), files[-1:] + files[:-1]):
        bundle.write_bytes(pack(forged))
        assert verify_bundle(bundle).exit_code == BAD


def test_every_length_of_it(bundle: Path, whole: bytes) -> None:
    for length in {0, 1, 3, 4, 21, 22, 23, *range(0, len(whole), 97), len(whole) - 1}:
        bundle.write_bytes(whole[:length])
        expected = UNREADABLE if length < 4 else BAD
        assert verify_bundle(bundle).exit_code == expected, length


def test_any_byte_of_it(bundle: Path, whole: bytes) -> None:
    """No byte is free: names, dates, attributes, checksums and contents alike."""
    directory = whole.index(b"PK\x01\x02")
    # Contents are covered by hashes: there every ninth byte, and all of the container's own.
    for position in (*range(0, directory, 9), *range(directory, len(whole))):
        changed = bytearray(whole)
        changed[position] ^= 0x20
        bundle.write_bytes(changed)
        assert verify_bundle(bundle).exit_code == BAD, position


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole + b"\0",
        lambda whole: b"\0" + whole,
        lambda whole: whole + whole,
        lambda whole: pack(files_of(whole), method=zipfile.ZIP_DEFLATED),
        lambda whole: whole[:-2] + struct.pack("<H", 5) + b"hello",
    ],
    ids=["appended", "prepended", "doubled", "compressed", "commented"],
)
def test_another_container_around_the_same_files(
    bundle: Path, whole: bytes, change: Callable[[bytes], bytes]
) -> None:
    bundle.write_bytes(change(whole))
    assert verify_bundle(bundle).exit_code == BAD


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a//b", "a\\b", "c:evil", "a\nb", "a/./b", "\u202eevil", "n" * 600]
)
def test_forbidden_names(bundle: Path, whole: bytes, name: str) -> None:
    files = with_sums(sorted([*files_of(whole)[:-1], (name, b"x")]))
    bundle.write_bytes(pack(files))
    code, lines = verify_bundle(bundle)
    assert code == BAD
    assert all(line.isprintable() for line in lines)


def test_what_is_no_zip_cannot_be_read(tmp_path: Path) -> None:
    cases = {"empty": b"", "text": b"hello, world\n" * 9, "tar": b"\0" * 1024}
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        code, lines = verify_bundle(path)
        assert code == UNREADABLE == 2
        assert "not a bundle" in lines[0]


def test_nothing_there_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.zip", tmp_path):
        code, lines = verify_bundle(path)
        assert code == UNREADABLE
        assert "cannot be read" in lines[0]


def test_another_zip_is_not_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    path.write_bytes(pack([("a.txt", b"hello")]))
    code, lines = verify_bundle(path)
    assert code == BAD
    assert "SHA256SUMS" in lines[0]


def test_headers_that_promise_gigabytes_cost_nothing(bundle: Path, whole: bytes) -> None:
    """Sizes in headers are compared with the file before anything is read by them."""
    end = whole.rindex(b"PK\x05\x06")
    directory = int.from_bytes(whole[end + 16 : end + 20], "little")
    for position in (directory + 20, directory + 24, end + 12, end + 16, directory + 42):
        forged = bytearray(whole)
        forged[position : position + 4] = b"\xff\xff\xff\xff"
        bundle.write_bytes(forged)
        assert verify_bundle(bundle).exit_code == BAD


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    """A file of 400 MB is checked within 100 MB."""
    zeros = bytes(1 << 20)
    digest, count = hashlib.sha256(), 400
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("zeros", (1980, 1, 1, 0, 0, 0))
        entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        entry.file_size = count << 20
        with archive.open(entry, "w") as file:
            for _ in range(count):
                file.write(zeros)
                digest.update(zeros)
        sums = zipfile.ZipInfo("SHA256SUMS", (1980, 1, 1, 0, 0, 0))
        sums.create_system, sums.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        archive.writestr(sums, f"{digest.hexdigest()}  zeros\n")
    program = (
        "import resource, sys; from pathlib import Path;"
        "resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20));"
        "from app.releases.seal import verify_bundle;"
        "sys.exit(verify_bundle(Path(sys.argv[1])).exit_code)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert run.returncode == GOOD


def test_it_needs_the_standard_library_alone(bundle: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.releases.seal import verify_bundle;"
        "assert verify_bundle(Path(sys.argv[1])).exit_code == 0;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(bundle)],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(run.stdout.split())
    assert not loaded & {"torch", "numpy", "iadd", "worker", "pydantic", "fastapi"}


def test_what_verifies_also_loads(bundle: Path) -> None:
    assert verify_bundle(bundle).exit_code == GOOD
    assert load_bundle(bundle).classes == ("COVID", "肺炎")
