"""The computation of a run is counted before it starts."""

import pytest
import torch

from iadd.config import Config, DistillationConfig, NetworkConfig
from iadd.distillation.matching import matching_gradients
from iadd.networks.build import build_network, flatten_parameters
from iadd.presets import cpu_demo
from iadd.runtime.flops import count_flops
from iadd.training.cost_model import (
    cross_network_cost,
    forward_flops,
    images_per_epoch,
    job_cost,
    matching_flops,
    validations,
)


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
            torch.ones_like(start),
        )

    counted = 7 * count_flops(iterate)
    foreseen = matching_flops(config, channels=1, classes=2)
    assert foreseen == pytest.approx(counted, rel=0.15)


def test_longer_runs_have_more_to_compute() -> None:
    config = cpu_demo()
    once = matching_flops(config, channels=1, classes=3)
    twice = config.override({"iterations": 2 * config.distillation.iterations})
    assert matching_flops(twice, channels=1, classes=3) == 2 * once


def test_flat_teachers_take_two_gradients_a_step() -> None:
    plain = cpu_demo()
    flat = plain.override({"teacher_flatness": 0.05})
    teaching = [job_cost(c, classes=2, train=100)["teaching"] for c in (plain, flat)]
    assert teaching[1] == 2 * teaching[0]


def test_a_balanced_epoch_shows_as_many_of_each_class_as_the_smallest_has() -> None:
    config = cpu_demo()
    counts = {"rare": 10, "common": 90}
    assert images_per_epoch(config, counts) == 20
    assert images_per_epoch(config.override({"teacher_sampling": "all"}), counts) == 100


def test_other_networks_are_counted_in_passes_of_the_own_one() -> None:
    plain = cpu_demo().override({"baseline_lrs": [0.01, 0.03], "validation_networks": 2})
    config = plain.override({"cross_networks": ["convnet", "resnet18", "vgg11"]})
    work = cross_network_cost(config, small=6)
    assert list(work) == ["resnet18", "vgg11"]
    # Three networks are tested; two are tried at each rate, of which α is one more.
    for parts in work.values():
        assert parts["distilled"] / parts["random"] == pytest.approx((3 * 2 + 3) / (2 * 2 + 3))
    # On one core an image costs the narrow network 2.6 ms, a ResNet18 18 ms and a VGG11 67 ms.
    own = 6 * plain.evaluation.evaluation_epochs * (2 * 2 + 3)
    assert work["resnet18"]["random"] / own == pytest.approx(18 / 2.6, rel=0.2)
    assert work["vgg11"]["random"] / own == pytest.approx(67 / 2.6, rel=0.2)
    more = job_cost(config, classes=3, train=100)["evaluating"]
    alone = job_cost(plain, classes=3, train=100)["evaluating"]
    assert more - alone == pytest.approx(sum(sum(parts.values()) for parts in work.values()))


@pytest.mark.parametrize(("every", "expected"), [(0, 0), (3, 4), (4, 4), (100, 2)])
def test_validations_are_counted_with_the_first_and_the_last(every: int, expected: int) -> None:
    config = cpu_demo().override({"iterations": 9, "validate_every": every})
    assert validations(config) == expected
