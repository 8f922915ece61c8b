"""The range of a distilled set is measured on random images and on all, for a bounded time."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from iadd.cli import app
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.forecast.utility import (
    NoTimeError,
    UtilityForecast,
    forecast_utility,
    utility_interval,
)
from iadd.runtime.progress import Progress
from tests.fixtures.noisy_pictures import write_noisy_pictures
from tests.iadd.factories import make_images


class Clock:
    """A clock that goes on by itself a little with each look."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


@pytest.fixture
def images() -> ImageSet:
    return make_images(per_class=24)


@pytest.fixture
def learning(config: Config) -> Config:
    """Settings of which each phase takes some steps."""
    return config.override({"evaluation_epochs": 5, "full_epochs": 10, "baseline_lrs": (0.05,)})


def forecast_in(
    images: ImageSet, config: Config, *, seconds: float, tick: float = 1e-4
) -> UtilityForecast:
    return forecast_utility(images, config, seconds=seconds, clock=Clock(tick))


def test_random_sets_of_every_size_that_there_is_and_all_images(
    images: ImageSet, learning: Config
) -> None:
    found = forecast_in(images, learning, seconds=1000)
    # The smallest class has 16 training images.
    assert [point.per_class for point in found.random] == [1, 2, 5, 10]
    assert [point.images for point in found.random] == [2, 4, 10, 20]
    assert found.left_out == ()
    assert found.full is not None
    assert (found.full.images, found.full.per_class) == (32, None)
    assert found.full.epochs == found.full_epochs == 10
    for point in (*found.random, found.full):
        low, high = point.interval
        assert 0 <= low <= point.balanced_accuracy <= high <= 1
        assert low < high


def test_the_jobs_own_size_comes_first_and_what_does_not_fit_is_named(
    images: ImageSet, learning: Config
) -> None:
    config = learning.override({"images_per_class": 3})
    # The own size takes some 20 looks at the clock, and all images as many as fit.
    found = forecast_in(images, config, seconds=50, tick=1.0)
    assert 3 in {point.per_class for point in found.random}
    assert found.left_out[-1] == 10


def test_all_images_get_as_many_passes_as_fit(images: ImageSet, learning: Config) -> None:
    config = learning.override({"full_epochs": 1000})
    found = forecast_in(images, config, seconds=200, tick=1.0)
    assert found.full is not None
    assert 1 <= found.full.epochs < found.full_epochs == 1000


def test_too_little_time_is_refused_with_advice(images: ImageSet, learning: Config) -> None:
    with pytest.raises(NoTimeError, match="allow more time"):
        forecast_in(images, learning, seconds=2, tick=1.0)


def test_no_test_image_is_read(images: ImageSet, learning: Config) -> None:
    blank = images.images.clone()
    blank[images.split == 2] = 0
    blanked = replace(images, images=blank)
    found, again = (forecast_in(one, learning, seconds=1000) for one in (images, blanked))
    assert found == again


def test_a_class_needs_two_validation_images(images: ImageSet, learning: Config) -> None:
    split = images.split.clone()
    only = ((split == 1) & (images.labels == 1)).nonzero().squeeze(1)
    split[only[1:]] = 0
    with pytest.raises(ValueError, match="Class square has 1 validation images"):
        forecast_in(replace(images, split=split), learning, seconds=1000)


def test_fewer_test_images_make_the_interval_wider(images: ImageSet, learning: Config) -> None:
    many = forecast_in(images, learning, seconds=1000).random[-1]
    split = images.split.clone()
    split[((split == 1).nonzero().squeeze(1))[4:]] = 2
    few = forecast_in(replace(images, split=split), learning, seconds=1000).random[-1]
    assert few.interval[1] - few.interval[0] > many.interval[1] - many.interval[0]


def test_an_interval_holds_the_spread_of_networks_and_of_test_images() -> None:
    labels = torch.arange(20) % 2
    right = torch.nn.functional.one_hot(labels, 2).float()
    wrong = right.clone()
    wrong[[0, 1, 2, 3]] = right[[1, 0, 3, 2]]

    def interval(*predictions: torch.Tensor) -> tuple[float, float]:
        scores = [Scores.of(one, labels) for one in predictions]
        return utility_interval(Evaluation(scores, ("a", "b"), 0.01, 1, 4))

    # Recalls (10 + 1)/(10 + 2): 1.95996 · √(2 · (11/12 · 1/12)/10 / 4) = 0.12113.
    assert interval(right, right) == pytest.approx((1 - 0.12113, 1.0), abs=1e-5)
    # Networks reach 1.0 and 0.8: 0.9 ± √((12.7062 · 0.1)² + …), which leaves nothing out.
    assert interval(right, wrong) == (0.0, 1.0)
    # Ten networks: t is 2.26216, the deviation 0.10541; recalls (9 + 1)/12.
    networks = math.hypot(2.26216 * 0.10541 / math.sqrt(10), 1.95996 * math.sqrt(0.13889 / 20))
    found = interval(*[right, wrong] * 5)
    assert found == pytest.approx((0.9 - networks, 1.0), abs=1e-4)


def test_progress_is_reported(images: ImageSet, config: Config) -> None:
    reports: list[Progress] = []
    forecast_utility(images, config, seconds=1000, on_progress=reports.append)
    assert {report.phase for report in reports} == {"evaluating"}


TINY = [
    *("--preset", "cpu_demo", "--device", "cpu", "--threads", "1", "--set", "image_size=16"),
    *("--set", "depth=2", "--set", "width=4", "--set", "evaluation_epochs=2"),
    *("--set", "evaluation_networks=2", "--set", "full_epochs=1", "--set", "teacher_epochs=4"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noisy_pictures(tmp_path / "xrays", each=40)


@pytest.mark.slow
def test_the_command_says_between_what_a_distilled_set_lies(folder: Path) -> None:
    result = CliRunner().invoke(app, ["forecast", str(folder), "--utility", *TINY])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "A distilled set of 2 images per class is worth its price" in said
    assert "the test images were not read" in said


def test_the_command_refuses_what_it_cannot_measure(folder: Path) -> None:
    without = CliRunner().invoke(app, ["forecast", "--images", "60", "--utility", *TINY])
    assert without.exit_code == 1
    assert "name the folder" in " ".join(without.output.split())
    proven = ["forecast", str(folder), "--utility", "--preset", "cpu_dp", "--device", "cpu"]
    result = CliRunner().invoke(app, proven)
    assert result.exit_code == 1
    assert "outside the ledger" in " ".join(result.output.split())
