"""Audits the ε that a run claims by its own canaries (Steinke, Nasr and Jagielski 2023).

An attacker who knows all canaries and every snapshot of the teachers guesses which canaries were
in. Whoever guesses better than the claimed ε allows has found a bug; guessing worse proves nothing.
The guesses tell nothing of a patient: they follow from the private teachers and from canaries.

Shapes: m canaries.
"""

from dataclasses import dataclass

from torch import Tensor

from iadd.privacy.steinke import audited_epsilon
from iadd.trajectories.buffer import TrajectoryBuffer


@dataclass(frozen=True, kw_only=True)
class OneRunAudit:
    """What the guesses about one run say.

    Attributes:
        epsilon: Lower bound (95%) of ε.
        right: Right guesses.
        guesses: Guesses, a number fixed before.
        canaries: m.
    """

    epsilon: float
    right: int
    guesses: int
    canaries: int


def audit_teachers(buffer: TrajectoryBuffer, *, delta: float) -> OneRunAudit | None:
    """Bound the ε of private teachers from below; None where they had no canaries.

    Args:
        buffer: All teachers of the run. Their scores of a canary are added up.
        delta: δ of the claim.
    """
    found = [buffer.canaries(teacher) for teacher in range(len(buffer))]
    known = [one for one in found if one is not None]
    if not known:
        return None
    scores, included = known[0]
    for more, _ in known[1:]:
        scores = scores + more
    return audit_scores(scores, included, delta=delta)


def audit_scores(scores: Tensor, included: Tensor, *, delta: float) -> OneRunAudit:
    """Guess the coins of the quarter with the highest scores and of that with the lowest.

    Args:
        scores: (m,), higher for what was rather in.
        included: (m,) bool, the coins.
        delta: δ of the claim.
    """
    count = len(scores)
    quarter = max(1, count // 4)
    order = scores.argsort(descending=True)
    right = int(included[order[:quarter]].sum()) + int((~included[order[-quarter:]]).sum())
    return OneRunAudit(
        epsilon=audited_epsilon(right, 2 * quarter, candidates=count, delta=delta),
        right=right,
        guesses=2 * quarter,
        canaries=count,
    )
