"""The queueing model serves by the service's own turns, and real workers do as it says."""

import random

import pytest

from benchmarks.scaling.__main__ import large_installation
from benchmarks.scaling.measured import measure
from benchmarks.scaling.model import Arrival, simulate


def arrivals(counts: dict[str, int], seconds: float = 1.0) -> list[Arrival]:
    return [Arrival(0.0, name, seconds) for name, count in counts.items() for _ in range(count)]


def test_one_worker_takes_turns_between_organisations() -> None:
    served = simulate(arrivals({"many": 4, "few": 2}), workers=1)
    assert [one.arrival.organisation for one in served] == ["few", "many"] * 2 + ["many"] * 2
    assert [one.begun for one in served] == [0, 1, 2, 3, 4, 5]


def test_without_turns_the_first_of_a_crowd_is_served_first() -> None:
    crowd = [Arrival(0.0, "many", 1.0)] * 5
    served = simulate([*crowd, Arrival(0.5, "few", 1.0)], workers=1, fair=False)
    assert served[-1].arrival.organisation == "few"
    served = simulate([*crowd, Arrival(0.5, "few", 1.0)], workers=1)
    assert served[1].arrival.organisation == "few"


def test_twice_the_workers_take_half_the_time_but_for_the_overhead() -> None:
    work = arrivals({"one": 8})
    alone = max(one.ended for one in simulate(work, workers=1, overhead=0.25))
    both = max(one.ended for one in simulate(work, workers=2, overhead=0.25))
    assert (alone, both) == (10.0, 5.0)


def test_every_task_is_served_once() -> None:
    work = [one for one in large_installation(random.Random(1)) if one.at < 86400]
    served = simulate(work, workers=50)
    assert sorted(one.arrival for one in served) == work
    assert all(one.waited >= 0 for one in served)


@pytest.mark.slow
def test_real_workers_serve_every_task_and_let_the_few_pass() -> None:
    served = measure({"many": 6, "few": 2}, seconds=0.2, workers=1)
    assert [one.arrival.organisation for one in served].count("few") == 2
    assert "few" in [one.arrival.organisation for one in served[:3]]
    assert len(served) == 8
