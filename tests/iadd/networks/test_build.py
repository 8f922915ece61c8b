"""The paper's networks (section 4.4): their size, and the requirements of the matching loss."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, jvp, vmap

from iadd.config import NetworkConfig, NetworkName
from iadd.networks.base import Classifier
from iadd.networks.build import build_network, call_with, flatten_parameters
from iadd.networks.layers import Convolution, InstanceNorm

NAMES: tuple[NetworkName, ...] = ("convnet", "alexnet", "vgg11", "resnet18")


def build(
    name: NetworkName, *, channels: int = 1, classes: int = 3, image_size: int = 16, seed: int = 0
) -> Classifier:
    config = NetworkConfig(network=name, depth=2, width=4)
    return build_network(
        config, channels=channels, classes=classes, image_size=image_size, seed=seed
    )


@pytest.mark.parametrize("size", [16, 28, 64, 112, 224])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_takes_any_image_and_class_count(name: NetworkName, size: int) -> None:
    network = build(name, channels=3, classes=7, image_size=size)
    images = torch.randn(1, 3, size, size)
    with torch.no_grad():
        features = network.features(images)
        assert features.shape == (1, network.classifier.in_features)
        logits = network(images)
    assert logits.shape == (1, 7)
    torch.testing.assert_close(network.classifier(features), logits)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # Weights and biases by hand: convolutions, two per filter for each norm, the last layer.
        ("alexnet", 3_200 + 614_400 + 442_368 + 442_368 + 331_776 + 3 * 960 + 30_720 + 10),
        ("vgg11", 9 * (64 + 8_192 + 32_768 + 65_536 + 131_072 + 3 * 262_144) + 3 * 2_752 + 5_130),
        # The library's own count for three channels, less two channels of the stem.
        ("resnet18", 11_173_962 - 2 * 9 * 64),
    ],
)
def test_a_network_has_the_parameters_of_the_literature(name: NetworkName, parameters: int) -> None:
    theta = flatten_parameters(build(name, channels=1, classes=10, image_size=32))
    assert len(theta) == parameters


@pytest.mark.parametrize("name", ["alexnet", "vgg11", "resnet18"])
def test_the_classifier_stays_small_where_images_are_large(name: NetworkName) -> None:
    small, large = build(name, image_size=32), build(name, image_size=112)
    assert large.classifier.in_features == small.classifier.in_features


@pytest.mark.parametrize("name", NAMES)
def test_every_convolution_and_norm_is_the_shared_one(name: NetworkName) -> None:
    network = build(name)
    layers = [m for m in network.modules() if type(m).__module__.startswith("torch.nn.modules")]
    assert not any(isinstance(m, torch.nn.Conv2d | torch.nn.GroupNorm) for m in layers)
    convolutions = [m for m in network.modules() if isinstance(m, Convolution)]
    assert len(convolutions) == len([m for m in network.modules() if isinstance(m, InstanceNorm)])
    assert not list(network.buffers())


@pytest.mark.parametrize("size", [8, 16, 20, 32])
@pytest.mark.parametrize("name", NAMES)
def test_no_norm_is_left_a_single_pixel(name: NetworkName, size: int) -> None:
    network = build(name, image_size=size)
    sides: list[int] = []
    for module in network.modules():
        if isinstance(module, InstanceNorm):
            module.register_forward_hook(lambda _, seen, __: sides.append(seen[0].shape[-1]))
    network(torch.randn(2, 1, size, size))
    assert min(sides) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_functional_call_is_the_network_itself_in_float64(name: NetworkName) -> None:
    network = build(name).double()
    images = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    expected = network(images)
    named: dict[str, Tensor] = dict(network.named_parameters())
    assert torch.equal(functional_call(network, named, (images,)), expected)
    assert torch.equal(call_with(network, flatten_parameters(network), images), expected)


@pytest.mark.parametrize("name", NAMES)
def test_two_ways_to_the_second_derivative_of_the_loss_agree(name: NetworkName) -> None:
    network = build(name, image_size=8).double()
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(1, 1, 8, 8, dtype=torch.float64, generator=generator)
    theta = flatten_parameters(network).requires_grad_()
    direction = torch.randn(theta.shape, dtype=torch.float64, generator=generator)

    def loss(at: Tensor) -> Tensor:
        return F.cross_entropy(call_with(network, at, images), torch.tensor([1]))

    (first,) = torch.autograd.grad(loss(theta), theta, create_graph=True)
    (twice,) = torch.autograd.grad(first @ direction, theta)
    # φ, the forward-mode derivative that the matching loss is built from, differentiated once.
    slope: Tensor = jvp(loss, (theta,), (direction,))[1]
    (mixed,) = torch.autograd.grad(slope, theta)
    assert twice.norm() > 0
    assert (mixed - twice).norm() < 1e-9 * twice.norm()


@pytest.mark.parametrize("name", NAMES)
def test_vmap_over_networks_is_each_network_alone(name: NetworkName) -> None:
    networks = [build(name, seed=seed).double() for seed in (1, 2)]
    images = torch.randn(2, 2, 1, 16, 16, dtype=torch.float64)
    thetas = torch.stack([flatten_parameters(network) for network in networks])
    together = vmap(lambda theta, seen: call_with(networks[0], theta, seen))(thetas, images)
    alone = torch.stack([network(seen) for network, seen in zip(networks, images, strict=True)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_parameters(name: NetworkName) -> None:
    first = flatten_parameters(build(name, seed=1))
    assert torch.equal(first, flatten_parameters(build(name, seed=1)))
    assert not torch.equal(first, flatten_parameters(build(name, seed=2)))


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_rounds_the_convolutions_and_keeps_the_rest_in_float32(
    name: NetworkName,
) -> None:
    config = NetworkConfig(network=name, depth=2, width=4)
    exact, rounded = (
        build_network(config, channels=1, classes=3, image_size=16, seed=0, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    images = torch.randn(2, 1, 16, 16)
    difference = (exact(images) - rounded(images)).norm() / exact(images).norm()
    assert rounded(images).dtype == torch.float32
    assert 1e-5 < difference < 0.1
