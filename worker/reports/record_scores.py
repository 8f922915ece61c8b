"""Summarises what the repeated runs (twins) say of single audit units, for the internal audit."""

from collections.abc import Sequence

import torch

from iadd.privacy.membership import TwinScores
from worker.reports.inputs import RecordScore

SIGNAL = "phi"
"""Log odds of the right class, given by networks trained on a twin's set (LiRA)."""

_LEAST = 2
"""Runs with and without a unit, of which a deviation can be computed."""


def record_scores(twins: Sequence[TwinScores]) -> tuple[RecordScore, ...]:
    """Compare each unit's score in runs with it and in runs without it.

    Returns:
        One for each unit that was in and out at least twice; none without twins or their signal.
    """
    if not twins or any(SIGNAL not in twin.signals for twin in twins):
        return ()
    scores = torch.stack([twin.signals[SIGNAL] for twin in twins]).double()
    bits = torch.stack([twin.bits for twin in twins])
    labels, classes = twins[0].labels.tolist(), twins[0].classes
    records = []
    for unit in range(bits.shape[1]):
        inside, outside = scores[bits[:, unit], unit], scores[~bits[:, unit], unit]
        if min(len(inside), len(outside)) < _LEAST:
            continue
        squares = (inside - inside.mean()).square().sum() + (
            outside - outside.mean()
        ).square().sum()
        deviation = (squares / (len(inside) + len(outside) - 2)).sqrt().item()
        mean_in, mean_out = inside.mean().item(), outside.mean().item()
        records.append(
            RecordScore(
                number=unit,
                class_name=classes[labels[unit]],
                runs_in=len(inside),
                runs_out=len(outside),
                mean_in=mean_in,
                mean_out=mean_out,
                separation=(mean_in - mean_out) / deviation if deviation > 0 else 0.0,
            )
        )
    return tuple(records)
