import copy
import pickle

import pytest
import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.dp import noise
from iadd.dp.accountant import Mechanism
from iadd.dp.ledger import Budget, BudgetExceededError, Ledger, MemoryLedgerStore
from iadd.dp.mechanisms import IMAGE_NORM, clip, low_frequencies, smooth_images
from iadd.dp.private_data import FatalReadError, PrivateData


def image_set(count: int = 40, *, groups: Tensor | None = None, size: int = 16) -> ImageSet:
    generator = torch.Generator().manual_seed(1)
    return ImageSet(
        images=torch.randint(0, 256, (count, 1, size, size), generator=generator).to(torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        split=torch.zeros(count, dtype=torch.int8),
        groups=groups,
        unit="image" if groups is None else "patient",
    )


def private(images: ImageSet, budget: Budget | None = None, declared: int = 0) -> PrivateData:
    ledger = Ledger(MemoryLedgerStore(), budget)
    return PrivateData(images, ledger, run="test", declared_units=declared)


def ones(image: Tensor, label: Tensor, uniforms: Tensor) -> Tensor:
    return torch.ones(3)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the noise away, to see what it is added to."""
    monkeypatch.setattr(noise, "gaussian", lambda count, std: torch.zeros(count).double())
    monkeypatch.setattr(noise, "laplace", lambda count, scale: torch.zeros(count).double())


@pytest.mark.parametrize(
    "name", ["images", "labels", "split", "groups", "part", "count_by_class", "to_bytes", "save"]
)
def test_reading_outside_the_ledger_fails_and_is_booked(name: str) -> None:
    data = private(image_set())
    with pytest.raises(FatalReadError):
        getattr(data, name)
    (event,) = data.ledger.events()
    assert (event.kind, event.run) == ("fatal", "test")


def test_no_copy_of_the_data_leaves() -> None:
    data = private(image_set())
    for take in (copy.copy, copy.deepcopy, pickle.dumps, len, list, lambda d: d[0]):
        with pytest.raises(FatalReadError):
            take(data)
    assert {event.kind for event in data.ledger.events()} == {"fatal"}
    assert "40" not in repr(data)


def test_an_answer_is_booked_before_it_is_computed() -> None:
    data = private(image_set())
    seen: list[int] = []

    def of_unit(image: Tensor, label: Tensor, uniforms: Tensor) -> Tensor:
        seen.append(len(data.ledger.events()))
        return torch.ones(3)

    data.noisy_sum(of_unit, size=3, clip_norm=1, noise_multiplier=2, rate=0.5, purpose="step")
    assert seen == [1]
    (event,) = data.ledger.events()
    assert event.mechanism == Mechanism("sampled_gaussian", 2, 0.5)


def test_a_read_beyond_the_budget_looks_at_nothing() -> None:
    data = private(image_set(), Budget(0.5, 1e-5), declared=40)

    def of_unit(image: Tensor, label: Tensor, uniforms: Tensor) -> Tensor:
        raise AssertionError("read")

    with pytest.raises(BudgetExceededError):
        data.noisy_sum(of_unit, size=3, clip_norm=1, noise_multiplier=1, rate=0.9, purpose="step")
    with pytest.raises(BudgetExceededError):
        data.noisy_score(of_unit, epsilon=1.0, split="train")
    assert not data.ledger.events()


@pytest.mark.usefixtures("silent")
def test_one_unit_changes_a_sum_by_the_clipping_norm_at_most() -> None:
    data = private(image_set(1))
    for length in (0.1, 1.0, 1e6, float("inf"), float("nan")):
        found = data.noisy_sum(
            lambda *_, length=length: torch.full((4,), length),
            size=4,
            clip_norm=0.5,
            noise_multiplier=1,
            rate=1,
            purpose="step",
        )
        expected = min(2 * length, 0.5) if length < float("inf") else 0
        assert found.norm().item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.usefixtures("silent")
def test_a_unit_cannot_see_another() -> None:
    images = image_set(10)
    data = private(images)
    found = data.noisy_sum(
        lambda image, label, _: image.float().mean().reshape(1) / 255,
        size=1,
        clip_norm=1,
        noise_multiplier=1,
        rate=1,
        purpose="means",
    )
    assert found.item() == pytest.approx(
        (images.images.float().mean(dim=(1, 2, 3)) / 255).sum().item(), rel=1e-5
    )


@pytest.mark.usefixtures("silent")
def test_a_patient_counts_once_with_an_image_drawn_anew() -> None:
    groups = torch.tensor([5, 2, 5, 5, 2, 9] * 5)
    data = private(image_set(30, groups=groups), declared=3)
    totals = [
        data.noisy_sum(
            lambda image, label, _: image.float().mean().reshape(1),
            size=1,
            clip_norm=1e6,
            noise_multiplier=1,
            rate=1,
            purpose="means",
        ).item()
        for _ in range(8)
    ]
    assert len(set(totals)) > 1
    count = data.noisy_sum(ones, size=3, clip_norm=2, noise_multiplier=1, rate=1, purpose="count")
    assert count.tolist() == pytest.approx([3, 3, 3])


@pytest.mark.usefixtures("silent")
def test_units_are_drawn_with_their_rate() -> None:
    data = private(image_set(400))
    counts = [
        data.noisy_sum(ones, size=3, clip_norm=2, noise_multiplier=1, rate=0.25, purpose="count")[
            0
        ].item()
        for _ in range(30)
    ]
    assert abs(sum(counts) / 30 - 100) < 5 * (400 * 0.25 * 0.75 / 30) ** 0.5
    assert len(set(counts)) > 1


def test_the_sum_has_the_noise_that_was_booked() -> None:
    data = private(image_set(4))
    found = data.noisy_sum(
        lambda *_: torch.zeros(20_000),
        size=20_000,
        clip_norm=0.5,
        noise_multiplier=3,
        rate=0.5,
        purpose="zeros",
    )
    assert found.std().item() == pytest.approx(1.5, rel=0.03)


def test_a_noisy_number_of_units_is_paid_for_once() -> None:
    data = private(image_set(400))
    first = data.unit_count()
    assert 0 < abs(first - 400) < 400 or first == 400
    assert data.for_run("another").unit_count() == first
    assert [event.kind for event in data.ledger.events()] == ["budgeted", "public"]
    assert private(image_set(400), declared=390).unit_count() == 390


@pytest.mark.usefixtures("silent")
def test_without_noise_scores_counts_and_means_are_exact() -> None:
    images = image_set(40)
    data = private(images, declared=40)
    assert data.noisy_class_counts(epsilon=1.0) == {"a": 20, "b": 20}
    assert data.noisy_score(
        lambda _, label, __: (label == 0).float(), epsilon=1, split="train"
    ) == (pytest.approx(0.5))
    means = data.noisy_class_means(epsilon=1.0, delta=1e-5)
    chosen = low_frequencies(images.images[images.labels == 0].float() / 255 - 0.5)
    expected = smooth_images(clip(chosen, IMAGE_NORM).mean(dim=0)[None], channels=1, size=16) + 0.5
    assert torch.allclose(means[0], expected[0].clamp(0, 1), atol=1e-3)


def test_low_frequencies_keep_a_smooth_image() -> None:
    frequencies = torch.randn(2, 36)
    images = smooth_images(frequencies, channels=1, size=28)
    assert torch.allclose(low_frequencies(images), frequencies, atol=1e-4)
    rms = images.square().mean(dim=(1, 2, 3)).sqrt()
    assert torch.allclose(rms, frequencies.norm(dim=1), rtol=1e-4)


def test_the_set_without_images_has_their_shape_and_reads_nothing() -> None:
    data = private(image_set())
    empty = data.without_images()
    assert (len(empty), empty.images.shape[1:], empty.classes) == (0, (1, 16, 16), ("a", "b"))
    assert not data.ledger.events()


def test_internal_use_is_booked_as_fatal_to_what_depends_on_it() -> None:
    images = image_set()
    data = private(images)
    assert data.for_internal_use("privacy audit") is images
    (event,) = data.ledger.events()
    assert (event.kind, event.run) == ("fatal", "internal: privacy audit")
