"""The metrics on rankings made by hand, where every p-value can be worked out."""

import pytest
import torch

from iadd.privacy import metrics as audit_metrics
from iadd.privacy.metrics import Sides, Threshold
from iadd.privacy.nearest_neighbours import Neighbourhood, Ranking


def sides(training: int, held_out: int) -> Sides:
    is_training = torch.arange(training + held_out) < training
    return Sides(is_training, ~is_training)


def neighbourhood(nearest: list[int], distance: float | list[float] = 0.5) -> Neighbourhood:
    """Each query has one neighbour, the same by every measure."""
    index = torch.tensor(nearest)[:, None]
    distances = torch.tensor(distance).expand(len(nearest))[:, None]
    names = ("pixels", "ssim", "phash", "embedding")
    return {name: Ranking(index, distances.clone()) for name in names}


def test_retention_refuses_at_the_first_hit() -> None:
    queries = neighbourhood([0, 1, 2, 3])
    starts = torch.tensor([5, 1, 4, -1])
    for metric in audit_metrics.retention(queries, starts, sides(10, 10)):
        assert (metric.outcome, metric.value) == ("refused", 0.25)
    for metric in audit_metrics.retention(queries, torch.tensor([5, 6, 7, 8]), sides(10, 10)):
        assert (metric.outcome, metric.value) == ("passed", 0.0)


def test_retention_without_known_starts_has_no_power() -> None:
    for metric in audit_metrics.retention(neighbourhood([0]), None, sides(10, 10)):
        assert (metric.outcome, metric.value) == ("no_power", None)


def test_retention_says_when_nothing_started_from_a_record() -> None:
    metric = audit_metrics.retention(neighbourhood([0, 1]), torch.tensor([-1, -1]), sides(10, 10))[
        0
    ]
    assert metric.outcome == "passed"
    assert "none to retain" in metric.explanation


@pytest.mark.parametrize(("in_training", "refused"), [(10, True), (9, True), (8, False)])
def test_closest_record_is_a_binomial_test(in_training: int, refused: bool) -> None:
    # Of 10 with chance ½: P(X ≥ 10) = 0.00098, P(X ≥ 9) = 0.0107, P(X ≥ 8) = 0.0547, times three.
    nearest = [*range(in_training), *range(20, 30 - in_training)]
    metrics = audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(20, 20))
    assert [m.outcome for m in metrics] == ["refused" if refused else "passed"] * 3
    assert metrics[0].value == in_training / 10


def test_three_measures_share_one_error_rate() -> None:
    # P(X ≥ 10 of 12) = 0.019 alone is below 0.05; said three times over it is not.
    nearest = [*range(10), 20, 21]
    metrics = audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(20, 20))
    assert [m.outcome for m in metrics] == ["passed"] * 3


def test_closest_record_moves_the_chance_with_the_sizes() -> None:
    # All of 10 in training: 0.5¹⁰ is rare, 0.9¹⁰ = 0.35 is not.
    nearest = list(range(10))
    assert audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(20, 20))[
        0
    ].outcome == ("refused")
    assert audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(90, 10))[
        0
    ].outcome == ("passed")


def test_closest_record_counts_a_record_once() -> None:
    # Forty images drawn to six training images are six observations, not forty.
    metric = audit_metrics.distance_to_closest_record(
        neighbourhood([0, 1, 2, 3, 4, 5] * 7), sides(30, 10)
    )[0]
    assert "6 of 6" in metric.explanation
    assert metric.outcome == "passed"


@pytest.mark.parametrize("count", [1, 4])
def test_closest_record_below_five_never_passes(count: int) -> None:
    queries = neighbourhood(list(range(20, 20 + count)))
    metrics = audit_metrics.distance_to_closest_record(queries, sides(20, 20))
    assert {m.outcome for m in metrics} == {"no_power"}


def test_closest_record_without_held_out_images_has_no_power() -> None:
    metrics = audit_metrics.distance_to_closest_record(neighbourhood(list(range(9))), sides(20, 0))
    assert {m.outcome for m in metrics} == {"no_power"}


def test_exact_copies() -> None:
    assert audit_metrics.exact_copies(torch.tensor([-1, 4, -1])).outcome == "refused"
    assert audit_metrics.exact_copies(torch.tensor([-1, -1])).outcome == "passed"


def test_threshold_is_the_first_percentile() -> None:
    reference = neighbourhood([0] * 299, [i / 299 for i in range(299)])
    found = audit_metrics.near_copy_thresholds(reference, torch.arange(299), sides(1, 5))
    # Three of 300 places lie within: the third smallest distance.
    assert found["ssim"].distance == pytest.approx(2 / 299)
    assert found["ssim"].chance == pytest.approx(0.01)


def test_threshold_of_few_images_is_their_smallest_distance() -> None:
    reference = neighbourhood([0] * 24, [0.5 + i / 100 for i in range(24)])
    found = audit_metrics.near_copy_thresholds(reference, torch.arange(4, 24), sides(1, 5))
    assert found["phash"].distance == pytest.approx(0.54)
    assert found["phash"].chance == pytest.approx(1 / 21)


def test_tied_distances_count_together_or_not_at_all() -> None:
    def threshold(distances: list[float]) -> Threshold:
        reference = neighbourhood([0] * 199, distances)
        return audit_metrics.near_copy_thresholds(reference, torch.arange(199), sides(1, 5))[
            "phash"
        ]

    # The first percentile of 199 is their second: alone within it, or one of fifty.
    assert threshold([2.0] + [4.0] * 198) == Threshold(2.0, 0.0, 0.01)
    assert threshold([4.0] * 50 + [6.0] * 149) == Threshold(4.0, 0.0, 50 / 200)


def test_what_is_near_to_everybody_is_a_copy_of_nobody() -> None:
    index = torch.tensor([[0, 1, 2]])
    copy = Ranking(index, torch.tensor([[0.02, 0.30, 0.34]]))
    average = Ranking(index, torch.tensor([[0.05, 0.06, 0.06]]))
    threshold = Threshold(distance=0.1, standing_out=0.5, chance=0.01)
    assert threshold.count(copy, sides(3, 1)) == 1
    assert threshold.count(average, sides(3, 1)) == 0


@pytest.mark.parametrize(("copies", "refused"), [(0, False), (2, False), (3, True)])
def test_near_copies_refuse_beyond_chance(copies: int, refused: bool) -> None:
    # Of 40 with chance 0.01: P(X ≥ 2) = 0.061, P(X ≥ 3) = 0.0075, which Holm triples.
    queries = neighbourhood([0] * 40, [0.01] * copies + [0.9] * (40 - copies))
    thresholds = {name: Threshold(0.1, 1.0, 0.01) for name in ("ssim", "phash", "embedding")}
    metrics = audit_metrics.near_copies(queries, thresholds, sides(5, 5))
    assert [m.outcome for m in metrics] == ["refused" if refused else "passed"] * 3
    assert metrics[0].value == copies / 40


def test_one_measure_alone_can_refuse() -> None:
    queries = neighbourhood([0] * 40, 0.9)
    queries["phash"].distance[:3] = 0.01
    thresholds = {name: Threshold(0.1, 1.0, 0.01) for name in ("ssim", "phash", "embedding")}
    outcomes = {
        m.name: m.outcome for m in audit_metrics.near_copies(queries, thresholds, sides(5, 5))
    }
    assert outcomes == {
        "near_copies_ssim": "passed",
        "near_copies_phash": "refused",
        "near_copies_embedding": "passed",
    }
