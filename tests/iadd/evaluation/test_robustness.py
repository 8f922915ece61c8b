"""DD-Ranking's scores on numbers that are known."""

import math

import pytest

from iadd.config import Config
from iadd.evaluation.robustness import (
    augmentation_robust_score,
    hard_label_recovery,
    improvement_over_random,
    label_robust_score,
    without_augmentation,
)

AS_RANDOM = 1 / (1 + math.e)
"""(1 − e⁻¹)/(e − e⁻¹), the score of a difference of 0."""


def test_recovery_and_improvement_are_differences_of_accuracies() -> None:
    assert hard_label_recovery(full=0.9, distilled=0.6) == pytest.approx(0.3)
    assert improvement_over_random(distilled=0.6, random=0.5) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("full", "distilled", "random", "weight", "score"),
    [
        (0.7, 0.7, 0.7, 0.5, AS_RANDOM),
        # Everything is recovered, and random images teach nothing.
        (1.0, 1.0, 0.0, 1.0, 1.0),
        # Nothing is recovered: a = −1.
        (1.0, 0.0, 0.0, 0.0, 0.0),
        # a = 0.5 · 0.1 − 0.5 · 0.3 = −0.1: (0.904837 − 0.367879)/2.350402.
        (0.9, 0.6, 0.5, 0.5, 0.228454),
        # a = 0.25 · 0.1 − 0.75 · 0.3 = −0.2: (0.818731 − 0.367879)/2.350402.
        (0.9, 0.6, 0.5, 0.25, 0.191819),
    ],
)
def test_the_label_robust_score_weighs_improvement_against_what_is_not_recovered(
    full: float, distilled: float, random: float, weight: float, score: float
) -> None:
    found = label_robust_score(full=full, distilled=distilled, random=random, weight=weight)
    assert found == pytest.approx(score, abs=1e-6)


def test_soft_labels_count_for_the_improvement_alone() -> None:
    found = label_robust_score(full=0.9, distilled=0.8, random=0.7, distilled_hard=0.6)
    # a = 0.5 · (0.8 − 0.7) − 0.5 · (0.9 − 0.6) = −0.1.
    assert found == pytest.approx(0.228454, abs=1e-6)


@pytest.mark.parametrize(
    ("accuracies", "weight", "score"),
    [
        ((0.6, 0.6, 0.5, 0.5), 0.5, AS_RANDOM),
        ((1.0, 0.0, 1.0, 0.0), 0.5, 1.0),
        ((0.0, 1.0, 0.0, 1.0), 0.5, 0.0),
        # b = 0.5 · 0.2 + 0.5 · 0.1 = 0.15: (1.161834 − 0.367879)/2.350402.
        ((0.7, 0.5, 0.5, 0.4), 0.5, 0.337796),
        # All that the set gains it gains with augmentation.
        ((0.7, 0.5, 0.5, 0.5), 0.0, AS_RANDOM),
    ],
)
def test_the_augmentation_robust_score_counts_the_gain_with_and_without(
    accuracies: tuple[float, float, float, float], weight: float, score: float
) -> None:
    distilled, random, distilled_unaugmented, random_unaugmented = accuracies
    found = augmentation_robust_score(
        distilled=distilled,
        random=random,
        distilled_unaugmented=distilled_unaugmented,
        random_unaugmented=random_unaugmented,
        weight=weight,
    )
    assert found == pytest.approx(score, abs=1e-6)


def test_accuracies_in_percent_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1 is needed, not 61"):
        improvement_over_random(distilled=61.0, random=0.5)


def test_without_augmentation_nothing_else_changes(config: Config) -> None:
    plain = without_augmentation(config)
    assert plain.augmentation.augmentation == ()
    assert plain.override({"augmentation": config.augmentation.augmentation}) == config
