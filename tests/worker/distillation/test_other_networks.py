"""Evaluating tries a distilled set with other networks too, from its checkpoint on."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from app.core.storage import Storage
from app.core.types import JsonObject
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.presets import cpu_demo
from iadd.runtime.progress import Progress
from iadd.runtime.seal import open_document
from worker.distillation.pipeline import evaluate_images
from worker.jobs.lease import Cancelled
from worker.settings import WorkerSettings

TINY = {
    "image_size": 16,
    "depth": 2,
    "width": 4,
    "images_per_class": 2,
    "validation_networks": 1,
    "evaluation_networks": 4,
    "evaluation_epochs": 2,
    "baseline_lrs": [0.01],
    "full_epochs": 1,
}


@dataclass
class Memory:
    """A checkpoint, and every one before it."""

    written: list[bytes] = field(default_factory=list)

    def read(self) -> bytes | None:
        return self.written[-1] if self.written else None

    def write(self, data: bytes) -> None:
        self.written.append(data)


@dataclass
class Evaluating:
    storage: Storage
    config: Config
    memory: Memory = field(default_factory=Memory)
    told: list[Progress] = field(default_factory=list)

    def run(self, *, parts: int | None = None) -> JsonObject:
        """Evaluate; cancelled in the part that comes after so many."""

        def listen(progress: Progress) -> None:
            self.told.append(progress)
            if len(self.memory.written) == parts:
                raise Cancelled

        return evaluate_images(
            self.storage,
            WorkerSettings(device="cpu"),
            images="images",
            config=self.config,
            distilled="distilled",
            result="result",
            checkpoints=self.memory,
            on_progress=listen,
        )


@pytest.fixture
def evaluating(squares: ImageSet, tmp_path: Path) -> Evaluating:
    torch.set_num_threads(1)
    config = cpu_demo().override({**TINY, "cross_networks": ["resnet18", "convnet"]})
    storage = Storage(tmp_path.as_uri())
    storage.put("images", squares.to_bytes())
    distilled = DistilledDataset(
        images=torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(0)),
        labels=torch.tensor([0, 0, 1, 1]),
        classes=squares.classes,
        syn_lr=0.02,
        importance_weights=None,
        history=History(),
        config=config,
        normalisation=Normalisation.of(squares.part("train").images),
        initial_images=None,
        best_iteration=0,
    )
    storage.put("distilled", distilled.to_bytes())
    return Evaluating(storage, config)


@pytest.mark.slow
def test_other_networks_learn_from_the_distilled_images_and_from_as_many_random_ones(
    evaluating: Evaluating,
) -> None:
    figures = evaluating.run()
    assert open_document(evaluating.storage.get("result")) == figures
    assert set(figures) == {"distilled", "random", "full", "networks"}
    assert list(figures["networks"]) == ["resnet18"]
    across = figures["networks"]["resnet18"]
    assert list(across) == ["distilled", "random"]
    for measured in across.values():
        assert measured["accuracy"]["n"] == 3
        assert measured["training_images"] == 4
        assert sum(map(sum, measured["confusion"])) == 3 * 10
    assert across["distilled"]["lr"] in (0.02, 0.01)
    assert across["random"]["lr"] == 0.01


@pytest.mark.slow
def test_their_progress_is_part_of_the_whole(evaluating: Evaluating) -> None:
    evaluating.run()
    percent = [progress.done for progress in evaluating.told]
    assert percent == sorted(percent)
    assert percent[-1] == 100
    assert {(progress.total, progress.unit) for progress in evaluating.told} == {(100, "percent")}


def test_without_them_nothing_is_added(evaluating: Evaluating) -> None:
    evaluating.config = evaluating.config.override({"cross_networks": []})
    assert set(evaluating.run()) == {"distilled", "random", "full"}


@pytest.mark.slow
def test_a_cancelled_one_goes_on_from_the_part_that_it_was_in(evaluating: Evaluating) -> None:
    expected = evaluating.run()
    again = Evaluating(evaluating.storage, evaluating.config)
    with pytest.raises(Cancelled):
        again.run(parts=3)
    assert len(again.memory.written) == 3
    reached, again.told = again.told[-1].done, []

    with pytest.raises(Cancelled):
        again.run(parts=4)
    # All trials and three networks, each of two epochs, and the first epoch of the next part.
    (across,) = expected["networks"].values()
    trials = len(across["distilled"]["lr_search"]["tried"])
    assert trials >= 2
    assert len(again.told) == (trials + 3) * 2 + 1
    assert again.told[0].done == reached
    again.told = []

    assert again.run() == expected
    assert len(again.memory.written) == 5
    # One trial and three networks.
    assert len(again.told) == (1 + 3) * 2
    assert again.run() == expected
    assert len(again.told) == (1 + 3) * 2
