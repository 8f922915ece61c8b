from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError
from iadd.distillation.initialisation import contributors, correctly_classified, initialise
from iadd.runtime.checkpoint import pack, unpack
from iadd.trajectories.record import TrajectoryBuffer, record_trajectory


@pytest.fixture
def train(images: ImageSet) -> ImageSet:
    return images.part("train")


def start(
    train: ImageSet,
    config: Config,
    correct: torch.Tensor | None = None,
    **settings: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    settings_of_run = config.override(settings)
    normalisation = Normalisation.of(train.images)
    return initialise(train, normalisation, settings_of_run, correct=correct)


def test_real_starts_are_different_training_images_of_their_class(
    train: ImageSet, config: Config
) -> None:
    images, labels = start(train, config, initialisation="real", images_per_class=3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    normalised = Normalisation.of(train.images).apply(train.images)
    sources = [(normalised == image).flatten(1).all(dim=1).nonzero().item() for image in images]
    assert len(set(sources)) == 6
    assert train.labels[sources].tolist() == labels.tolist()


def test_k_mean_starts_are_means_of_different_images_and_no_patients_own(
    train: ImageSet, config: Config
) -> None:
    images, labels = start(train, config, initialisation="k_mean", images_per_class=2)
    normalised = Normalisation.of(train.images).apply(train.images)
    assert not any((normalised == image).flatten(1).all(dim=1).any() for image in images)
    # Averaging 16 independent images shrinks their spread about fourfold.
    assert images[labels == 0].std() < 0.5 * normalised[train.labels == 0].std()
    assert images[labels == 1].mean() > images[labels == 0].mean()


def test_when_k_is_the_class_the_start_is_the_class_mean(train: ImageSet, config: Config) -> None:
    (size,) = set(train.count_by_class().values())
    settings = {"initialisation": "k_mean", "images_per_class": 1, "k_mean_images": size}
    images, _ = start(train, config, **settings)
    normalised = Normalisation.of(train.images).apply(train.images)
    torch.testing.assert_close(images[1], normalised[train.labels == 1].mean(dim=0))


def test_noise_reads_no_pixel(train: ImageSet, config: Config) -> None:
    images, _ = start(train, config, initialisation="noise")
    blank = replace(train, images=torch.zeros_like(train.images))
    assert torch.equal(images, start(blank, config, initialisation="noise")[0])


def test_the_start_follows_from_the_seed(train: ImageSet, config: Config) -> None:
    for kind in ("real", "k_mean", "noise"):
        first = start(train, config, initialisation=kind)[0]
        assert torch.equal(first, start(train, config, initialisation=kind)[0])
        assert not torch.equal(first, start(train, config, initialisation=kind, seed=1)[0])


@pytest.mark.parametrize("kind", ["real", "k_mean"])
def test_a_class_that_is_too_small_is_named(train: ImageSet, config: Config, kind: str) -> None:
    with pytest.raises(TooFewImagesError, match="'plain' has 16 training images, and 17 are"):
        start(train, config, initialisation=kind, images_per_class=17, k_mean_images=17)


def test_correct_starts_are_drawn_from_the_images_that_teachers_classify_correctly(
    train: ImageSet, config: Config
) -> None:
    correct = torch.zeros(len(train), dtype=torch.bool)
    for label in (0, 1):
        correct[(train.labels == label).nonzero().squeeze(1)[-4:]] = True
    settings = {"initialisation": "real", "images_per_class": 4, "start_from": "correct"}
    images, labels = start(train, config, correct, **settings)
    allowed = Normalisation.of(train.images).apply(train.images[correct])
    sources = [(allowed == image).flatten(1).all(dim=1).nonzero().item() for image in images]
    assert sorted(sources) == list(range(8))
    assert train.labels[correct][sources].tolist() == labels.tolist()


def test_correct_means_keep_their_rule_of_k_different_images(
    images: ImageSet, config: Config
) -> None:
    correct = torch.rand(len(images), generator=torch.Generator().manual_seed(0)) < 0.8
    (fewest, *_) = sorted(torch.bincount(images.labels[correct]).tolist())
    settings = {
        "initialisation": "k_mean",
        "images_per_class": 1,
        "k_mean_images": fewest,
        "start_from": "correct",
    }
    means, _ = start(images, config, correct, **settings)
    normalised = Normalisation.of(images.images).apply(images.images)
    members = [normalised[correct & (images.labels == label)] for label in (0, 1)]
    smaller = min((0, 1), key=lambda label: len(members[label]))
    torch.testing.assert_close(means[smaller], members[smaller].mean(dim=0))
    with pytest.raises(TooFewImagesError, match=f"has {fewest} training images that most"):
        start(images, config, correct, **{**settings, "k_mean_images": fewest + 1})


def test_noise_needs_no_teacher_and_the_others_say_that_they_do(
    train: ImageSet, config: Config
) -> None:
    noise = start(train, config, initialisation="noise", start_from="correct")[0]
    assert torch.equal(noise, start(train, config, initialisation="noise")[0])
    with pytest.raises(ValueError, match="correctly_classified"):
        start(train, config, initialisation="real", start_from="correct")


def test_most_teachers_decide_which_images_are_correct(
    images: ImageSet, config: Config, tmp_path: Path
) -> None:
    """Three teachers whose last layer predicts one class whatever it sees: two of them class 1."""
    three = config.override({"teachers": 3})
    for teacher, predicted in enumerate([0, 1, 1]):
        path = record_trajectory(images, three, teacher, out=tmp_path)
        tensors, document = unpack(path.read_bytes())
        # The classifier's bias is the end of the parameters.
        tensors["snapshots"][-1] = 0
        tensors["snapshots"][-1, -2 + predicted] = 1
        path.write_bytes(pack(tensors, document))
    buffer = TrajectoryBuffer.open(tmp_path, three)
    correct = correctly_classified(images, buffer, three)
    assert torch.equal(correct, images.labels == 1)
    two = config.override({"teachers": 2})
    tied = correctly_classified(images, TrajectoryBuffer.open(tmp_path, two), two)
    assert not tied.any()


def test_public_starts_show_different_chests_and_read_no_image(
    train: ImageSet, config: Config
) -> None:
    images, labels = start(train, config, initialisation="public", images_per_class=3)
    assert images.shape == (6, *train.images.shape[1:])
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    blank = replace(train, images=torch.zeros_like(train.images))
    assert torch.equal(start(blank, config, initialisation="public", images_per_class=3)[0], images)
    assert len({image.numpy().tobytes() for image in images}) == 6
    secret = config.with_private_seed(5)
    assert not torch.equal(
        start(train, secret, initialisation="public", images_per_class=3)[0], images
    )


@pytest.mark.parametrize(("initialisation", "k"), [("real", 1), ("k_mean", 16)])
def test_contributors_are_the_images_that_a_start_is_made_of(
    train: ImageSet, config: Config, initialisation: str, k: int
) -> None:
    settings = {"initialisation": initialisation, "images_per_class": 2}
    images, labels = start(train, config, **settings)
    rows = contributors(train, config.override(settings))
    assert rows is not None
    assert rows.shape == (4, k)
    normalised = Normalisation.of(train.images).apply(train.images)
    torch.testing.assert_close(normalised[rows].mean(dim=1), images)
    assert torch.equal(train.labels[rows], labels[:, None].expand(-1, k))


@pytest.mark.parametrize("initialisation", ["noise", "public"])
def test_a_start_that_reads_no_image_has_no_contributors(
    train: ImageSet, config: Config, initialisation: str
) -> None:
    assert contributors(train, config.override({"initialisation": initialisation})) is None
