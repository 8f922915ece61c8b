"""The first screen's answers follow from the figures."""

import json
from typing import Any

import pytest

from tests.worker.reports.audits import AUDITS
from worker.reports import conclusions
from worker.reports.intervals import mean_interval, t_quantile


@pytest.mark.parametrize(
    ("distilled", "random", "tone", "words"),
    [
        ((0.75, 0.01), (0.70, 0.01), "good", "Better than 12 random real images, by 0.050"),
        ((0.71, 0.01), (0.70, 0.01), "neutral", "No better than 12 random"),
        ((0.60, 0.01), (0.70, 0.01), "bad", "Worse than 12 random real images, by 0.100"),
    ],
)
def test_utility_is_judged_against_the_spread(
    document: dict[str, Any],
    distilled: tuple[float, float],
    random: tuple[float, float],
    tone: str,
    words: str,
) -> None:
    changed = json.loads(json.dumps(document))
    for name, (mean, std) in (("distilled", distilled), ("random", random)):
        changed["utility"][name]["balanced_accuracy"] |= {"mean": mean, "std": std}
    conclusion = conclusions.utility(changed)
    assert conclusion.tone == tone
    assert words in conclusion.headline


def test_one_network_judges_nothing(document: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(document))
    for name, mean in (("distilled", 0.9), ("random", 0.4)):
        figure = {"mean": mean, "std": 0.0, "n": 1}
        changed["utility"][name]["balanced_accuracy"] = figure
    conclusion = conclusions.utility(changed)
    assert conclusion.tone == "neutral"
    assert conclusion.headline.startswith("Not known")


def test_each_other_network_is_judged_like_the_own_one(document: dict[str, Any]) -> None:
    def network(distilled: float | None, count: int = 3) -> dict[str, Any]:
        own = {"mean": distilled, "std": 0.01, "n": count}
        random = {"mean": 0.7, "std": 0.01, "n": count}
        return {"utility": {"balanced_accuracy": own}, "random": {"balanced_accuracy": random}}

    (made_for,) = document["networks"].items()
    assert "not measured" in conclusions.other_networks(document)

    found = {"alexnet": network(0.71), "vgg11": network(0.8), "resnet18": network(0.9)}
    said = conclusions.other_networks({**document, "networks": dict([made_for]) | found})
    assert "Better than as many random real images, by more than the spread: VGG11, Res" in said
    assert "No better than as many random real images, within the spread: AlexNet." in said
    assert "Worse" not in said

    found = {"alexnet": network(0.6), "vgg11": network(0.9, 1), "resnet18": network(None)}
    said = conclusions.other_networks({**document, "networks": dict([made_for]) | found})
    assert "Worse than as many random real images, by more than the spread: AlexNet." in said
    assert "is not a number: VGG11, ResNet18." in said


def test_a_run_that_kept_its_start_says_so(document: dict[str, Any]) -> None:
    kept = "the images that the run started from"
    assert kept in conclusions.utility(document | {"best_iteration": 0}).detail
    assert kept not in conclusions.utility(document | {"best_iteration": 15}).detail


def test_a_refuted_set_stays_at_home(document: dict[str, Any]) -> None:
    refuted = {**document, "privacy": {**document["privacy"], "verdict": "refuted"}}
    assert conclusions.permission(refuted).headline == "It stays in this organisation"
    assert "k_mean" not in conclusions.permission(refuted).detail


@pytest.mark.parametrize("verdict", ["not_refuted", "inconclusive"])
def test_distances_alone_clear_nothing(document: dict[str, Any], verdict: str) -> None:
    """So old reports, without attacks, are read as what they are."""
    old = {
        name: value
        for name, value in document["privacy"].items()
        if name not in ("attacks", "power", "proof", "leak_limit", "unit", "attempts")
    }
    held = {**document, "privacy": {**old, "verdict": verdict}}
    assert conclusions.permission(held).headline == "Use it inside the organisation for now"
    assert "can never clear a release" in conclusions.permission(held).detail
    assert conclusions.privacy(held).tone == "warn"


def test_attacks_of_known_power_are_what_a_release_rests_on(document: dict[str, Any]) -> None:
    measured = {**document, "privacy": AUDITS["not_refuted"].to_dict()}
    assert "limit of 5%" in conclusions.privacy(measured).headline
    assert "a leak of 2.6% or more" in conclusions.privacy(measured).detail
    assert "4 times out of 5" in conclusions.privacy(measured).detail
    assert "may be released under terms" in conclusions.permission(measured).headline
    reduced = json.loads(json.dumps(measured))
    reduced["privacy"]["power"]["reduced"] = True
    assert conclusions.privacy(reduced).headline == "Not refuted, at unknown power"
    assert "inside the organisation" in conclusions.permission(reduced).headline


def test_a_proof_that_bounds_little_is_no_good_news(document: dict[str, Any]) -> None:
    proven = {**document, "privacy": AUDITS["proven"].to_dict()}
    assert conclusions.privacy(proven).tone == "good"
    assert "more than 20% of the patients" in conclusions.privacy(proven).detail
    loose = json.loads(json.dumps(proven))
    loose["privacy"]["proof"]["epsilon"] = 8.0
    assert conclusions.privacy(loose).tone == "neutral"
    assert "excludes little" in conclusions.privacy(loose).detail


def test_a_proven_set_may_leave_under_terms(document: dict[str, Any]) -> None:
    proven = {**document, "privacy": {**document["privacy"], "verdict": "proven"}}
    assert conclusions.privacy(proven).headline.startswith("Proven")
    assert "under terms" in conclusions.permission(proven).headline


@pytest.mark.parametrize(
    ("freedom", "expected"), [(1, 12.706), (4, 2.776), (10, 2.228), (11, 2.201), (30, 2.042)]
)
def test_the_quantiles_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, abs=1e-3)


def test_an_interval_is_students() -> None:
    low, high = mean_interval({"mean": 0.5, "std": 0.1, "n": 5}) or (0, 0)
    assert (low, high) == (pytest.approx(0.3758, abs=1e-4), pytest.approx(0.6242, abs=1e-4))
    assert mean_interval({"mean": 0.99, "std": 0.1, "n": 5}) == [pytest.approx(0.866, abs=1e-3), 1]


def test_one_network_has_no_interval() -> None:
    assert mean_interval({"mean": 0.5, "std": 0.0, "n": 1}) is None
