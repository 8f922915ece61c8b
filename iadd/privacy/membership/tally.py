"""Counts what an attack finds in a stratum, and turns the counts of all into attacks.

Shapes: T runs, m units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from iadd.privacy.membership.attacks import ATTACKS
from iadd.privacy.report import Attack
from iadd.privacy.statistics import (
    FALSE_ALARMS,
    auc_interval,
    binomial_tail,
    design_effect,
    holm,
    holm_levels,
    lower_bound,
    mean_over_runs,
    normal_quantile,
    permutation_tail,
    reproduced_outcome,
    sign_test,
    t_quantile,
    upper_bound,
)

Array = npt.NDArray[Any]

_SIDE = 0.025
_UPPER = 0.05
_FEWEST_RUNS = 3
"""Fewer values say too little of their spread."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one attack found in one stratum.

    Attributes:
        name: Of the attack.
        stratum: Of the units.
        auc: Area under the ROC curve.
        auc_interval: 95% interval of it.
        members: Scores of members.
        others: Scores of units that were out.
        found: Members above the threshold.
        alarms: Others above it.
        strict: Members above the stricter of the threshold and that of 1% false alarms.
        lenient: Members above a threshold whose false-alarm rate is surely 1% or more.
        deff: Design effect as measured; below 1 by chance alone.
        freedom: Degrees of freedom that it is known by; 0 where T is 1.
        p: p-value of the exact null, not adjusted.
    """

    name: str
    stratum: str
    auc: float
    auc_interval: tuple[float, float]
    members: int
    others: int
    found: int
    alarms: int
    strict: int
    lenient: int
    deff: float
    freedom: int
    p: float

    @classmethod
    def of_runs(
        cls,
        name: str,
        stratum: str,
        scores: Array,
        members: Array,
        others: Array,
        threshold: float,
        blocks: Tensor | None = None,
    ) -> Self:
        """Count over repeated runs.

        Args:
            name: Of the attack.
            stratum: Of the units.
            scores: (T, m).
            members: bool (T, m).
            others: bool (T, m).
            threshold: Of the calibration runs.
            blocks: int64 (m,), where members are not chosen by fair coins: within a block of a run
                each unit is as likely to be one.
        """
        above = scores > threshold
        found, alarms = (above & members).sum(axis=1), (above & others).sum(axis=1)
        counts = members.sum(axis=1), others.sum(axis=1)
        deff = (design_effect(found, counts[0]) + design_effect(alarms, counts[1])) / 2
        ins, outs = scores[members], np.sort(scores[others])[::-1]
        effective = len(outs) / max(1.0, deff)
        if blocks is None:
            p = sign_test(int(found.sum()), int(alarms.sum()))
        else:
            p = _block_tail(above, members, others, blocks.numpy())
        return cls(
            name=name,
            stratum=stratum,
            members=len(ins),
            others=len(outs),
            found=int(found.sum()),
            alarms=int(alarms.sum()),
            strict=int((ins > max(threshold, outs[_rank(len(outs))])).sum()),
            lenient=int((ins > min(threshold, outs[lenient_rank(len(outs), effective)])).sum()),
            deff=deff,
            freedom=len(scores) - 1,
            p=p,
            **_auc_over_runs(scores, members, others),
        )

    @classmethod
    def of_one_run(cls, name: str, stratum: str, ins: Array, outs: Array) -> Self:
        """Count in one run whose threshold comes from its own units that were out.

        Args:
            name: Of the attack.
            stratum: Of the units.
            ins: Scores of members.
            outs: Scores of the others.
        """
        outs = np.sort(outs)[::-1]
        rank = _rank(len(outs))
        found, alarms = int((ins > outs[rank]).sum()), int((outs > outs[rank]).sum())
        auc = area(ins, outs)
        return cls(
            name=name,
            stratum=stratum,
            members=len(ins),
            others=len(outs),
            found=found,
            alarms=alarms,
            strict=found,
            lenient=int((ins > outs[lenient_rank(len(outs), len(outs))]).sum()),
            deff=1.0,
            freedom=0,
            # Equal scores can only be fewer above the threshold than the rank allows for.
            p=permutation_tail(found, rank, len(ins), len(outs)),
            auc=auc,
            auc_interval=auc_interval(auc, len(ins), len(outs)),
        )

    def bounds(self, level: float) -> tuple[float, float]:
        """Bound the share of members found at 1% false alarms.

        Args:
            level: Error of the lower bound. That of the upper one is 5%: threshold and share are
                each bounded at 5%, and their errors are independent.
        """
        effect = self.deff
        if self.freedom:
            # The design effect is an estimate itself.
            known = t_quantile(1 - _SIDE, self.freedom) / normal_quantile(1 - _SIDE)
            effect *= known**2
        effect = max(1.0, effect)
        trials = self.members / effect
        low = lower_bound(self.strict / effect, trials, level)
        return low, upper_bound(self.lenient / effect, trials, _UPPER)


def attacks_of(tallies: Sequence[Tally], *, limit: float) -> tuple[Attack, ...]:
    """Adjust for the number of attacks and strata (Holm), and apply the three-way rule."""
    raw = [tally.p for tally in tallies]
    attacks = []
    for tally, p, level in zip(tallies, holm(raw), holm_levels(raw, _SIDE), strict=True):
        low, high = tally.bounds(level)
        row: dict[str, Any] = {"tpr_interval": (min(low, high), high), "p": p}
        attacks.append(
            Attack(
                name=tally.name,
                title=ATTACKS[tally.name].title,
                stratum=tally.stratum,
                auc=tally.auc,
                auc_interval=tally.auc_interval,
                tpr=tally.found / tally.members,
                fpr=tally.alarms / tally.others,
                units=tally.members + tally.others,
                outcome=reproduced_outcome(row, limit),
                **row,
            )
        )
    return tuple(attacks)


def area(ins: Array, outs: Array) -> float:
    """Compute the area under the ROC curve; equal scores count half."""
    ordered = np.sort(outs)
    below = np.searchsorted(ordered, ins, side="left")
    not_above = np.searchsorted(ordered, ins, side="right")
    return float((below + not_above).mean() / 2 / len(ordered))


def _auc_over_runs(scores: Array, members: Array, others: Array) -> dict[str, Any]:
    """Average the areas of the runs, whose scores have one scale each."""
    areas = [
        area(row[own], row[rest])
        for row, own, rest in zip(scores, members, others, strict=True)
        if own.any() and rest.any()
    ]
    auc = float(np.mean(areas)) if areas else 0.5
    low, high = auc_interval(auc, int(members.sum()), int(others.sum()))
    if len(areas) >= _FEWEST_RUNS:
        by_runs = mean_over_runs(areas)
        # Equal areas of a few runs by chance are no certainty.
        low, high = min(low, by_runs[0]), max(high, by_runs[1])
    return {"auc": auc, "auc_interval": (max(0.0, low), min(1.0, high))}


def _rank(count: int) -> int:
    """Return the rank, from 0, of the score above which at most 1% lie."""
    return int(FALSE_ALARMS * count)


def lenient_rank(count: int, effective: float) -> int:
    """Return the rank of a score above which surely 1% of all units lie, or more.

    The score of rank k has a false-alarm rate below 1% with the probability that more than k of
    the scores lie above the true threshold: 5% at most.

    Args:
        count: Scores of units that were out.
        effective: The same over the design effect.
    """
    whole = max(1, round(effective))
    rank = int(FALSE_ALARMS * whole)
    while rank + 1 < whole and binomial_tail(rank + 1, whole, FALSE_ALARMS) > _UPPER:
        rank += 1
    return min(count - 1, math.ceil(rank * count / whole))


def _block_tail(above: Array, members: Array, others: Array, blocks: Array) -> float:
    """Compute P[found ≥ seen] where members are drawn at random within each block of a run."""
    chances = np.ones(1)
    seen = int((above & members).sum())
    for run in range(len(above)):
        for block in np.unique(blocks):
            own = blocks == block
            count, rest = int(members[run, own].sum()), int(others[run, own].sum())
            drawn = int((above[run] & (members[run] | others[run]) & own).sum())
            if count and drawn:
                chances = np.convolve(chances, _hypergeometric(count, rest, drawn))
    return min(1.0, float(chances[seen:].sum()))


def _hypergeometric(members: int, others: int, drawn: int) -> Array:
    """Return the probabilities of 0 to `drawn` members among those drawn."""
    ways = [
        math.comb(members, k) * math.comb(others, drawn - k) if k <= members else 0
        for k in range(drawn + 1)
    ]
    total = math.comb(members + others, drawn)
    return np.array([way / total for way in ways])
