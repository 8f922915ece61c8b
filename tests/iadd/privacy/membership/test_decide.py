"""Audits of pipelines whose leak is known, simulated at the level of scores."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
import torch

from iadd.privacy.membership import AuditPlan, Membership, TwinScores, decide
from iadd.privacy.power import reachable_tpr
from tests.iadd.privacy.membership.simulated import simulate

LIMIT = 0.05
_RANK = {"refuted": 0, "inconclusive": 1, "not_refuted": 2}


def verdict(membership: Membership) -> str:
    return min((attack.outcome for attack in membership.attacks), key=_RANK.__getitem__)


def audits(count: int, **options: object) -> Iterable[Membership]:
    for seed in range(count):
        twins, plan = simulate(seed=seed, **options)
        yield decide(twins, plan, limit=LIMIT)


def share(of: Iterable[bool]) -> float:
    return float(np.mean(list(of)))


def leak_of(tpr: float) -> float:
    """Deviations between members and others that give this share found at 1% false alarms."""
    normal = NormalDist()
    return normal.inv_cdf(0.99) - normal.inv_cdf(1 - tpr)


@pytest.mark.parametrize(
    "count",
    [8, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.long])],
    ids=["quick", "200"],
)
@pytest.mark.parametrize("run_effect", [0.0, 1.0])
def test_a_pipeline_that_ignores_its_data_is_not_refuted(count: int, run_effect: float) -> None:
    found = list(audits(count, calibration=4, tests=4, units=200, run_effect=run_effect))
    assert share(verdict(one) == "refuted" for one in found) <= 0.05
    # Nor is it told from chance more often than one error rate over all attacks allows.
    told = share(any(attack.p < 0.05 for attack in one.attacks) for one in found)
    assert told <= 0.05 + 2 * (0.05 * 0.95 / count) ** 0.5


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (12, [(1, 1000)]),
        pytest.param(
            200, [(1, 1000), (8, 500), (16, 500)], marks=[pytest.mark.slow, pytest.mark.long]
        ),
    ],
    ids=["quick", "200"],
)
def test_a_leak_at_the_stated_power_is_refused_in_four_of_five_audits(
    count: int, sizes: Sequence[tuple[int, int]]
) -> None:
    for tests, units in sizes:
        leak = leak_of(reachable_tpr(runs=tests, units=units))
        found = list(audits(count, calibration=8, tests=tests, units=units, leak=leak))
        # Refused: told from chance, with six attacks on four strata sharing one error rate.
        told = share(any(attack.p < 0.05 for attack in one.attacks) for one in found)
        assert told == pytest.approx(0.8, abs=0.06 if count == 200 else 0.35)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(2, (1, 8)), pytest.param(200, (1, 2, 4, 8, 16), marks=[pytest.mark.slow, pytest.mark.long])],
    ids=["quick", "200"],
)
def test_more_runs_of_a_clean_pipeline_never_worsen_the_expected_verdict(
    count: int, sizes: Sequence[int]
) -> None:
    ranks = [
        np.mean(
            [
                _RANK[verdict(one)]
                for one in audits(
                    count, calibration=4, tests=tests, units=1000, signals=("log_p", "p")
                )
            ]
        )
        for tests in sizes
    ]
    for fewer, more in itertools.pairwise(ranks):
        assert more >= fewer - 0.02
    assert ranks[-1] > ranks[0]


@pytest.mark.parametrize(
    "count",
    [30, pytest.param(400, marks=[pytest.mark.slow, pytest.mark.long])],
    ids=["quick", "400"],
)
def test_redrawn_bits_give_uniform_p_values(count: int) -> None:
    twins, plan = simulate(calibration=4, tests=4, units=300, seed=0, leak=2.0, signals=("log_p",))
    draws = np.random.default_rng(1)
    values = []
    for _ in range(count):
        redrawn = [
            replace(twin, bits=torch.from_numpy(draws.integers(0, 2, 300).astype(bool)))
            if twin.number >= plan.calibration_runs
            else twin
            for twin in twins
        ]
        one = decide(redrawn, plan, limit=LIMIT).attacks[0]
        members = round(one.units / 2)
        assert one.stratum == "all"
        # Counts are whole: what is uniform is the p-value less a random part of its last step.
        flagged = round(one.tpr * members), round(one.fpr * members)
        values.append(_randomised(sum(flagged), flagged[0], draws))
    ordered = np.sort(values)
    distance = np.abs(ordered - (np.arange(count) + 0.5) / count).max()
    assert distance < 1.63 / count**0.5  # Kolmogorov and Smirnov at 1%


def _randomised(flagged: int, right: int, draws: np.random.Generator) -> float:
    coins = draws.binomial(flagged, 0.5, 4000)
    return float((coins > right).mean() + draws.uniform() * (coins == right).mean())


def test_a_whole_leak_is_refuted_by_every_attack_that_can_see_it() -> None:
    (found,) = audits(
        1,
        calibration=6,
        tests=4,
        units=200,
        leak=6.0,
        leaking=("phi", "p", "log_p", "gradient", "nearest", "matched_filter"),
    )
    whole = [attack for attack in found.attacks if attack.stratum == "all"]
    assert {attack.name for attack in whole} == {
        "lira",
        "rmia",
        "loss",
        "gradient",
        "nearest",
        "matched_filter",
    }
    for attack in whole:
        assert attack.auc > 0.95
        assert attack.auc_interval[0] <= attack.auc <= attack.auc_interval[1]
        assert attack.tpr > 0.6
        assert attack.fpr < 0.05
        assert attack.units == 4 * 200
        assert attack.outcome == "refuted"


def test_power_knows_runs_units_and_clustering() -> None:
    (found,) = audits(1, calibration=4, tests=8, units=400)
    (clustered,) = audits(1, calibration=4, tests=8, units=400, run_effect=2.0)
    assert found.power is not None
    assert clustered.power is not None
    assert (found.power.runs, found.power.units, found.power.tier) == (8, 400, 2)
    assert found.power.deff < 1.6
    assert clustered.power.deff > 3
    assert clustered.power.tpr > found.power.tpr
    twins, plan = simulate(calibration=4, tests=8, units=400, seed=0)
    reduced = decide(twins, plan, limit=LIMIT, reduced=True)
    assert reduced.power is not None
    assert reduced.power.reduced
    assert "smaller" in reduced.explanation


def test_contributors_of_starts_are_a_stratum_of_their_own() -> None:
    twins, plan = simulate(calibration=4, tests=4, units=200, seed=0, signals=("nearest",))
    with_starts = []
    for twin in twins:
        first = twin.bits.nonzero().squeeze(1)[:6]
        contributors = torch.zeros(200, dtype=torch.bool)
        contributors[first] = True
        seen = {**twin.signals, "nearest": twin.signals["nearest"] + 8.0 * contributors}
        with_starts.append(replace(twin, contributors=contributors, signals=seen))
    found = {one.stratum: one for one in decide(with_starts, plan, limit=LIMIT).attacks}
    assert found["contributors"].outcome == "refuted"
    assert found["contributors"].tpr > 0.9
    assert found["all"].tpr < 0.2
    none = [replace(twin, contributors=torch.zeros(200, dtype=torch.bool)) for twin in twins]
    assert "contributors" not in {one.stratum for one in decide(none, plan, limit=LIMIT).attacks}


def test_the_null_of_contributors_holds_where_a_class_scores_higher() -> None:
    p_values = []
    for seed in range(20):
        twins, plan = simulate(calibration=2, tests=3, units=120, seed=seed, signals=("log_p",))
        draws, changed = np.random.default_rng(seed), []
        for twin in twins:
            # All contributors are of one class, which scores higher whoever is in.
            own = (twin.bits & (twin.labels == 1)).nonzero().squeeze(1)
            contributors = torch.zeros(120, dtype=torch.bool)
            contributors[own[torch.from_numpy(draws.permutation(len(own))[:8])]] = True
            higher = twin.signals["log_p"] + 2.0 * (twin.labels == 1)
            changed.append(replace(twin, contributors=contributors, signals={"log_p": higher}))
        attacks = decide(changed, plan, limit=LIMIT).attacks
        p_values += [one.p for one in attacks if one.stratum == "contributors"]
    assert np.mean(np.array(p_values) < 0.05) <= 0.15


def test_without_runs_there_is_no_attack() -> None:
    twins, plan = simulate(calibration=2, tests=2, units=60, seed=0)
    for some in ([], twins[:2], twins[1:]):
        found = decide(some, plan, limit=LIMIT)
        assert (found.attacks, found.power) == ((), None)
        assert found.explanation.endswith(".")


def test_twins_that_do_not_belong_together_are_refused() -> None:
    twins, plan = simulate(calibration=2, tests=2, units=60, seed=0)
    with pytest.raises(ValueError, match="different"):
        decide([*twins[:3], replace(twins[3], key="other")], plan, limit=LIMIT)
    with pytest.raises(ValueError, match="twice"):
        decide([*twins, twins[0]], plan, limit=LIMIT)


def test_scores_come_back_from_bytes_in_any_order() -> None:
    twins, plan = simulate(calibration=3, tests=3, units=80, seed=0)
    back = [TwinScores.from_bytes(twin.to_bytes()) for twin in reversed(twins)]
    assert decide(back, plan, limit=LIMIT) == decide(twins, plan, limit=LIMIT)
    marked = replace(twins[0], contributors=twins[0].bits.clone())
    again = TwinScores.from_bytes(marked.to_bytes())
    assert again.contributors is not None
    assert torch.equal(again.contributors, twins[0].bits)
    assert marked.to_bytes() == again.to_bytes()


def test_the_plan_says_which_runs_calibrate() -> None:
    twins, _ = simulate(calibration=3, tests=5, units=80, seed=0)
    plan = AuditPlan(units=80, unit="patient", calibration_runs=5, test_runs=3)
    power = decide(twins, plan, limit=LIMIT).power
    assert power is not None
    assert (power.runs, power.unit) == (3, "patient")
