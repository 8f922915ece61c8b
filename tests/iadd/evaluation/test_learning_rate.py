"""A grid of learning rates grows while its best rate is the last one tried."""

from collections.abc import Callable, Sequence
from math import log10

import pytest

from iadd.evaluation.learning_rate import MOST_EXTENSIONS, RateSearch, search_rates

GRID = (0.001, 0.003, 0.01, 0.03)


def peak_at(best: float) -> Callable[[Sequence[float]], list[float]]:
    """Figures that fall with the distance from a rate."""
    return lambda rates: [-abs(log10(rate) - log10(best)) for rate in rates]


def test_a_best_rate_between_two_others_is_taken_as_it_is() -> None:
    assert search_rates(GRID, peak_at(0.009)) == RateSearch(best=0.01, tried=GRID, at_end=False)


@pytest.mark.parametrize(
    ("best", "found", "further"), [(0.1, 0.095, (0.3,)), (0.0003, 0.00032, (0.0001,))]
)
def test_the_grid_goes_on_in_half_decades_until_the_figure_falls(
    best: float, found: float, further: tuple[float, ...]
) -> None:
    search = search_rates(GRID, peak_at(best))
    assert search.best == found
    assert not search.at_end
    assert {*search.tried} == {*GRID, found, *further}


def test_what_rises_on_and_on_is_given_up_and_said() -> None:
    search = search_rates(GRID, lambda rates: list(rates))
    assert len(search.tried) == len(GRID) + MOST_EXTENSIONS
    assert search.best == max(search.tried) == 0.95
    assert search.at_end


def test_no_rate_is_tried_that_a_setting_may_not_have() -> None:
    search = search_rates((1, 5), lambda rates: list(rates))
    assert search.tried == (1, 5)
    assert search.at_end


def test_a_single_rate_leaves_no_choice() -> None:
    search = search_rates((0.01,), lambda rates: [0.5])
    assert search == RateSearch(best=0.01, tried=(0.01,), at_end=True)


def test_of_equal_rates_one_inside_comes_before_one_at_an_end_and_then_the_order_decides() -> None:
    assert search_rates((0.001, 0.01, 0.003, 0.03), lambda rates: [0.5] * len(rates)).best == 0.01


def test_each_further_rate_is_announced_before_it_is_tried() -> None:
    said: list[str] = []

    def reach(rates: Sequence[float]) -> list[float]:
        said.append(f"tried {len(rates)}")
        return peak_at(0.1)(rates)

    search_rates(GRID, reach, on_extension=lambda: said.append("announced"))
    assert said == ["tried 4", "announced", "tried 1", "announced", "tried 1"]


def test_the_outcome_is_plain_json() -> None:
    document = RateSearch(best=0.01, tried=(0.01, 0.03), at_end=True).to_dict()
    assert document == {"best": 0.01, "tried": [0.01, 0.03], "at_end": True}
