"""The metrics on numbers made by hand, where every p-value can be worked out."""

import pytest
import torch

from iadd.privacy import metrics as audit_metrics
from iadd.privacy.matched_filter import Sought
from iadd.privacy.metrics import Sides
from iadd.privacy.nearest_neighbours import Neighbourhood, Ranking
from iadd.privacy.report import Metric


def sides(training: int, held_out: int) -> Sides:
    is_training = torch.arange(training + held_out) < training
    return Sides(is_training, ~is_training)


def neighbourhood(nearest: list[int], distance: float = 0.5) -> Neighbourhood:
    """Each query has one neighbour, the same by every measure."""
    index = torch.tensor(nearest)[:, None]
    return {name: Ranking(index, torch.full(index.shape, distance)) for name in ("pixels", "ssim")}


def sought(scores: list[float], training: list[bool]) -> Sought:
    return Sought(
        torch.tensor(scores),
        torch.tensor(training),
        torch.zeros(len(scores), dtype=torch.int64),
    )


def by_name(metrics: list[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


# --------------------------------------------------------------------------------------- the grid


def test_the_grid_refuses_what_is_not_shown() -> None:
    assert audit_metrics.grid(True).outcome == "passed"
    assert audit_metrics.grid(False).outcome == "refused"


# ------------------------------------------------------------------------------- A, contributors


def standing_out(count: int, others: int = 100) -> Sought:
    """Some training images far above 100 training and `others` held-out images."""
    generator = torch.Generator().manual_seed(0)
    rest = torch.randn(100 + others, generator=generator)
    return Sought(
        torch.cat([torch.full((count,), 9.0), rest]),
        torch.arange(count + 100 + others) < count + 100,
        torch.zeros(count + 100 + others, dtype=torch.int64),
    )


def test_contributors_that_stand_out_refuse() -> None:
    metrics = by_name(audit_metrics.contributors(standing_out(16), standing_out(0)))
    start, release = metrics["contributors_start"], metrics["contributors_release"]
    assert start.outcome == "refused"
    assert "16 training images stand out above all 100" in start.explanation
    assert start.interval is not None
    assert start.interval[0] < (start.value or 0) < start.interval[1]
    assert release.outcome == "passed"


def test_contributors_are_asked_for_whatever_the_start_was() -> None:
    metrics = by_name(audit_metrics.contributors(None, standing_out(0)))
    assert metrics["contributors_start"].outcome == "no_power"
    assert "not kept" in metrics["contributors_start"].explanation
    assert metrics["contributors_release"].outcome == "passed"
    assert {m.outcome for m in audit_metrics.contributors(None, None)} == {"no_power"}


def test_a_difference_that_does_not_matter_is_no_refusal() -> None:
    # 5,000 images whose mean rank differs by a little: significant, and of no use to an attacker.
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5_000, generator=generator)
    training = torch.arange(5_000) < 4_000
    # Only ranks in the middle are moved, none into the tail.
    scores[training & (scores.abs() < 1)] += 0.12
    found = Sought(scores, training, torch.zeros(5_000, dtype=torch.int64))
    assert found.p_value(permutations=499) < 0.01
    assert by_name(audit_metrics.contributors(None, found))["contributors_release"].outcome == (
        "passed"
    )


def test_an_own_split_leaves_only_what_stands_out_by_itself() -> None:
    def outcome(count: int) -> str:
        metrics = audit_metrics.contributors(None, standing_out(count), random_split=False)
        return by_name(metrics)["contributors_release"].outcome

    assert outcome(16) == "refused"
    assert outcome(0) == "no_power"


def test_the_permutation_test_is_exact_where_all_exchanges_can_be_counted() -> None:
    # The three training scores are the highest of six: one of 20 exchanges is as extreme.
    found = sought([6, 5, 4, 3, 2, 1], [True] * 3 + [False] * 3)
    assert found.p_value() == pytest.approx(0.05, abs=0.015)
    assert found.auc() == 1.0
    # And with the order turned round, all are.
    assert sought([1, 2, 3, 4, 5, 6], [True] * 3 + [False] * 3).p_value() == pytest.approx(1.0)


# ----------------------------------------------------------------------------- B, closest record


@pytest.mark.parametrize(("in_training", "refused"), [(10, True), (9, False)])
def test_closest_record_is_a_binomial_test(in_training: int, refused: bool) -> None:
    # Of 10 with chance ½: P(X ≥ 10) = 0.00098, P(X ≥ 9) = 0.0107, each times two; level 0.01.
    nearest = [*range(in_training), *range(20, 30 - in_training)]
    metrics = audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(20, 20))
    assert [m.outcome for m in metrics] == ["refused" if refused else "passed"] * 2
    assert metrics[0].value == in_training / 10


def test_closest_record_moves_the_chance_with_the_sizes() -> None:
    nearest = list(range(10))
    even = audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(20, 20))
    assert {m.outcome for m in even} == {"refused"}
    # All of 10 in training are no surprise at a chance of 0.9, and could not be one.
    uneven = audit_metrics.distance_to_closest_record(neighbourhood(nearest), sides(90, 10))
    assert {m.outcome for m in uneven} == {"no_power"}
    assert "51 are needed" in uneven[0].explanation


def test_records_needed_is_where_the_test_can_refuse() -> None:
    for chance in (0.5, 0.783, 0.9):
        needed = audit_metrics.records_needed(chance, 2)
        assert 2 * chance**needed < audit_metrics.CLOSEST <= 2 * chance ** (needed - 1)


def test_closest_record_counts_a_record_once() -> None:
    # Forty images drawn to six training images are six observations, not forty.
    metric = audit_metrics.distance_to_closest_record(
        neighbourhood([0, 1, 2, 3, 4, 5] * 7), sides(30, 10)
    )[0]
    assert metric.outcome == "no_power"
    assert "6 different nearest records" in metric.explanation


def test_closest_record_without_held_out_images_has_no_power() -> None:
    metrics = audit_metrics.distance_to_closest_record(neighbourhood(list(range(9))), sides(20, 0))
    assert {m.outcome for m in metrics} == {"no_power"}


def test_closest_record_of_an_own_split_has_no_power() -> None:
    metrics = audit_metrics.distance_to_closest_record(
        neighbourhood(list(range(20))), sides(20, 20), random_split=False
    )
    assert {m.outcome for m in metrics} == {"no_power"}
    assert "own split" in metrics[0].explanation


# ---------------------------------------------------------------------------- C, distance ratio


def test_neighbour_ratio_warns_when_images_are_near_to_one_alone() -> None:
    reference = torch.linspace(0.6, 1.0, 100)
    near = audit_metrics.neighbour_ratio(torch.full((9,), 0.1), reference)
    assert (near.outcome, near.value) == ("warned", pytest.approx(0.1))
    assert audit_metrics.neighbour_ratio(torch.linspace(0.65, 0.95, 9), reference).outcome == (
        "passed"
    )
    few = audit_metrics.neighbour_ratio(torch.full((9,), 0.1), torch.ones(5))
    assert few.outcome == "no_power"


# ------------------------------------------------------------------------------------- D, copies


def test_exact_copies() -> None:
    assert audit_metrics.exact_copies(torch.tensor([-1, 4, -1])).outcome == "refused"
    assert audit_metrics.exact_copies(torch.tensor([-1, -1])).outcome == "passed"


def test_registered_copies_need_no_reference() -> None:
    metric = audit_metrics.registered_copies(torch.tensor([0.2, 0.97, 0.3]))
    assert (metric.outcome, metric.value) == ("refused", pytest.approx(1 / 3))
    assert audit_metrics.registered_copies(torch.tensor([0.2, 0.9])).outcome == "passed"


def test_one_copy_that_stands_out_among_sixty_refuses() -> None:
    reference = torch.linspace(0.1, 0.6, 3000)
    similarity = torch.full((60,), 0.3)
    similarity[17] = 0.7
    metrics = by_name(audit_metrics.near_copies(similarity, reference))
    assert metrics["near_copies_single"].outcome == "refused"
    assert metrics["near_copies_many"].outcome == "passed"
    similarity[17] = 0.55  # p = 0.1
    metrics = by_name(audit_metrics.near_copies(similarity, reference))
    assert metrics["near_copies_single"].outcome == "passed"


def test_a_conformal_p_counts_ties_against_the_image() -> None:
    reference = torch.cat([torch.full((200,), 0.3), torch.tensor([0.5])])
    at, above = torch.tensor([0.5]), torch.tensor([0.5001])
    # 2/202 < 0.02 for one image; 2/202 × 3 is not, 1/202 × 3 is.
    assert audit_metrics.near_copies(at, reference)[0].outcome == "refused"
    three = torch.tensor([0.2, 0.2, 0.5])
    assert audit_metrics.near_copies(three, reference)[0].outcome == "passed"
    assert audit_metrics.near_copies(torch.cat([three[:2], above]), reference)[0].outcome == (
        "refused"
    )


def test_too_few_references_have_no_power_and_say_how_many_are_needed() -> None:
    metric = audit_metrics.near_copies(torch.full((60,), 0.9), torch.linspace(0.1, 0.6, 500))[0]
    assert metric.outcome == "no_power"
    assert "3,000 are needed" in metric.explanation
    nothing = audit_metrics.near_copies(torch.tensor([0.9]), torch.empty(0))
    assert {m.outcome for m in nothing} == {"no_power"}


@pytest.mark.parametrize(("beyond", "refused"), [(1, False), (3, False), (4, True), (9, True)])
def test_many_that_stand_out_a_little_refuse(beyond: int, refused: bool) -> None:
    # Of 9 with a chance of about 0.05: P(X ≥ 3) = 0.0084, P(X ≥ 4) = 0.0006; level 0.005.
    similarity = torch.tensor([0.58] * beyond + [0.2] * (9 - beyond))
    metrics = by_name(audit_metrics.near_copies(similarity, torch.linspace(0.1, 0.6, 400)))
    assert metrics["near_copies_many"].outcome == ("refused" if refused else "passed")
    assert metrics["near_copies_many"].value == pytest.approx(beyond / 9)


def test_near_copies_of_exchangeable_numbers_refuse_as_seldom_as_said() -> None:
    generator = torch.Generator().manual_seed(0)
    refused = {"near_copies_single": 0, "near_copies_many": 0}
    for _ in range(1000):
        values = torch.rand(609, generator=generator)
        for metric in audit_metrics.near_copies(values[:9], values[9:]):
            refused[metric.name] += metric.outcome == "refused"
    assert refused["near_copies_single"] <= 34  # 20 of 1,000 at most expected, and three deviations
    assert refused["near_copies_many"] <= 12


def test_the_tests_share_one_error_rate() -> None:
    shares = (
        audit_metrics.SINGLE,
        audit_metrics.MANY,
        audit_metrics.CONTRIBUTORS,
        audit_metrics.CLOSEST,
    )
    assert sum(shares) <= 0.05


# --------------------------------------------------------------------------- H, re-identification


def test_residual_risk_subtracts_what_anybody_would_be_linked_by() -> None:
    value, (low, high) = audit_metrics.residual_risk(90, 100, 50, 100)
    assert value == pytest.approx(0.8)
    assert 0.5 < low < 0.8 < high <= 1.0
    value, (low, high) = audit_metrics.residual_risk(50, 100, 50, 100)
    assert value == pytest.approx(0.0)
    assert low < 0 < high


@pytest.mark.parametrize(
    ("linked", "control", "outcome"),
    [(60, 1, "refused"), (3, 40, "passed"), (8, 10, "warned")],
)
def test_reidentification_by_its_bounds(linked: int, control: int, outcome: str) -> None:
    metric = audit_metrics.reidentification(
        [True] * linked + [False] * (60 - linked), [True] * control + [False] * (600 - control)
    )
    assert metric.outcome == outcome


def test_reidentification_without_such_patients_has_no_power() -> None:
    assert audit_metrics.reidentification([], [True]).outcome == "no_power"
