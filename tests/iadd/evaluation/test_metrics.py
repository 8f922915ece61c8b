"""Figures by hand on ten predictions, so that a change of the metric library is noticed."""

import pytest
import torch

from iadd.evaluation.metrics import ROC_POINTS, Evaluation, Scores

LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
PREDICTIONS = torch.tensor([0, 0, 0, 0, 1, 2, 1, 0, 2, 2])


@pytest.fixture
def scores() -> Scores:
    probabilities = torch.full((10, 3), 0.1)
    probabilities[torch.arange(10), PREDICTIONS] = 0.8
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


def test_a_curve_is_that_of_the_textbook() -> None:
    """Three of four correct predictions come before the wrong one, and it before the fourth."""
    probabilities = torch.tensor([0.9, 0.8, 0.7, 0.3, 0.5, 0.2])
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    scores = Scores.of(torch.stack([probabilities, 1 - probabilities], dim=1), labels)
    rates = torch.linspace(0, 1, ROC_POINTS)
    expected = torch.where(rates < 0.5, 0.75, 1.0)  # up to 3/4, to the right to 1/2, up to 1
    assert scores.roc[0].tolist() == pytest.approx(expected.tolist(), abs=1e-6)
    assert scores.roc[0].mean().item() == pytest.approx(scores.class_auroc[0].item(), abs=0.01)


def test_equal_answers_give_the_diagonal() -> None:
    scores = Scores.of(torch.full((10, 3), 1 / 3), LABELS)
    for curve in scores.roc:
        assert curve.tolist() == pytest.approx(torch.linspace(0, 1, ROC_POINTS).tolist(), abs=1e-6)


def test_curves_are_averaged_over_networks_and_few_images_have_none() -> None:
    labels = torch.arange(40) % 2
    correct = torch.nn.functional.one_hot(labels).float()
    evaluation = Evaluation(
        [Scores.of(correct, labels), Scores.of(1 - correct, labels)], ("a", "b"), 0.1, 5, 9
    )
    curve = evaluation.roc_curves()["classes"]["a"]
    # One network rises at once, the other at the very end.
    assert curve["mean"] == [0.5] * (ROC_POINTS - 1) + [1.0]
    assert curve["std"][0] == pytest.approx(0.5**0.5, abs=1e-4)
    few = Evaluation([Scores.of(correct[:18], labels[:18])], ("a", "b"), 0.1, 5, 9)
    assert few.roc_curves()["classes"] == {"a": None, "b": None}


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
