"""``iadd reproduce table1`` runs on drawn sets in the files of CIFAR and Tiny ImageNet."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from iadd.cli import app
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.networks.build import build_architecture
from iadd.presets import PRESETS, PUBLISHED_SETS, describe
from iadd.reproduce.published import IPC, TABLE_1_FIGURES
from iadd.reproduce.report import count_images
from iadd.reproduce.study import STUDIES, on_published_set
from tests.iadd.published_files import (
    cifar10_files,
    cifar100_files,
    pack_tar,
    pack_zip,
    tiny_imagenet_files,
)

SMALL = {
    **{"width": 4, "teachers": 2, "teacher_epochs": 3, "teacher_batch_size": 32},
    **{"max_start_epoch": 2, "expert_epochs": 1, "iterations": 2, "syn_steps": 2},
    **{"images_per_class": 1, "validate_every": 2, "validation_networks": 1},
    **{"evaluation_networks": 1, "evaluation_epochs": 2, "full_epochs": 1},
    **{"network_epochs": 1, "real_batch_size": 8, "baseline_lrs": "0.01"},
}
"""A row in about a second."""

ROWS = ["random", "forgetting", "herding", "dc", "dsa", "dm", "mtt", "ddpp", "iadd", "full"]

runner = CliRunner()


def _reproduce(data: Path, out: Path, *more: str) -> str:
    settings = [f"--set={name}={value}" for name, value in SMALL.items()]
    arguments = ["reproduce", "table1", "--data", str(data), "--out", str(out), "--threads", "1"]
    result = runner.invoke(app, [*arguments, *settings, *more], env={"COLUMNS": "120"})
    return f"{result.exit_code} {result.output}"


@pytest.mark.slow
def test_all_rows_of_the_table_run_on_the_files_of_cifar_10(tmp_path: Path) -> None:
    data = pack_tar(tmp_path / "cifar-10-binary.tar.gz", cifar10_files(10, 2))
    output = _reproduce(data, tmp_path / "out")

    assert output.startswith("0 ")
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["row"] for row in document["rows"]] == ROWS
    assert {row["network"] for row in document["rows"]} == {"ConvNetD3"}
    assert document["config"]["preset"] == "paper_cifar10"
    assert document["published"]["iadd"]["accuracy"] == 0.465
    page = (tmp_path / "out" / "table.md").read_text()
    assert "CIFAR-10, 1 per class" in page
    assert "0.465 ± 0.011 (10 images)" in page
    distilled = DistilledDataset.from_bytes(
        (tmp_path / "out" / "iadd" / "seed-0" / "distilled.safetensors").read_bytes()
    )
    assert distilled.images.shape == (10, 3, 32, 32)
    assert distilled.importance_weights is not None
    assert distilled.normalisation.whitening is not None
    for row in ROWS:
        kept = {path.name for path in (tmp_path / "out" / row / "seed-0").iterdir()}
        assert "evaluation.json" in kept
        assert ("images.png" in kept) == (row not in ("random", "full"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "pack", "preset", "network"),
    [
        (cifar100_files, pack_tar, "paper_cifar100", "ConvNetD3"),
        (tiny_imagenet_files, pack_zip, "paper_tiny_imagenet", "ConvNetD4"),
    ],
)
def test_the_other_sets_take_their_own_preset(
    tmp_path: Path,
    make: Callable[[], dict[str, bytes]],
    pack: Callable[[Path, dict[str, bytes]], Path],
    preset: str,
    network: str,
) -> None:
    data = pack(tmp_path / "archive", make())
    # The whole table of CIFAR-10 is whitened; a third of a minute is enough once.
    more = ("--rows", "herding,dm,mtt,iadd", "--set", "whitening=none")
    output = _reproduce(data, tmp_path / "out", *more)

    assert output.startswith("0 ")
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["config"]["preset"] == preset
    assert {row["network"] for row in document["rows"]} == {network}
    assert len(document["rows"]) == 4


def test_pictures_are_not_resized_unnoticed(tmp_path: Path) -> None:
    data = pack_zip(tmp_path / "tiny.zip", tiny_imagenet_files(2, 1))
    output = _reproduce(data, tmp_path / "out", "--preset", "paper_cifar10")
    assert output.startswith("1 ")
    assert "64×64 pixels and are not resized" in output


def test_the_papers_figures_are_those_of_the_set_and_its_size() -> None:
    study = on_published_set(STUDIES["table1"], "Tiny ImageNet", 10, 100_000)
    assert "compare rows" not in study.published_note
    fewer = on_published_set(STUDIES["table1"], "Tiny ImageNet", 10, 99_999)
    assert "100,000 training images and this archive 99,999" in fewer.published_note
    assert study.published["iadd"].accuracy == 0.241
    assert study.published["iadd"].images == 2000
    assert study.published["full"].accuracy == 0.376
    assert study.published["full"].images == 100_000
    assert "ddpp" not in study.published
    for size in (2, 50):
        assert set(on_published_set(study, "Tiny ImageNet", size, 100_000).published) <= {"full"}
    for table in TABLE_1_FIGURES.values():
        assert set(table.percent) <= {row.name for row in STUDIES["table1"].rows}
        assert all(len(cells) == len(IPC) for row, cells in table.percent.items() if row != "full")


@pytest.mark.parametrize("name", PUBLISHED_SETS)
def test_the_papers_settings_are_presets_that_the_portal_does_not_offer(name: str) -> None:
    config = PUBLISHED_SETS[name]()
    assert config.preset == name
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert name not in {*PRESETS, *describe()}
    assert name in {table.preset for table in TABLE_1_FIGURES.values()}


@pytest.mark.parametrize(
    ("preset", "classes", "parameters"),
    # The paper counts those of CIFAR-10 in its introduction.
    [("paper_cifar10", 10, 320_010), ("paper_tiny_imagenet", 200, 857_160)],
)
def test_the_networks_take_colour(preset: str, classes: int, parameters: int) -> None:
    config = PUBLISHED_SETS[preset]()
    network = build_architecture(config, channels=3, classes=classes)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    size = config.image_size
    assert network(torch.zeros(2, 3, size, size)).shape == (2, classes)


def test_many_classes_are_counted_and_not_listed() -> None:
    assert count_images({"a": 3, "b": 1200}) == "a 3, b 1,200"
    even = {f"class {n}": 450 for n in range(200)}
    assert count_images(even) == "90,000 of 200 classes, 450 each"
    assert count_images({**even, "more": 7}) == "90,007 of 201 classes, 7 to 450 each"
