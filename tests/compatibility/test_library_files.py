"""The library opens, and goes on with, files that version 0.1.0 wrote."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import iadd
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.privacy import PrivacyReport
from iadd.reproduce.runner import run_study
from iadd.reproduce.study import Row, Study
from iadd.runtime.checkpoint import FileCheckpoint, unpack
from iadd.runtime.progress import Progress
from iadd.trajectories.buffer import TrajectoryBuffer

TWO = Study(
    name="two",
    title="Two rows",
    rows=(Row(name="iadd"), Row(name="random", kind="random")),
    reference="random",
)


@pytest.fixture
def library(unpack: Callable[[str], Path]) -> Path:
    return unpack("library")


@pytest.fixture
def images(library: Path) -> ImageSet:
    return ImageSet.from_bytes((library / "images.safetensors").read_bytes())


@pytest.fixture
def config(library: Path) -> Config:
    return Config.from_dict(json.loads((library / "config.json").read_text()))


@pytest.fixture
def distilled(library: Path) -> DistilledDataset:
    return DistilledDataset.from_bytes((library / "distilled.safetensors").read_bytes())


def _keeps(written: Any, stored: Any) -> None:
    """All that was stored is there again; a later version may say more."""
    if isinstance(stored, dict):
        assert set(stored) <= set(written)
        for name, value in stored.items():
            _keeps(written[name], value)
    elif isinstance(stored, list):
        assert len(written) == len(stored)
        for one, other in zip(written, stored, strict=True):
            _keeps(one, other)
    else:
        assert written == stored


def test_a_config_means_the_same(library: Path, config: Config) -> None:
    _keeps(config.to_dict(), json.loads((library / "config.json").read_text()))
    assert config.distillation.image_format == "float", "its images were no grey levels"


def test_a_distilled_set_is_written_again_with_all_that_it_held(
    library: Path, distilled: DistilledDataset
) -> None:
    tensors, document = unpack((library / "distilled.safetensors").read_bytes())
    again, written = unpack(distilled.to_bytes())
    assert {name: t.tolist() for name, t in again.items()} == {
        name: t.tolist() for name, t in tensors.items()
    }
    _keeps(written, document)


def test_an_interrupted_distillation_goes_on_from_its_checkpoint(
    library: Path, images: ImageSet, config: Config, distilled: DistilledDataset
) -> None:
    iterations: list[int] = []

    def listen(progress: Progress) -> None:
        iterations.append(progress.done)

    finished = iadd.distill(
        images,
        TrajectoryBuffer.open(library / "teachers", config),
        config,
        checkpoint=library / "distillation.checkpoint",
        on_progress=listen,
    )

    assert min(iterations) == 4, "of six iterations the first four are not repeated"
    # To the bit on the machine that wrote it; elsewhere sums may be rounded otherwise.
    torch.testing.assert_close(finished.images, distilled.images, rtol=1e-4, atol=1e-5)
    assert finished.best_iteration == distilled.best_iteration


def test_an_interrupted_teacher_goes_on_from_its_checkpoint(
    library: Path, images: ImageSet, config: Config, tmp_path: Path
) -> None:
    epochs: list[int] = []

    iadd.record_trajectory(
        images,
        config,
        0,
        out=tmp_path / "again",
        checkpoint=FileCheckpoint(library / "teacher.checkpoint"),
        on_progress=lambda progress: epochs.append(progress.done),
    )

    assert min(epochs) >= 2, "the first epochs are not done again"
    alone = TrajectoryBuffer.open(tmp_path / "again")
    whole = TrajectoryBuffer.open(library / "teachers", config)
    for epoch in range(config.teacher.teacher_epochs + 1):
        torch.testing.assert_close(
            alone.snapshot(0, epoch), whole.snapshot(0, epoch), rtol=1e-4, atol=1e-5
        )


def test_a_network_reads_images(library: Path, images: ImageSet) -> None:
    network = iadd.load_network(library / "network.safetensors")

    assert network.classes == images.classes
    assert network.predict(images).shape[0] == len(images)


def test_figures_and_an_audit_are_read(library: Path) -> None:
    stored = json.loads((library / "privacy.json").read_text())

    _keeps(PrivacyReport.from_dict(stored).to_dict(), stored)


def test_a_study_repeats_nothing_that_is_done(
    library: Path, images: ImageSet, config: Config
) -> None:
    before = (library / "study" / "iadd" / "seed-0" / "evaluation.json").read_bytes()

    records = run_study(
        TWO, images, config, out=library / "study", seeds=1, architectures=[], on_progress=None
    )

    assert [record.row.name for record in records] == ["iadd", "random"]
    assert (library / "study" / "iadd" / "seed-0" / "evaluation.json").read_bytes() == before
    assert not (library / "study" / "teachers").exists(), "no teacher is trained"
