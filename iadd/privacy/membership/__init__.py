"""Membership inference on the whole pipeline: was this patient's X-ray used?

The shipped configuration is repeated with each audit unit in or out by a fair coin (twins), and
attackers who hold all candidates guess the coins. Tier 0 takes the shipped run itself as the only
test: training units are in, test units out.

Legend: m audit units, C calibration and T test runs, R = C + T.
"""

from iadd.privacy.membership.decide import Membership, decide
from iadd.privacy.membership.plan import AuditPlan, plan_audit
from iadd.privacy.membership.scores import TwinScores
from iadd.privacy.membership.shipped import attack_shipped_run
from iadd.privacy.membership.twins import run_twins
from iadd.privacy.statistics import reproduced_outcome

__all__ = [
    "AuditPlan",
    "Membership",
    "TwinScores",
    "attack_shipped_run",
    "decide",
    "plan_audit",
    "reproduced_outcome",
    "run_twins",
]
