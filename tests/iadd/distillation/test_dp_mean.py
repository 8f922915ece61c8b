from pathlib import Path

import pytest
import torch

from iadd.config import Config, ConfigError
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.distillation import initialisation
from iadd.distillation.distill import distill
from iadd.dp import noise
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.runtime.checkpoint import FileCheckpoint
from iadd.runtime.progress import Progress
from iadd.trajectories.record import TrajectoryBuffer, record_trajectories


@pytest.fixture
def settings(config: Config) -> Config:
    return config.override(
        {"initialisation": "dp_mean", "images_per_class": 2, "start_epsilon": 4.0}
    )


@pytest.fixture
def buffer(images: ImageSet, config: Config, tmp_path: Path) -> TrajectoryBuffer:
    return record_trajectories(images, config, out=tmp_path / "teachers")


def test_without_noise_the_start_is_the_smooth_class_mean(
    images: ImageSet, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, "gaussian", lambda count, std: torch.zeros(count).double())
    train = images.part("train")
    normalisation = Normalisation((0.5,), (0.25,))
    start, labels = initialisation.initialise(train, normalisation, settings)
    assert labels.tolist() == [0, 0, 1, 1]
    means = torch.stack([train.images[train.labels == k].float().mean() / 255 for k in (0, 1)])
    found = normalisation.to_intensities(start).mean(dim=(1, 2, 3)).view(2, 2)
    assert torch.allclose(found, means[:, None].expand(2, 2), atol=0.03)
    # Two images of a class show one mean, and differ.
    assert 0 < (start[0] - start[1]).std() < 0.5


def test_two_starts_of_one_seed_have_different_noise(images: ImageSet, settings: Config) -> None:
    train, normalisation = images.part("train"), Normalisation((0.5,), (0.25,))
    first, second = (initialisation.initialise(train, normalisation, settings)[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_a_start_is_booked_with_its_epsilon(images: ImageSet, settings: Config) -> None:
    data = PrivateData(images, Ledger(MemoryLedgerStore()))
    normalisation = Normalisation((0.5,), (0.25,))
    initialisation.initialise(data.without_images(), normalisation, settings, private=data)
    (event,) = data.ledger.events()
    assert event.kind == "budgeted"
    spent = data.ledger.epsilon(settings.protection.delta)
    assert spent == pytest.approx(4.0, rel=0.005)


class KilledError(Exception):
    pass


def test_a_resumed_run_keeps_its_start(
    images: ImageSet, settings: Config, buffer: TrajectoryBuffer, tmp_path: Path
) -> None:
    store = FileCheckpoint(tmp_path / "checkpoint")

    def kill(progress: Progress) -> None:
        if progress.done == 1:
            raise KilledError

    with pytest.raises(KilledError):
        distill(
            images, buffer, settings, checkpoint=store, on_progress=kill, checkpoint_seconds=1e9
        )
    first = store.read()
    assert first is not None
    distilled = distill(images, buffer, settings, checkpoint=store)
    assert distilled.initial_images is not None
    assert distilled.initial_images.numpy().tobytes() in first


def test_a_private_run_gets_no_image_outside_the_ledger(
    images: ImageSet, settings: Config, buffer: TrajectoryBuffer
) -> None:
    private = settings.override({"privacy": "dp", "validate_every": 0, "initialisation": "noise"})
    with pytest.raises(ConfigError, match="ledger"):
        distill(images, buffer, private)
