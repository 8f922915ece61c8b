"""Say what each size of an audit costs with each preset, and what it can find.

    python -m benchmarks.audit_costs [--training 7000]

Costs are counted in image passes and not measured: on every device they are about the same multiple
of the job without the audit.
"""

import argparse

from iadd.forecast.arithmetic import Forecast, Job, forecast_job
from iadd.forecast.nominal import nominal_benchmark
from iadd.presets import AUDITS, PRESETS
from iadd.privacy.power import may_clear, reachable_tpr

CLASSES = 3
HELD_OUT = 0.25
"""Test images for each training image; a tenth of them is the validation split."""
UNITS = 0.2
"""Share of the training images that are audit units, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=int, default=7000, help="training images")
    training = parser.parse_args().training
    print("| preset | audit | times the job without it | tells from chance | clears at the limit |")
    print("|---|---|---|---|---|")
    for preset, make in PRESETS.items():
        if make().protection.privacy == "dp":
            continue
        for audit, document in AUDITS.items():
            config = make().override(document["settings"])
            runs = config.audit.audit_test_runs
            if runs == 0:
                continue
            held_out = int(HELD_OUT * training)
            found = forecast_job(
                nominal_benchmark(config),
                Job(
                    config=config,
                    classes=CLASSES,
                    train=training,
                    per_epoch=training,
                    validation=held_out // 10,
                    test=held_out,
                ),
            )
            units = min(config.audit.audit_units, int(UNITS * training))
            power = reachable_tpr(runs=runs, units=units)
            limit = config.audit.audit_leak_limit
            clears = "yes" if may_clear(runs=runs, units=units, limit=limit) else "no"
            cells = (
                preset,
                audit,
                f"{_times(found):.1f}",
                f"{power:.1%}",
                f"{clears} ({limit:.0%})",
            )
            print("| " + " | ".join(cells) + " |")


def _times(found: Forecast) -> float:
    return found.auditing / (found.seconds - found.auditing)


if __name__ == "__main__":
    main()
