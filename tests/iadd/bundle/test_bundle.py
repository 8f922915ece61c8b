"""The contents of a bundle, and the rejection of one that somebody changed."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save as save_tensors

import iadd
from iadd.bundle.bundle import BundleError, load_bundle, open_bundle, write_bundle
from iadd.bundle.card import plain
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation

HTML = b"<!doctype html><title>report</title>"


def make_report() -> dict[str, Any]:
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure}
    return {
        "dataset": {"name": "Nagoya *chest* <b>2024</b>"},
        "versions": {"iadd-exchange": "0.1.0"},
        "utility": {"distilled": figures, "random": figures, "full": figures},
        "privacy": {"statement": "Not refuted: distances alone can never clear a release."},
    }


@pytest.fixture
def distilled(config: Config) -> DistilledDataset:
    generator = torch.Generator().manual_seed(3)
    return DistilledDataset(
        images=torch.randn(4, 1, 16, 16, generator=generator) * 3,
        labels=torch.tensor([0, 0, 1, 1]),
        classes=("Lung Opacity", "Ærø"),
        syn_lr=0.0123,
        importance_weights=torch.full((99,), 0.123456789),
        history=History(),
        config=config,
        normalisation=Normalisation((0.5,), (0.25,)),
        initial_images=torch.full((4, 1, 16, 16), 0.987654321),
        best_iteration=6,
    )


@pytest.fixture
def bundle(tmp_path: Path, distilled: DistilledDataset) -> Path:
    path = tmp_path / "bundle.zip"
    write_bundle(path, distilled, report_html=HTML, report_json=make_report())
    return path


def unpack(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def repack(bundle: Path, files: Mapping[str, bytes], *, resum: bool = False) -> None:
    """Write a bundle as a forger would: with its own sums where `resum`."""
    files = dict(files)
    if resum:
        files.pop("SHA256SUMS")
        files["SHA256SUMS"] = "".join(
            f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()
        ).encode()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_holds_the_files_of_the_design_and_no_others(bundle: Path) -> None:
    assert list(unpack(bundle)) == [
        "README.md",
        "distilled.safetensors",
        "images/Lung Opacity/001.png",
        "images/Lung Opacity/002.png",
        "images/Ærø/001.png",
        "images/Ærø/002.png",
        "metadata.json",
        "report.html",
        "report.json",
        "SHA256SUMS",
    ]


def test_packing_twice_gives_the_same_bytes(
    tmp_path: Path, bundle: Path, distilled: DistilledDataset
) -> None:
    again = tmp_path / "again.zip"
    stored = DistilledDataset.from_bytes(distilled.to_bytes())
    write_bundle(again, stored, report_html=HTML, report_json=make_report())
    assert again.read_bytes() == bundle.read_bytes()


def test_weights_and_starts_stay_at_home(bundle: Path, distilled: DistilledDataset) -> None:
    with safe_open_bytes(unpack(bundle)["distilled.safetensors"], bundle.parent) as tensors:
        assert sorted(tensors.keys()) == ["images", "labels", "syn_lr"]
        assert tensors.get_tensor("syn_lr").shape == ()
        assert tensors.get_tensor("images").dtype == torch.float32
        assert tensors.get_tensor("labels").dtype == torch.int64
    content = bundle.read_bytes()
    assert distilled.importance_weights is not None
    assert distilled.initial_images is not None
    for secret in (distilled.importance_weights[:1], distilled.initial_images.flatten()[:1]):
        # Repeated, so that a chance match of four bytes cannot hide or show it.
        assert secret.repeat(3).numpy().tobytes() not in content


def safe_open_bytes(content: bytes, folder: Path) -> Any:
    path = folder / "tensors"
    path.write_bytes(content)
    return safe_open(path, "pt")


def test_pictures_are_what_the_eye_should_see(bundle: Path, distilled: DistilledDataset) -> None:
    picture = Image.open(io.BytesIO(unpack(bundle)["images/Ærø/002.png"]))
    expected = distilled.normalisation.invert(distilled.images)[3, 0].numpy()
    assert (picture.mode, picture.size) == ("L", (16, 16))
    assert np.array_equal(np.asarray(picture), expected)


def test_colour_pictures_keep_their_channels(tmp_path: Path, distilled: DistilledDataset) -> None:
    colour = replace(
        distilled,
        images=torch.randn(4, 3, 16, 16),
        normalisation=Normalisation((0.5,) * 3, (0.2,) * 3),
    )
    path = tmp_path / "colour.zip"
    write_bundle(path, colour, report_html=HTML, report_json=make_report())
    picture = Image.open(io.BytesIO(unpack(path)["images/Ærø/001.png"]))
    assert (picture.mode, picture.size) == ("RGB", (16, 16))
    assert torch.equal(load_bundle(path).images, colour.images)


def test_metadata_follows_the_contract(bundle: Path, config: Config) -> None:
    metadata = json.loads(unpack(bundle)["metadata.json"])
    assert metadata["classes"] == ["Lung Opacity", "Ærø"]
    assert (metadata["image_size"], metadata["channels"]) == (16, 1)
    assert metadata["normalisation"] == {"mean": [0.5], "std": [0.25]}
    assert metadata["network"] == {"name": "convnet", "depth": 2, "width": 4}
    assert {"optimizer", "lr", "epochs", "batch_size"} <= set(metadata["recipe"])
    assert metadata["recipe"]["lr"] == pytest.approx(0.0123)
    assert metadata["recipe"]["epochs"] == config.evaluation.evaluation_epochs
    assert metadata["versions"] == {"iadd-exchange": "0.1.0"}


def test_loading_gives_back_what_one_trains_with(bundle: Path, distilled: DistilledDataset) -> None:
    loaded = load_bundle(bundle)
    assert torch.equal(loaded.images, distilled.images)
    assert torch.equal(loaded.labels, distilled.labels)
    assert loaded.syn_lr == pytest.approx(distilled.syn_lr, rel=1e-7)
    assert loaded.classes == distilled.classes
    assert loaded.normalisation == distilled.normalisation
    assert loaded.config == distilled.config
    assert loaded.importance_weights is None
    assert loaded.initial_images is None


def test_the_recipe_reproduces_the_reported_figures(
    tmp_path: Path, images: ImageSet, config: Config
) -> None:
    """Distilled here, evaluated there from the bundle alone: the same figures to the last bit."""
    teachers = iadd.record_trajectories(images, config, out=tmp_path / "teachers")
    made = iadd.distill(images, teachers, config)
    reported = iadd.evaluate(made, images, config).to_dict()
    path = tmp_path / "bundle.zip"
    write_bundle(path, made, report_html=HTML, report_json=make_report())
    loaded = load_bundle(path)
    assert iadd.evaluate(loaded, images, loaded.config).to_dict() == reported


def test_the_card_says_what_it_may_be_used_for(bundle: Path) -> None:
    card = unpack(bundle)["README.md"].decode()
    assert "For research use. Not a medical device." in card
    assert "0.750 ± 0.010 (n = 5)" in card
    assert "can never clear a release" in " ".join(card.split())
    assert "anonym" not in card.lower()


def test_names_are_shown_as_names_in_the_card(bundle: Path) -> None:
    assert "<b>" not in unpack(bundle)["README.md"].decode().replace("\\<b", "")
    assert plain("a\n# b | [c](d)") == "a # b \\| \\[c\\]\\(d\\)"


@pytest.mark.parametrize("name", ["../up", "a/b", "", "CON", "dot.", "new\nline"])
def test_a_class_name_that_is_no_folder_is_refused(
    tmp_path: Path, distilled: DistilledDataset, name: str
) -> None:
    hostile = replace(distilled, classes=("good", name))
    with pytest.raises(BundleError, match="class name"):
        write_bundle(tmp_path / "x.zip", hostile, report_html=HTML, report_json=make_report())
    assert not (tmp_path / "x.zip").exists()


@pytest.mark.parametrize(
    "name", ["README.md", "distilled.safetensors", "images/Ærø/002.png", "SHA256SUMS"]
)
def test_a_changed_file_is_refused(bundle: Path, name: str) -> None:
    files = unpack(bundle)
    files[name] = files[name][:-2] + bytes([files[name][-2] ^ 1]) + files[name][-1:]
    repack(bundle, files)
    with pytest.raises(BundleError, match="damaged or forged"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["README.md", "metadata.json", "SHA256SUMS"])
def test_a_missing_file_is_refused(bundle: Path, name: str) -> None:
    files = unpack(bundle)
    del files[name]
    repack(bundle, files)
    with pytest.raises(BundleError, match=r"damaged or forged|holds no"):
        load_bundle(bundle)


def test_an_added_file_is_refused(bundle: Path) -> None:
    repack(bundle, {**unpack(bundle), "extra.txt": b"hello"})
    with pytest.raises(BundleError, match="damaged or forged"):
        load_bundle(bundle)


def test_a_bundle_is_known_by_the_hash_of_its_sums(
    bundle: Path, distilled: DistilledDataset
) -> None:
    opened = open_bundle(bundle)
    assert opened.fingerprint == hashlib.sha256(unpack(bundle)["SHA256SUMS"]).hexdigest()
    assert torch.equal(opened.distilled.images, distilled.images)


def test_a_file_twice_is_refused(bundle: Path) -> None:
    files = unpack(bundle)
    repack(bundle, files)
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(bundle, "a") as archive,
    ):
        archive.writestr("metadata.json", files["metadata.json"])
    with pytest.raises(BundleError, match="twice"):
        load_bundle(bundle)


def test_no_archive_and_no_bundle_are_told_apart(tmp_path: Path) -> None:
    text = tmp_path / "notes.zip"
    text.write_text("hello")
    with pytest.raises(BundleError, match="not a bundle that can be read"):
        load_bundle(text)
    other = tmp_path / "other.zip"
    repack(other, {"a.txt": b"hello"})
    with pytest.raises(BundleError, match="holds no SHA256SUMS"):
        load_bundle(other)
    with pytest.raises(FileNotFoundError):
        load_bundle(tmp_path / "nothing.zip")


def test_random_damage_never_loads_and_never_crashes(bundle: Path) -> None:
    draw = random.Random(5)
    whole = bundle.read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        if draw.random() < 0.3:
            del damaged[draw.randrange(len(damaged)) :]
        bundle.write_bytes(damaged)
        try:
            loaded = load_bundle(bundle)
        except BundleError:
            continue
        # A date or an attribute in a header may change without touching a file.
        assert loaded.classes == ("Lung Opacity", "Ærø")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(classes=["../up", "b"]),
        lambda m: m.update(classes=["one"]),
        lambda m: m.update(classes=7),
        lambda m: m.pop("normalisation"),
        lambda m: m["normalisation"].update(std=[0.0]),
        lambda m: m["normalisation"].update(mean=[1e400]),
        lambda m: m["normalisation"].update(mean=[0.1, 0.2]),
        lambda m: m["config"].update(image_size=64),
        lambda m: m["config"]["network"].update(depth=10**9),
        lambda m: m.update(config=[]),
        lambda m: m.update(best_iteration={}),
    ],
)
def test_forged_metadata_is_refused(bundle: Path, change: Change) -> None:
    files = unpack(bundle)
    metadata = json.loads(files["metadata.json"])
    change(metadata)
    files["metadata.json"] = json.dumps(metadata).encode()
    repack(bundle, files, resum=True)
    with pytest.raises(BundleError, match=r"cannot be used|can be read"):
        load_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff"])
def test_metadata_that_is_none_is_refused(bundle: Path, content: bytes) -> None:
    files = unpack(bundle)
    files["metadata.json"] = content
    repack(bundle, files, resum=True)
    with pytest.raises(BundleError):
        load_bundle(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"images": torch.full((4, 1, 16, 16), torch.nan)},
        {"images": torch.zeros(4, 1, 16, 16, dtype=torch.float64)},
        {"images": torch.zeros(3, 1, 16, 16)},
        {"labels": torch.tensor([0, 0, 1, 2])},
        {"labels": torch.tensor([0, 0, 1, -1])},
        {"labels": torch.tensor(1)},
        {"syn_lr": torch.tensor(-0.1)},
        {"syn_lr": torch.tensor([0.1, 0.2])},
    ],
)
def test_forged_tensors_are_refused(
    bundle: Path, distilled: DistilledDataset, change: dict[str, torch.Tensor]
) -> None:
    files = unpack(bundle)
    good = {
        "images": distilled.images,
        "labels": distilled.labels,
        "syn_lr": torch.tensor(distilled.syn_lr),
    }
    files["distilled.safetensors"] = save_tensors({**good, **change})
    repack(bundle, files, resum=True)
    with pytest.raises(BundleError, match=r"cannot be used|can be read"):
        load_bundle(bundle)
