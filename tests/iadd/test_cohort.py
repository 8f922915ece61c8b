"""The synthetic cohort: reproducible, anatomically the right way round, and hard enough."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.cohort import CLASSES, draw_cohort, draw_image, write_archive
from iadd.cohort.__main__ import main
from iadd.cohort.anatomy import draw_chest
from iadd.cohort.canvas import smooth_field
from iadd.cohort.findings import FINDINGS
from iadd.data.loading import read_images
from iadd.networks.convnet import ConvNet


def test_the_same_patient_is_drawn_alike_whatever_is_drawn_beside() -> None:
    image = draw_image("COVID", 3, seed=7)
    assert image.shape == (224, 224)
    assert image.dtype == np.uint8
    assert np.array_equal(image, draw_image("COVID", 3, seed=7))
    assert not np.array_equal(image, draw_image("COVID", 3, seed=8))
    assert not np.array_equal(image, draw_image("COVID", 4, seed=7))
    assert not np.array_equal(image, draw_image("Normal", 3, seed=7))
    few = list(draw_cohort(2, image_size=32))
    more = list(draw_cohort(3, image_size=32))
    assert [name for name, _ in few] == [name for name in CLASSES for _ in range(2)]
    assert all(np.array_equal(few[i][1], more[j][1]) for i, j in ((0, 0), (1, 1), (2, 3), (7, 10)))


def test_a_chest_looks_like_a_chest() -> None:
    mean = np.mean([draw_image("Normal", n, image_size=112) for n in range(40)], axis=0) / 255
    right_lung, left_lung = mean[40:60, 22:38].mean(), mean[40:60, 72:88].mean()
    spine = mean[30:100, 54:58].mean()
    abdomen = mean[100:, 40:72].mean()
    assert max(right_lung, left_lung) + 0.2 < spine
    assert max(right_lung, left_lung) + 0.3 < abdomen
    # The heart bulges to the patient's left, which is the image's right.
    assert mean[62:72, 64:74].mean() > mean[62:72, 38:48].mean() + 0.1
    # Ribs: bright and dark bands down a single lung.
    lung = draw_image("Normal", 1, image_size=224)[60:120, 55:60].mean(axis=1)
    turns = np.diff(np.sign(np.diff(np.convolve(lung, np.ones(5) / 5, "valid"))))
    assert np.count_nonzero(turns) >= 4


def shadow(class_name: str) -> dict[str, float]:
    """Measure what a class adds per pixel in parts of the lungs, over many patients."""
    parts: dict[str, list[float]] = {}
    for number in range(40):
        rng = np.random.default_rng(number)
        chest = draw_chest(rng, 64)
        added = FINDINGS[class_name](rng, chest)
        assert added.shape == chest.lung.shape
        assert added[chest.lung == 0].max(initial=0) == 0
        inside = chest.lung > 0.5
        for name, where in {
            "left": chest.side > 0,
            "right": chest.side < 0,
            "upper": chest.height < 0.4,
            "lower": chest.height > 0.6,
            "central": chest.depth < 0.35,
            "peripheral": chest.depth > 0.65,
        }.items():
            parts.setdefault(name, []).append(float(added[inside & where].mean()))
    return {name: float(np.mean(values)) for name, values in parts.items()}


def test_each_class_shows_where_radiology_sees_it() -> None:
    assert set(shadow("Normal").values()) == {0.0}
    covid = shadow("COVID")
    assert covid["lower"] > 2 * covid["upper"]
    assert covid["peripheral"] > 1.5 * covid["central"]
    assert covid["left"] == pytest.approx(covid["right"], rel=0.3)
    viral = shadow("Viral Pneumonia")
    assert viral["central"] > 1.3 * viral["peripheral"]
    assert viral["left"] == pytest.approx(viral["right"], rel=0.3)
    opacity = shadow("Lung Opacity")
    assert opacity["upper"] == pytest.approx(opacity["lower"], rel=0.6)


@pytest.mark.parametrize("cells", [3, 16, 40])
def test_smooth_fields_have_the_mean_and_variance_they_promise(cells: int) -> None:
    fields = [smooth_field(np.random.default_rng(seed), 96, cells) for seed in range(60)]
    assert fields[0].shape == (96, 96)
    assert np.mean(fields) == pytest.approx(0, abs=0.1)
    assert np.std(fields) == pytest.approx(1, abs=0.1)


def test_an_archive_is_reproducible_and_readable_by_the_intake(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", 4, image_size=64)
    write_archive(tmp_path / "b.zip", 4, image_size=64)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    reading = read_images(tmp_path / "a.zip", image_size=32)
    assert reading.image_set.count_by_class() == dict.fromkeys(CLASSES, 4)
    assert reading.quality["refused"] == []


def test_the_command_draws_an_archive_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cohort.zip"
    options = ["--out", str(path), "--images-per-class", "1", "--image-size", "32"]
    done = subprocess.run(
        [sys.executable, "-m", "iadd.cohort", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"4 synthetic chest X-rays in {path}\n"
    assert zipfile.ZipFile(path).namelist() == [f"{name}/0000.png" for name in CLASSES]
    before = path.read_bytes()
    assert main([*options, "--seed", "1"]) == 1
    assert "File exists" in capsys.readouterr().err
    assert path.read_bytes() == before
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path / "x.zip"), "--images-per-class", "0"])


def balanced_accuracy_after_training(
    images: Tensor, labels: Tensor, train: Tensor, test: Tensor, epochs: int
) -> float:
    torch.manual_seed(0)
    network = ConvNet(channels=1, classes=len(CLASSES), depth=5, width=16, image_size=112)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
    with torch.no_grad():
        correct = network(images[test]).argmax(dim=1) == labels[test]
    return float(np.mean([correct[labels[test] == c].float().mean() for c in range(len(CLASSES))]))


@pytest.mark.slow
def test_all_of_it_teaches_and_a_few_images_do_not() -> None:
    each = 150
    drawn = [image for _, image in draw_cohort(each, image_size=112)]
    images = torch.from_numpy(np.stack(drawn))[:, None].float()
    images = ((images - images.mean()) / images.std()).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(len(CLASSES)).repeat_interleave(each)
    number = torch.arange(len(labels)) % each
    test = torch.nonzero(number >= 120).flatten()
    everything = torch.nonzero(number < 120).flatten()
    few = torch.nonzero(number < 10).flatten()
    full = balanced_accuracy_after_training(images, labels, everything, test, epochs=12)
    little = balanced_accuracy_after_training(images, labels, few, test, epochs=60)
    assert 0.75 < full < 0.98
    assert little < min(0.7, full - 0.1), full
