"""Bundles made to cost memory, or changed where the signature does not look."""

import json
import tracemalloc
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.signing.keys import KeyHistory, new_key
from app.signing.signature import Signature, Signer
from iadd.bundle.bundle import BundleError, load_bundle
from iadd.bundle.format import list_sums, sha256_of
from tests.fixtures.bundles import small_bundle

MEBIBYTE = 2**20
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An intact bundle's, without its sums."""
    path = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    report = {"versions": {"iadd-exchange": "0.1.0"}, "dataset": {"name": "chest"}}
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure, "training_images": 4}
    report |= {
        "utility": dict.fromkeys(("distilled", "random", "full"), figures),
        "privacy": {"statement": "Not refuted."},
    }
    path.write_bytes(small_bundle(("COVID", "Normal"), report))
    with zipfile.ZipFile(path) as archive:
        content = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    del content["SHA256SUMS"]
    return content


def write(path: Path, files: dict[str, bytes], packing: int, *, sign: bool = False) -> bytes:
    """Packs files with their sums; gives the signature."""
    sums = list_sums({name: sha256_of(content) for name, content in files.items()})
    signature = b""
    if sign:
        private, public = new_key()
        signer = Signer.with_key("St. Anna", private, KeyHistory(public))
        signature = Signature.make(signer, sums_sha256=sha256_of(sums), signed_at=NOW).to_bytes()
    save(path, {**files, "SHA256SUMS": sums, **({"SIGNATURE": signature} if sign else {})}, packing)
    return signature


def save(path: Path, files: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["metadata.json", "SIGNATURE", "distilled.safetensors"])
def test_a_document_of_nothing_but_braces_takes_no_memory(
    tmp_path: Path, files: dict[str, bytes], packing: int, name: str
) -> None:
    braces = b'{"x":[' + b"{}," * (2 * MEBIBYTE) + b"{}]}"
    if name == "distilled.safetensors":
        braces = len(braces).to_bytes(8, "little") + braces
    path = tmp_path / "bundle.zip"
    write(path, {**files, name: braces}, packing)

    tracemalloc.start()
    try:
        with pytest.raises(BundleError):
            load_bundle(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 6 * len(braces), "it was parsed"


def test_a_signature_has_one_form(tmp_path: Path, files: dict[str, bytes]) -> None:
    path = tmp_path / "bundle.zip"
    signature = write(path, files, zipfile.ZIP_STORED, sign=True)
    assert load_bundle(path).classes == ("COVID", "Normal")
    with zipfile.ZipFile(path) as archive:
        signed = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    document = json.loads(signature)
    others = [
        signature + b"\n",
        signature + b" ",
        b" " + signature,
        signature[:-1],
        json.dumps(document, indent=1).encode(),
        json.dumps({**document, "signature": document["signature"] + "=="}).encode(),
        signature.replace(b'"signature":"', b'"signature":"*'),
        signature.replace(b'{"', b'{"algorithm":"none","', 1),
    ]
    for other in others:
        save(path, {**signed, "SIGNATURE": other})
        with pytest.raises(BundleError, match="SIGNATURE"):
            load_bundle(path)
