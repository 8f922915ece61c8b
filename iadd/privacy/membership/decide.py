"""From the scores of all runs to attacks with their outcomes, and the power they had.

Shapes: C calibration runs, T test runs, m units.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from iadd.privacy.membership.attacks import ATTACKS, Calibration, scores_of
from iadd.privacy.membership.plan import AuditPlan
from iadd.privacy.membership.scores import TwinScores, stacked
from iadd.privacy.membership.tally import Tally, attacks_of
from iadd.privacy.power import OUTLIERS, reachable_tpr
from iadd.privacy.report import Attack, Power
from iadd.privacy.statistics import FALSE_ALARMS

CHANCE = 0.8
FEWEST_SCORES = 20
"""A stratum with fewer scores of members is not attacked: it could tell nothing."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The attacks of one audit.

    Attributes:
        attacks: By attack and stratum; empty where none was run.
        power: The smallest leak that they tell from chance; None where they have no power.
        explanation: How the attacks were run, or why not.
    """

    attacks: tuple[Attack, ...]
    power: Power | None
    explanation: str


def decide(
    twins: Sequence[TwinScores], plan: AuditPlan, *, limit: float, reduced: bool = False
) -> Membership:
    """Attack the test runs and apply the three-way rule.

    Attacks are calibrated on the first C runs alone. A unit is called a member where its score is
    above the 99th percentile of the scores of units left out, in C. The p-value is exact: coins
    that nobody has seen are fair. Bounds on the leak allow for runs that as a whole find many or
    few (Korn and Graubard, Survey Methodology 24, 1998). All attacks on all strata share one error
    rate (Holm).

    Args:
        twins: Of all runs, in any order; those that are missing are missed.
        plan: The audit.
        limit: Share of members found, at 1% false alarms, that the upper bound may reach.
        reduced: Whether the runs had smaller settings than the shipped one.

    Raises:
        ValueError: When twins are of different settings or units, or one comes twice.
    """
    ordered = sorted(twins, key=lambda twin: twin.number)
    if len({(twin.key, len(twin.bits)) for twin in ordered}) > 1:
        raise ValueError("the twins are of different settings or units")
    if len({twin.number for twin in ordered}) < len(ordered):
        raise ValueError("a twin comes twice")
    calibrating = [twin for twin in ordered if twin.number < plan.calibration_runs]
    tested = [twin for twin in ordered if twin.number >= plan.calibration_runs]
    if not tested:
        return Membership(
            attacks=(), power=None, explanation="The run was not repeated for this audit."
        )
    if len(calibrating) < 2:
        return Membership(
            attacks=(),
            power=None,
            explanation="Attacks need at least two repetitions to be calibrated on.",
        )
    calibration, tests = _runs(calibrating), _runs(tested)
    tallies = list(_tallies(calibrating, tested, calibration, tests))
    attacks = attacks_of(tallies, limit=limit)
    whole = [tally.deff for tally in tallies if tally.stratum == "all"]
    units = len(tested[0].bits)
    deff = max(1.0, float(np.mean(whole))) if whole else 1.0
    power = Power(
        tpr=reachable_tpr(runs=len(tested), units=units, deff=deff, chance=CHANCE),
        fpr=FALSE_ALARMS,
        chance=CHANCE,
        unit=plan.unit,
        runs=len(tested),
        units=units,
        deff=deff,
        reduced=reduced,
        tier=2,
    )
    what = "a smaller version of the run" if reduced else "the whole run"
    return Membership(
        attacks=attacks,
        power=power,
        explanation=(
            f"{len(calibrating) + len(tested)} repetitions of {what}, each with {units:,} "
            f"{plan.unit}s in or out by a fair coin: {len(calibrating)} calibrated the attacks, "
            f"{len(tested)} were attacked."
        ),
    )


def _runs(twins: list[TwinScores]) -> Calibration:
    names = set.intersection(*(set(twin.signals) for twin in twins))
    return Calibration(
        {name: stacked(twins, name) for name in sorted(names)},
        torch.stack([twin.bits for twin in twins]),
        torch.stack([twin.population for twin in twins]).double(),
    )


def _tallies(
    calibrating: list[TwinScores],
    tested: list[TwinScores],
    calibration: Calibration,
    tests: Calibration,
) -> Iterator[Tally]:
    """Count for each attack and stratum what was found."""
    strata = dict(_strata(calibrating, calibration))
    for name, kind in ATTACKS.items():
        if kind.needs not in calibration.signals or kind.needs not in tests.signals:
            continue
        own, scores = scores_of(name, calibration, tests)
        for stratum, units in strata.items():
            yield from _tally(
                name,
                stratum,
                absent=own[:, units][~calibration.bits[:, units]],
                scores=scores[:, units],
                members=tests.bits[:, units],
                others=~tests.bits[:, units],
            )
        chosen = [twin.contributors for twin in tested]
        if all(one is not None for one in chosen):
            contributors = torch.stack([one for one in chosen if one is not None])
            yield from _tally(
                name,
                "contributors",
                absent=own[~calibration.bits],
                scores=scores,
                members=contributors & tests.bits,
                others=~tests.bits,
                blocks=tested[0].labels,
            )


def _strata(
    calibrating: list[TwinScores], calibration: Calibration
) -> Iterator[tuple[str, Tensor]]:
    """Yield the strata, which are fixed before a test run is looked at: bool (m,)."""
    labels = calibrating[0].labels
    yield "all", torch.ones(len(labels), dtype=torch.bool)
    if "norm" in calibration.signals:
        norms = calibration.signals["norm"].mean(dim=0)
        count = max(1, math.ceil(OUTLIERS * len(norms)))
        yield "outliers", norms >= norms.sort(descending=True).values[count - 1]
    for label, name in enumerate(calibrating[0].classes):
        yield f"class:{name}", labels == label


def _tally(
    name: str,
    stratum: str,
    *,
    absent: Tensor,
    scores: Tensor,
    members: Tensor,
    others: Tensor,
    blocks: Tensor | None = None,
) -> Iterator[Tally]:
    if len(absent) == 0 or int(others.sum()) < FEWEST_SCORES:
        return
    # Of the starts there are few contributors, and it may take few to tell.
    if int(members.sum()) < (FEWEST_SCORES if blocks is None else 1):
        return
    threshold = float(np.quantile(absent.numpy(), 1 - FALSE_ALARMS, method="higher"))
    yield Tally.of_runs(
        name, stratum, scores.numpy(), members.numpy(), others.numpy(), threshold, blocks
    )
