"""Measure 1, 2 and 4 workers on tasks that wait, and check a queueing model against them.

    python -m benchmarks.scaling [--workers 1 2 4] [--seconds 0.5]

Two organisations have 24 and 6 tasks of the same length. The model has one number that is fitted:
the overhead of a task, from the run with one worker. The other runs check it. Then the model alone
answers for 100 organisations and 50 workers. Run it on a machine that does nothing else.
"""

import argparse
import random
import statistics
from collections.abc import Sequence

from benchmarks.scaling.measured import measure
from benchmarks.scaling.model import Arrival, Served, simulate

COUNTS = {"many": 24, "few": 6}
ORGANISATIONS, WORKERS = 100, 50
DAYS = 5
LOAD = 0.9
"""Share of the workers' time that is asked for."""
TASK_HOURS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Teachers, repetitions, evaluations and distillations; each as likely as the others."""
GREEDY = 0.5
"""Share of all tasks that one of the organisations asks for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=0.5, help="length of each task")
    arguments = parser.parse_args()
    total = sum(COUNTS.values())
    arrivals = [
        Arrival(0.0, name, arguments.seconds)
        for name, count in COUNTS.items()
        for _ in range(count)
    ]
    overhead: float | None = None
    print(
        "| workers | tasks a second | of the ideal | model | the few waited on average, s | model |"
    )
    print("|---|---|---|---|---|---|")
    for workers in arguments.workers:
        served = measure(COUNTS, seconds=arguments.seconds, workers=workers)
        took = _took(served)
        if overhead is None:
            overhead = max(0.0, took * workers / total - arguments.seconds)
        model = simulate(arrivals, workers=workers, overhead=overhead)
        ideal = workers / arguments.seconds
        cells = (
            str(workers),
            f"{total / took:.2f}",
            f"{total / took / ideal:.0%}",
            f"{total / _took(model) / ideal:.0%}",
            f"{_waited(served, 'few'):.2f}",
            f"{_waited(model, 'few'):.2f}",
        )
        print("| " + " | ".join(cells) + " |", flush=True)
    assert overhead is not None
    print(f"\nOverhead of a task: {1000 * overhead:.0f} ms.\n")
    _print_year(overhead)


def _print_year(overhead: float) -> None:
    """What the model says of a large installation, with turns and without."""
    arrivals = large_installation(random.Random(0))
    print(
        f"{ORGANISATIONS} organisations, {WORKERS} workers, {len(arrivals)} tasks in {DAYS} days, "
        f"half of them of one organisation, load {LOAD:.0%}:\n"
    )
    print("| turns | the others wait: median | 95 % | the greedy one waits: median | 95 % |")
    print("|---|---|---|---|---|")
    for fair, name in ((False, "first come, first served"), (True, "by turns")):
        served = simulate(arrivals, workers=WORKERS, overhead=overhead, fair=fair)
        others = [one.waited for one in served if one.arrival.organisation != "0"]
        greedy = [one.waited for one in served if one.arrival.organisation == "0"]
        cells = [name, *_quantiles(others), *_quantiles(greedy)]
        print("| " + " | ".join(cells) + " |", flush=True)


def large_installation(draw: random.Random) -> list[Arrival]:
    """Tasks of some days: Poisson arrivals by day, bursts of one organisation."""
    seconds = DAYS * 86400
    mean = statistics.mean(TASK_HOURS) * 3600
    count = int(LOAD * WORKERS * seconds / mean)
    arrivals = []
    for _ in range(int(count * (1 - GREEDY))):
        at = draw.uniform(0, seconds)
        organisation = str(draw.randrange(1, ORGANISATIONS))
        arrivals.append(Arrival(at, organisation, 3600 * draw.choice(TASK_HOURS)))
    for _ in range(int(count * GREEDY)):
        # All of a day's in its first hour.
        at = draw.randrange(DAYS) * 86400 + draw.uniform(0, 3600)
        arrivals.append(Arrival(at, "0", 3600 * draw.choice(TASK_HOURS)))
    return sorted(arrivals)


def _took(served: Sequence[Served]) -> float:
    return max(one.ended for one in served)


def _waited(served: Sequence[Served], organisation: str) -> float:
    return statistics.mean(one.waited for one in served if one.arrival.organisation == organisation)


def _quantiles(seconds: Sequence[float]) -> tuple[str, str]:
    quantiles = statistics.quantiles(seconds, n=100)
    return f"{quantiles[49] / 60:.1f} min", f"{quantiles[94] / 60:.1f} min"


if __name__ == "__main__":
    main()
