"""ResNet50 is trained from scratch and from weights, and says so where there are none."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import resnet50

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.resnet50 import evaluate_resnet50
from iadd.networks.resnet50 import WeightsError, build_resnet50, load_weights
from iadd.reproduce.runner import run_study
from iadd.reproduce.study import Row, Study
from iadd.reproduce.summary import summarise
from iadd.reproduce.tables import explain, figure_cells

TWO = Study(
    name="two",
    title="Two rows",
    rows=(
        Row(name="from-scratch", kind="scratch", settings={"images_per_class": 3}),
        Row(name="transfer", kind="transfer", settings={"images_per_class": 3}),
        Row(name="random", kind="random"),
    ),
    reference="random",
)


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Weights of ImageNet's form, of 1,000 classes."""
    torch.manual_seed(3)
    return dict(resnet50(weights=None).state_dict())


@pytest.fixture
def short(config: Config) -> Config:
    return config.override(
        {
            **{"evaluation_networks": 1, "evaluation_epochs": 1, "baseline_lrs": [0.01]},
            "images_per_class": 3,
        }
    )


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of torchvision's, and no way out."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_the_body_takes_the_weights_and_the_last_layer_is_fresh(
    weights: dict[str, Tensor],
) -> None:
    fresh, taken = (build_resnet50(classes=2, seed=5, weights=w) for w in (None, weights))
    again = build_resnet50(classes=2, seed=5)
    for name, part in taken.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], again.state_dict()[name])
        expected = fresh.state_dict()[name] if name.startswith("fc.") else weights[name]
        assert torch.equal(part, expected), name


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_are_read_from_a_file(
    weights: dict[str, Tensor], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    read = load_weights(path)
    assert set(read) == set(weights)
    assert torch.equal(read["conv1.weight"], weights["conv1.weight"])


def test_torchvision_finds_weights_in_its_cache(weights: dict[str, Tensor], offline: Path) -> None:
    offline.mkdir(parents=True)
    torch.save(weights, offline / "resnet50-0676ba61.pth")
    assert torch.equal(load_weights()["conv1.weight"], weights["conv1.weight"])


def test_weights_that_are_nowhere_are_named(offline: Path) -> None:
    with pytest.raises(WeightsError, match="--weights") as refused:
        load_weights()
    assert str(offline) in str(refused.value)


def test_a_file_of_something_else_is_refused_and_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "burst"),))

    torch.save({"conv1.weight": Bomb()}, tmp_path / "bomb.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name in ("bomb.pth", "text.pth", "text.safetensors", "list.pth", "nothing.pth"):
        with pytest.raises(WeightsError, match=name):
            load_weights(tmp_path / name)
    assert not (tmp_path / "burst").exists()
    with pytest.raises(WeightsError, match="not those of torchvision's ResNet50"):
        build_resnet50(classes=2, seed=0, weights={"conv1.weight": torch.zeros(1)})


def test_it_is_trained_and_tested_the_same_each_time(images: ImageSet, short: Config) -> None:
    one, other = (evaluate_resnet50(images, short) for _ in range(2))
    assert one.to_dict() == other.to_dict()
    assert one.to_dict()["training_images"] == 6


@pytest.mark.slow
def test_it_learns_what_a_few_images_show(images: ImageSet, short: Config) -> None:
    longer = short.override(
        {
            **{"evaluation_epochs": 15, "evaluation_batch_size": 5},
            **{"images_per_class": 10, "augmentation": ["crop"]},
        }
    )
    assert evaluate_resnet50(images, longer).to_dict()["balanced_accuracy"]["mean"] > 0.8


def test_a_row_without_weights_says_so_and_the_others_go_on(
    images: ImageSet, short: Config, offline: Path, tmp_path: Path
) -> None:
    records = run_study(TWO, images, short, out=tmp_path / "study", architectures=[])

    failed = [record for record in records if record.failure]
    assert [record.row.name for record in failed] == ["transfer"]
    lines = summarise(TWO, records)
    assert [line.row.name for line in lines] == ["from-scratch", "random"]
    assert lines[0].network == "ResNet50"
    assert lines[0].training_images == 6
    assert not lines[0].against_reference, "of another network, so no difference is stated"
    assert len(figure_cells(TWO, lines)) == 3
    notes = explain(TWO, lines, images.classes, failed)
    assert any("transfer, seed 0, has no figures: ImageNet's weights" in note for note in notes)


def test_a_finished_study_adds_the_row_once_there_are_weights(
    images: ImageSet, short: Config, offline: Path, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    two = Study(name="two", title="", rows=TWO.rows[1:2], reference="transfer")
    (without,) = run_study(two, images, short, out=tmp_path / "study", architectures=[])
    assert without.failure
    torch.save(weights, tmp_path / "weights.pth")
    (found,) = run_study(
        two,
        images,
        short,
        out=tmp_path / "study",
        architectures=[],
        weights=tmp_path / "weights.pth",
    )
    assert found.networks["ResNet50"]["training_images"] == 6
    # Done: the weights are not read again.
    (again,) = run_study(two, images, short, out=tmp_path / "study", architectures=[])
    assert again.networks == found.networks
