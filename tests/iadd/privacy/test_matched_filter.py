"""The matched filter on pictures whose contributors are known."""

import pytest
import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.distillation.initialisation import initialise
from iadd.presets import PRESETS
from iadd.privacy.matched_filter import (
    Sought,
    area_under_curve,
    filter_matrix,
    known_contributors_auc,
    matched_filter_scores,
    mean_and_spectrum,
    seek_contributors,
)
from iadd.privacy.statistics import auc_interval
from tests.iadd.privacy.textures import SIZE, average, draw_pictures, make_images


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return make_images(training=300, held_out=120)


def seek(pictures: Tensor, images: ImageSet) -> Sought:
    labels = torch.arange(len(pictures)) % 2
    found = seek_contributors(pictures, labels, images.images, images.labels, images.split == 0)
    assert found is not None
    return found


def test_it_equals_the_formula() -> None:
    pictures = draw_pictures(30, seed=1)
    mean, spectrum = mean_and_spectrum(pictures)
    shown = draw_pictures(3, seed=2).float() / 255
    drift = torch.full_like(spectrum, 0.3)
    found = filter_matrix(pictures, shown, mean, spectrum, averaged=4, drift_spectrum=drift)
    # Over all frequencies of the full transform, one pair at a time.
    residuals = pictures.double() / 255 - mean
    power = torch.fft.fft2(residuals).abs().square().mean(dim=0)
    weight = 1 / (power / 4 + 0.3)
    for n, m in ((0, 0), (7, 2)):
        x, d = torch.fft.fft2(residuals[n]), torch.fft.fft2(shown[m].double() - mean)
        expected = (x * weight * d.conj()).real.sum() / (weight * x.abs().square()).sum().sqrt()
        assert float(found[n, m]) == pytest.approx(float(expected), rel=1e-3)
    assert torch.equal(
        matched_filter_scores(pictures, shown, mean, spectrum, averaged=4, drift_spectrum=drift),
        found.amax(dim=1),
    )


@pytest.mark.parametrize("drift", [0.0, 0.1, 0.2, 0.4])
def test_contributors_of_an_average_are_found_through_drift(images: ImageSet, drift: float) -> None:
    starts, rows = average(images, per_class=2)
    generator = torch.Generator().manual_seed(0)
    spread = float((images.images.float() / 255).std())
    shown = starts + drift * spread * torch.randn(starts.shape, generator=generator)
    sought = seek(shown, images)
    # Candidates come class by class.
    order = torch.cat([(images.labels == label).nonzero()[:, 0] for label in (0, 1)])
    scores = torch.empty(len(images)).scatter(0, order, sought.scores)
    auc, (low, _) = known_contributors_auc(scores, rows.unique(), images.split == 2)
    assert auc > 0.75
    assert low > 0.5
    assert sought.p_value() < 0.005


@pytest.mark.parametrize("kind", ["noise", "fresh", "averages of nobody"])
def test_a_picture_of_nobody_gives_one_half(images: ImageSet, kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    fresh = draw_pictures(64, seed=9).float() / 255
    shown = {
        "noise": 0.5 + 0.2 * torch.randn(fresh[:4].shape, generator=generator),
        "fresh": fresh[:4],
        "averages of nobody": fresh.unflatten(0, (4, 16)).mean(dim=1),
    }[kind]
    sought = seek(shown, images)
    assert sought.p_value() > 0.01
    assert abs(sought.auc() - 0.5) < 0.1
    assert int(sought.standing_out().sum()) == 0


def test_a_mean_over_training_alone_would_give_a_false_alarm(images: ImageSet) -> None:
    """Why mean and spectrum come from both sides: a training image pulls its own mean to it."""
    generator = torch.Generator().manual_seed(0)
    # Noise about the true mean: nobody is in it.
    truth, _ = mean_and_spectrum(draw_pictures(2000, seed=77))
    shown = truth + 0.003 * torch.randn(8, 1, SIZE, SIZE, generator=generator)

    def mean_auc(seen: Tensor) -> float:
        scores = filter_matrix(images.images, shown, *mean_and_spectrum(seen))
        sides = scores[images.split == 0], scores[images.split == 2]
        return sum(area_under_curve(a, b) for a, b in zip(*(s.T for s in sides), strict=True)) / 8

    assert mean_auc(images.part("train").images) < 0.4
    assert abs(mean_auc(images.images) - 0.5) < 0.09


@pytest.mark.slow
@pytest.mark.long
def test_p_values_of_pictures_of_nobody_are_uniform() -> None:
    p = []
    for seed in range(60):
        images = make_images(training=80, held_out=40, seed=1000 + seed)
        p.append(seek(draw_pictures(2, seed=5000 + seed).float() / 255, images).p_value())
    values = torch.tensor(p)
    assert int((values < 0.05).sum()) <= 8  # 3 expected; P(X > 8) = 0.003
    assert 0.35 < float(values.mean()) < 0.65


def test_images_of_one_patient_are_one_candidate(images: ImageSet) -> None:
    starts, _ = average(images, per_class=1)
    groups = torch.arange(len(images)) // 4
    sought = seek_contributors(
        starts,
        torch.tensor([0, 1]),
        images.images,
        images.labels,
        images.split == 0,
        groups=groups,
    )
    assert sought is not None
    assert len(sought.scores) == 2 * int(groups.max() + 1)


def test_a_class_without_held_out_images_cannot_be_asked() -> None:
    images = make_images(training=20, held_out=0)
    found = seek_contributors(
        images.images[:2].float() / 255,
        torch.tensor([0, 1]),
        images.images,
        images.labels,
        images.split == 0,
    )
    assert found is None


@pytest.mark.parametrize(
    "name", [name for name in PRESETS if not name.startswith("paper_")] + ["k_mean"]
)
def test_starts_of_presets_tell_nothing_and_k_mean_everything(images: ImageSet, name: str) -> None:
    preset = PRESETS["cpu_demo" if name == "k_mean" else name]().with_private_seed(11)
    config = preset.override({"images_per_class": 2, "image_size": SIZE})
    if name == "k_mean":
        config = config.override({"initialisation": "k_mean"})
    train = images.part("train")
    normalisation = Normalisation.of(train.images)
    start, labels = initialise(train, normalisation, config)
    sought = seek_contributors(
        normalisation.to_intensities(start),
        labels,
        images.images,
        images.labels,
        images.split == 0,
    )
    assert sought is not None
    members = int(sought.training.sum())
    low, high = auc_interval(sought.auc(), members, len(sought.training) - members)
    if name == "k_mean":
        assert low > 0.5
        assert sought.p_value() < 0.005
    else:
        assert low <= 0.5 <= high
        assert sought.p_value() > 0.01
