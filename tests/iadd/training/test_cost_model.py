"""The computation of a run is counted before it starts."""

import pytest
import torch

from iadd.config import Config, DistillationConfig, Method, NetworkConfig, TeacherConfig
from iadd.counts import condensing_passes
from iadd.data.normalisation import Normalisation
from iadd.distillation.condensation import Condensation
from iadd.distillation.distances import WeightedDistance
from iadd.distillation.matching import matching_gradients
from iadd.networks.build import build_network, flatten_parameters
from iadd.presets import cpu_demo
from iadd.runtime.flops import count_flops
from iadd.training.cost_model import forward_flops, matching_flops
from tests.fixtures.squares import draw_squares


def test_an_image_costs_what_its_layers_do() -> None:
    network = NetworkConfig(depth=2, width=4)
    # A multiplication and an addition per tap, input and output channel, and pixel.
    layers = 1 * 4 * 9 * 8 * 8 + 4 * 4 * 9 * 4 * 4 + 4 * 2 * 2 * 3
    assert forward_flops(network, channels=1, classes=3, image_size=8) == 2 * layers


def test_counting_leaves_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    forward_flops(NetworkConfig(depth=1, width=5), channels=1, classes=2, image_size=8)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("batch", [0, 3])
def test_a_distillation_is_foreseen_as_it_is_counted(batch: int) -> None:
    config = Config(
        image_size=16,
        network=NetworkConfig(depth=3, width=16),
        distillation=DistillationConfig(
            images_per_class=2, iterations=7, syn_steps=3, syn_batch_size=batch
        ),
    )
    network = build_network(config.network, channels=1, classes=2, image_size=16, seed=0)
    start, size = flatten_parameters(network), batch or 4

    def iterate() -> None:
        matching_gradients(
            network,
            start,
            start + 0.1,
            torch.randn(4, 1, 16, 16),
            torch.tensor([0, 0, 1, 1]),
            [torch.arange(size)] * 3,
            torch.tensor(0.01),
            WeightedDistance(weights=torch.ones_like(start)),
        )

    counted = 7 * count_flops(iterate)
    foreseen = matching_flops(config, channels=1, classes=2)
    assert foreseen == pytest.approx(counted, rel=0.15)


def test_longer_runs_have_more_to_compute() -> None:
    config = cpu_demo().override({"warm_start_share": 0.0})
    once = matching_flops(config, channels=1, classes=3)
    twice = config.override({"iterations": 2 * config.distillation.iterations})
    assert matching_flops(twice, channels=1, classes=3) == 2 * once


@pytest.mark.parametrize("method", ["dm", "dc", "dsa"])
def test_comparisons_with_real_images_are_counted_as_they_are_computed(method: Method) -> None:
    images = draw_squares(40, 0, 0)
    config = Config(
        image_size=16,
        network=NetworkConfig(depth=3, width=16),
        teacher=TeacherConfig(teachers=1),
        distillation=DistillationConfig(
            method=method, images_per_class=2, iterations=1, real_batch_size=8, network_epochs=3
        ),
    )
    condensation = Condensation(
        method,
        images,
        torch.tensor([0, 0, 1, 1]),
        Normalisation.of(images.images),
        config,
        "cpu",
    )

    def iterate() -> None:
        small = torch.randn(4, 1, 16, 16)
        condensation.gradient(small, 0)
        condensation.train_network(small, 0)

    passes = condensing_passes(config, images.count_by_class())
    forward = forward_flops(config.network, channels=1, classes=2, image_size=16)
    assert passes * forward == pytest.approx(count_flops(iterate), rel=0.2)
