"""Triggers that were planted are found, and clean sets are not accused."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iadd.config import AugmentationConfig, Config, EvaluationConfig, NetworkConfig
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.privacy.poisoning.groups import APART, FEWEST_IMAGES, find_groups, two_groups
from iadd.privacy.poisoning.inspection import inspect
from iadd.privacy.poisoning.patches import conspicuous
from iadd.privacy.poisoning.triggers import ANOMALY, anomaly_index

SIZE, PER_CLASS, PATCH = 24, 8, 3
CLASSES = ("a", "b", "c")


def draw(count: int, generator: torch.Generator) -> Tensor:
    """Pictures with the falling spectrum of natural ones, (count, 1, S, S), grey levels."""
    frequency = torch.fft.fftfreq(SIZE)
    radius = (frequency[:, None] ** 2 + frequency**2).sqrt().clamp(min=1 / SIZE)
    noise = torch.fft.fft2(torch.randn(count, 1, SIZE, SIZE, generator=generator))
    detail = torch.fft.ifft2(noise / radius).real
    return 110 + 20 * detail / detail.std()


def make(seed: int, *, planted: int | None = None, per_class: int = PER_CLASS) -> DistilledDataset:
    """Three classes, told by their bright quadrant.

    With a trigger, half of a class are images of the others with a chequered patch, so that
    networks learn the patch.
    """
    generator = torch.Generator().manual_seed(seed)
    half = SIZE // 2
    corners = ((0, 0), (0, half), (half, 0))

    def brighten(image: Tensor, label: int) -> None:
        top, left = corners[label]
        image[:, top : top + half, left : left + half] += 40

    labels = torch.arange(len(CLASSES)).repeat_interleave(per_class)
    pictures = draw(len(labels), generator)
    for image, label in zip(pictures, labels.tolist(), strict=True):
        brighten(image, label)
    if planted is not None:
        others = [label for label in range(len(CLASSES)) if label != planted]
        stolen = draw(per_class // 2, generator)
        patch = (torch.arange(PATCH)[:, None] + torch.arange(PATCH)) % 2 * 255.0
        for number, image in enumerate(stolen):
            brighten(image, others[number % 2])
            image[:, -2 - PATCH : -2, -2 - PATCH : -2] = patch
        rows = (labels == planted).nonzero().squeeze(1)[: per_class // 2]
        pictures[rows] = stolen
    grey = pictures.round().clamp(0, 255).to(torch.uint8)
    normalisation = Normalisation.of(grey)
    return DistilledDataset(
        images=normalisation.apply(grey),
        labels=labels,
        classes=CLASSES,
        syn_lr=0.03,
        importance_weights=None,
        history=History(),
        config=Config(
            image_size=SIZE,
            network=NetworkConfig(depth=2, width=8),
            augmentation=AugmentationConfig(augmentation=("crop",)),
            evaluation=EvaluationConfig(evaluation_epochs=40),
        ),
        normalisation=normalisation,
        initial_images=None,
        best_iteration=0,
    )


def own(seed: int) -> ImageSet:
    """Clean images of a recipient."""
    clean = make(1000 + seed)
    images = clean.normalisation.invert(clean.images)
    return ImageSet(images, clean.labels, CLASSES, torch.zeros(len(images), dtype=torch.int8))


def test_a_planted_trigger_is_found_and_named() -> None:
    report = inspect(make(0, planted=0), own=own(0), networks=2, steps=40)
    assert report.suspicious
    flagged = {test.class_name for test in report.tests if test.outcome == "flagged"}
    assert flagged == {"a"}
    (pasted,) = (t for t in report.tests if t.name == "patch" and t.class_name == "a")
    assert set(pasted.images) & {0, 1, 2, 3}
    assert "Do not train" in report.statement
    document = report.to_dict()
    assert document["own_probes"]
    assert "correct labels" in document["not_covered"]


def test_a_clean_set_is_not_accused() -> None:
    report = inspect(make(1), own=own(1), networks=2, steps=40)
    assert not report.suspicious
    assert "no proof" in report.to_dict()["not_covered"]


@pytest.mark.slow
@pytest.mark.long
def test_false_alarms_and_power_over_seeds() -> None:
    """Of ten sets each; the probes are the recipient's own images."""
    alarms = sum(inspect(make(seed), own=own(seed)).suspicious for seed in range(10))
    found = sum(
        inspect(make(seed, planted=seed % 3), own=own(seed)).suspicious for seed in range(10)
    )
    assert alarms <= 1
    assert found >= 8


def test_the_patch_is_conspicuous_wherever_it_lies() -> None:
    poisoned = make(2, planted=1)
    pictures = poisoned.normalisation.to_intensities(poisoned.images)
    places = conspicuous(pictures, poisoned.labels)
    corner = SIZE - 2 - PATCH
    for row in range(PER_CLASS, PER_CLASS + PER_CLASS // 2):
        assert any(
            top <= corner and left <= corner and top + SIZE // 4 >= SIZE - 2 <= left + SIZE // 4
            for top, left in places[row]
        )


def test_the_anomaly_index_compares_a_class_with_the_others() -> None:
    assert anomaly_index([0.01, 0.2, 0.22, 0.18], 0) > ANOMALY
    assert anomaly_index([0.01, 0.2, 0.22, 0.18], 1) < 0
    assert anomaly_index([0.1, 0.12], 0) < ANOMALY
    assert anomaly_index([0.1], 0) is None
    assert anomaly_index([None, 0.1], 0) is None


def test_two_groups_are_told_from_one() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(40, 16, generator=generator)
    two = one.clone()
    two[:10] += 4
    assert two_groups(one)[0] < APART
    distance, rows = two_groups(two)
    assert distance > APART
    assert sorted(rows.tolist()) == list(range(10))


def test_features_of_few_images_are_not_searched() -> None:
    tests = find_groups(make(3), [])
    assert {test.outcome for test in tests} == {"not_run"}
    assert all(str(FEWEST_IMAGES) in test.explanation for test in tests)


def test_images_of_another_size_are_refused() -> None:
    small = own(0)
    other = replace(small, images=small.images[..., :16, :16].contiguous())
    with pytest.raises(ValueError, match="another size"):
        inspect(make(0), own=other)
