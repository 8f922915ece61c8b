"""Figures by hand on ten answers, so that a change of the metric library is noticed."""

import pytest
import torch

from iadd.scores import Evaluation, Scores

LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
ANSWERS = torch.tensor([0, 0, 0, 0, 1, 2, 1, 0, 2, 2])


@pytest.fixture
def scores() -> Scores:
    probabilities = torch.full((10, 3), 0.1)
    probabilities[torch.arange(10), ANSWERS] = 0.8
    return Scores.of(probabilities, LABELS)


def test_figures_are_those_of_the_textbook(scores: Scores) -> None:
    assert scores.accuracy == pytest.approx(7 / 10)
    assert scores.sensitivity.tolist() == pytest.approx([4 / 6, 1 / 2, 2 / 2])
    assert scores.balanced_accuracy == pytest.approx((4 / 6 + 1 / 2 + 1) / 3)
    assert scores.specificity.tolist() == pytest.approx([3 / 4, 7 / 8, 7 / 8])
    f1 = [2 * 4 / (2 * 4 + 2 + 1), 2 * 1 / (2 * 1 + 1 + 1), 2 * 2 / (2 * 2 + 0 + 1)]
    assert scores.macro_f1 == pytest.approx(sum(f1) / 3)
    assert scores.confusion.tolist() == [[4, 1, 1], [1, 1, 0], [0, 0, 2]]
    # One-vs-rest with two levels of confidence: (sensitivity + specificity) / 2.
    areas = [(4 / 6 + 3 / 4) / 2, (1 / 2 + 7 / 8) / 2, (1 + 7 / 8) / 2]
    assert scores.class_auroc.tolist() == pytest.approx(areas)
    assert scores.auroc == pytest.approx(sum(areas) / 3)


def test_always_saying_the_majority_is_worth_chance_when_balanced() -> None:
    probabilities = torch.tensor([[0.8, 0.1, 0.1]]).expand(10, 3)
    scores = Scores.of(probabilities, LABELS)
    assert scores.accuracy == pytest.approx(0.6)
    assert scores.balanced_accuracy == pytest.approx(1 / 3)


def test_an_evaluation_reports_mean_deviation_and_support(scores: Scores) -> None:
    perfect = Scores.of(torch.nn.functional.one_hot(LABELS).float(), LABELS)
    document = Evaluation([scores, perfect], ("a", "b", "c"), 0.1, 5, 9).to_dict()
    assert document["accuracy"] == {
        "mean": pytest.approx(0.85),
        "std": pytest.approx(0.3 / 2**0.5),
        "n": 2,
    }
    assert document["per_class"]["b"]["support"] == 2
    assert document["confusion"] == [[10, 1, 1], [1, 3, 0], [0, 0, 4]]
    assert Evaluation([perfect], ("a", "b", "c"), 0.1, 5, 9).to_dict()["accuracy"]["std"] == 0
