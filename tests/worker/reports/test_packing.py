"""The last phase stores a public bundle, and apart from it a report that shows the starts."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.storage import Storage
from app.models.distillation import PRIVATE_KEYS, RESULT_KEYS
from app.signing.verify import read_bundle
from iadd.bundle.format import CERTIFICATE
from iadd.data.image_set import ImageSet
from tests.worker.reports.sources import make_images
from worker.distillation import packing
from worker.reports import ReportSource


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage((tmp_path / "objects").as_uri())


def pack(
    storage: Storage, source: ReportSource, scratch: Path, *, images: ImageSet | None = None
) -> dict[str, str]:
    storage.put("distilled", source.distilled.to_bytes())
    storage.put("evaluation", json.dumps(source.utility).encode())
    storage.put("privacy", json.dumps(source.privacy.to_dict()).encode())
    if images is not None:
        storage.put("images", images.to_bytes())
    scratch.mkdir()
    return packing.pack_results(
        storage,
        dataset=source.dataset,
        asked_on="2026-11-26",
        counts=source.counts,
        split_by="patient",
        randomness="secret",
        timings=source.timings,
        distilled="distilled",
        evaluation="evaluation",
        privacy="privacy",
        folder="distillations/dl_1",
        scratch=scratch,
        on_progress=lambda progress: None,
        images=None if images is None else "images",
    )


def test_what_shows_the_start_is_kept_apart_from_what_may_leave(
    storage: Storage, source: ReportSource, tmp_path: Path
) -> None:
    keys = pack(storage, source, tmp_path / "scratch")
    internal = {"internal_html_key", "internal_pdf_key"}
    assert set(keys) == {*RESULT_KEYS, *internal}
    assert internal <= set(PRIVATE_KEYS)  # deleted with the dataset
    _, files = read_bundle(storage.get(keys["bundle_key"]))
    assert files["report.html"] == storage.get(keys["report_html_key"])
    assert files["report.pdf"] == storage.get(keys["report_pdf_key"])
    for kind in ("html", "pdf"):
        shown = storage.get(keys[f"internal_{kind}_key"])
        assert len(shown) > len(storage.get(keys[f"report_{kind}_key"]))
        assert shown not in files.values()


def test_the_certificate_lies_beside_the_report_and_in_the_bundle(
    storage: Storage, source: ReportSource, tmp_path: Path
) -> None:
    keys = pack(storage, source, tmp_path / "scratch")
    _, files = read_bundle(storage.get(keys["bundle_key"]))
    for kind, name in CERTIFICATE.items():
        assert files[name] == storage.get(f"distillations/dl_1/certificate.{kind}")
    document = json.loads(files["certificate.json"])
    tensors = hashlib.sha256(files["distilled.safetensors"]).hexdigest()
    assert document["tensors_sha256"] == tensors
    assert b"certificate.html" in files["README.md"]


def test_the_internal_audit_shows_the_nearest_training_images(
    storage: Storage, source: ReportSource, tmp_path: Path
) -> None:
    without = replace(source, distilled=replace(source.distilled, initial_images=None))
    keys = pack(storage, without, tmp_path / "scratch", images=make_images())
    page = storage.get(keys["internal_html_key"]).decode()
    assert page.count("training image nearest to") == len(source.distilled)
    assert "training image nearest to" not in storage.get(keys["report_html_key"]).decode()


@pytest.mark.slow
def test_packing_twice_stores_the_same(
    storage: Storage, source: ReportSource, tmp_path: Path
) -> None:
    keys = pack(storage, source, tmp_path / "one")
    first = {column: storage.get(key) for column, key in keys.items()}
    assert pack(storage, source, tmp_path / "two") == keys
    assert {column: storage.get(key) for column, key in keys.items()} == first


def test_a_set_that_kept_no_start_has_no_internal_report(
    storage: Storage, source: ReportSource, tmp_path: Path
) -> None:
    without = replace(source, distilled=replace(source.distilled, initial_images=None))
    assert set(pack(storage, without, tmp_path / "scratch")) == set(RESULT_KEYS)
