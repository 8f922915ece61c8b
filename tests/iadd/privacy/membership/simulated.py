"""Audits simulated at the level of scores: what a twin would give, drawn from a formula."""

import numpy as np
import torch

from iadd.privacy.membership import AuditPlan, TwinScores

CLASSES = ("a", "b")


def simulate(
    *,
    calibration: int,
    tests: int,
    units: int,
    seed: int,
    leak: float = 0.0,
    run_effect: float = 0.0,
    signals: tuple[str, ...] = ("phi", "log_p", "p", "gradient", "nearest", "matched_filter"),
    leaking: tuple[str, ...] = ("log_p",),
) -> tuple[list[TwinScores], AuditPlan]:
    """Draw twins.

    Args:
        calibration: C.
        tests: T.
        units: m.
        seed: Of the draw.
        leak: Standard deviations that members lie above the others in the leaking signals.
        run_effect: Deviation of what is added to all scores of a run.
        signals: Those that are simulated.
        leaking: Those that leak.
    """
    draws = np.random.default_rng(seed)
    labels = torch.from_numpy(draws.integers(0, 2, units))
    # How easy a unit is, in all runs: attacks are calibrated for it but for raw signals.
    ease = {name: draws.normal(0, 1, units) for name in signals}
    twins = []
    for number in range(calibration + tests):
        bits = draws.integers(0, 2, units).astype(bool)
        shift = draws.normal(0, run_effect) if run_effect else 0.0
        values = {}
        for name in signals:
            raw = name in ("log_p", "matched_filter")
            own = draws.normal(0, 1, units) + shift + (0 if raw else ease[name])
            own += leak * bits * (name in leaking)
            values[name] = torch.from_numpy(np.exp(own) if name == "p" else own).float()
        values["norm"] = torch.from_numpy(draws.normal(0, 1, units)).float()
        population = torch.from_numpy(np.exp(draws.normal(0, 1, 200) + shift)).float()
        twins.append(
            TwinScores(
                number=number,
                key="simulated",
                classes=CLASSES,
                bits=torch.from_numpy(bits),
                labels=labels,
                signals=values,
                population=population,
            )
        )
    plan = AuditPlan(units=units, unit="image", calibration_runs=calibration, test_runs=tests)
    return twins, plan
