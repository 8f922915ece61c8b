"""How many steps a run has is known before it starts."""

import pytest

from iadd.counts import images_per_epoch, teaching_passes, teaching_steps, validations
from iadd.presets import cpu_demo


def test_flat_teachers_take_two_gradients_a_step() -> None:
    plain = cpu_demo()
    flat = plain.override({"teacher_flatness": 0.05})
    assert teaching_passes(flat, 100) == 2 * teaching_passes(plain, 100)
    assert teaching_steps(flat, 100) == 2 * teaching_steps(plain, 100)


def test_a_balanced_epoch_shows_as_many_of_each_class_as_the_smallest_has() -> None:
    config = cpu_demo()
    counts = {"rare": 10, "common": 90}
    assert images_per_epoch(config, counts) == 20
    assert images_per_epoch(config.override({"teacher_sampling": "all"}), counts) == 100


@pytest.mark.parametrize(("every", "expected"), [(0, 0), (3, 4), (4, 4), (100, 2)])
def test_validations_are_counted_with_the_first_and_the_last(every: int, expected: int) -> None:
    config = cpu_demo().override({"iterations": 9, "validate_every": every})
    assert validations(config) == expected
