import pytest
import torch
from torch import nn

from iadd.config import NetworkConfig
from iadd.networks.build import build_network, call_with, flatten_parameters, load_parameters
from iadd.networks.convnet import ConvNet


def test_convnetd5_has_as_many_parameters_as_the_design_says() -> None:
    network = ConvNet(channels=1, classes=4, depth=5, width=128, image_size=112)
    assert len(flatten_parameters(network)) == 597_508


def test_a_block_is_convolution_instance_norm_relu_and_pooling() -> None:
    network = ConvNet(channels=1, classes=3, depth=1, width=4, image_size=8)
    images = torch.randn(2, 1, 8, 8)
    conv, norm = network.blocks[0].conv, network.blocks[0].norm
    expected = nn.functional.conv2d(images, conv.weight, conv.bias, padding=1)
    mean = expected.mean(dim=(2, 3), keepdim=True)
    std = (expected.var(dim=(2, 3), keepdim=True, correction=0) + norm.eps).sqrt()
    expected = ((expected - mean) / std).clamp(min=0)
    expected = expected.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-1, -2))
    torch.testing.assert_close(network.features(images), expected.flatten(1))


@pytest.mark.parametrize(("depth", "width", "size"), [(1, 1, 8), (3, 16, 32), (5, 2, 112)])
def test_depth_and_width_are_free(depth: int, width: int, size: int) -> None:
    network = ConvNet(channels=1, classes=5, depth=depth, width=width, image_size=size)
    assert network(torch.zeros(2, 1, size, size)).shape == (2, 5)


def test_parameters_as_one_vector_mean_the_same_network() -> None:
    network = ConvNet(channels=1, classes=3, depth=2, width=4, image_size=8)
    other = ConvNet(channels=1, classes=3, depth=2, width=4, image_size=8)
    images, theta = torch.randn(2, 1, 8, 8), flatten_parameters(network)
    torch.testing.assert_close(call_with(other, theta, images), network(images))
    load_parameters(other, theta)
    torch.testing.assert_close(other(images), network(images))


def test_a_seed_means_the_same_start_and_leaves_the_global_generator_alone() -> None:
    config = NetworkConfig(depth=2, width=4)

    def theta(seed: int) -> torch.Tensor:
        return flatten_parameters(
            build_network(config, channels=1, classes=3, image_size=8, seed=seed)
        )

    state = torch.get_rng_state()
    assert torch.equal(theta(1), theta(1))
    assert not torch.equal(theta(1), theta(2))
    assert torch.equal(torch.get_rng_state(), state)
