"""Where nothing was measured, the proportions of a job are counted in image passes."""

import pytest

from iadd.forecast.arithmetic import Job, figure_seconds, forecast_job
from iadd.forecast.nominal import nominal_benchmark
from iadd.presets import cpu_demo

COUNTS = {name: {"train": 50, "validation": 0, "test": 0} for name in ("a", "b", "c")}


def test_other_networks_are_counted_in_passes_of_the_own_one() -> None:
    plain = cpu_demo().override({"baseline_lrs": [0.01, 0.03], "validation_networks": 2})
    config = plain.override({"cross_networks": ["convnet", "resnet18", "vgg11"]})
    figures = figure_seconds(nominal_benchmark(config), Job.of(config, COUNTS))
    others = {network for network, _ in figures} - {""}
    assert others == {"resnet18", "vgg11"}
    # Three networks are tested; two are tried at each rate, of which α is one more.
    for name in others:
        share = figures[name, "distilled"] / figures[name, "random"]
        assert share == pytest.approx((3 * 2 + 3) / (2 * 2 + 3))
    # On one core an image costs the narrow network 2.6 ms, a ResNet18 18 ms and a VGG11 67 ms.
    own = 6 * plain.evaluation.evaluation_epochs * (2 * 2 + 3)
    assert figures["resnet18", "random"] / own == pytest.approx(18 / 2.6, rel=0.2)
    assert figures["vgg11", "random"] / own == pytest.approx(67 / 2.6, rel=0.2)
    more, alone = (
        forecast_job(nominal_benchmark(one), Job.of(one, COUNTS)).statuses["evaluating"]
        for one in (config, plain)
    )
    added = sum(seconds for (network, _), seconds in figures.items() if network)
    assert more - alone == pytest.approx(added)
