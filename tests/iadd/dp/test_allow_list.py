import pytest
import torch
from torch import nn

from iadd.config import ConfigError, NetworkConfig, NetworkName
from iadd.dp.allow_list import biases_without_effect, check_layers
from iadd.networks.build import build_network


class RenamedBatchNorm(nn.BatchNorm2d):
    """What a comparison of exact types lets through."""


class Remembering(nn.ReLU):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(1))


class Unknown(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images - images.mean(dim=0)


def _with(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), layer, nn.ReLU())


@pytest.mark.parametrize("name", ["convnet", "alexnet", "vgg11", "resnet18"])
def test_every_network_of_the_library_passes(name: NetworkName) -> None:
    network = build_network(
        NetworkConfig(network=name, depth=2, width=4), channels=1, classes=2, image_size=16, seed=0
    )
    check_layers(network)


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(4),
        RenamedBatchNorm(4),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4, track_running_stats=True),
        Remembering(),
        Unknown(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_mix_or_remember_images_are_refused(layer: nn.Module) -> None:
    with pytest.raises(ConfigError, match=type(layer).__name__):
        check_layers(_with(layer))


@pytest.mark.slow  # importing it takes seconds
def test_opacus_lets_the_renamed_batch_norm_pass() -> None:
    validators = pytest.importorskip("opacus.validators")
    assert not validators.ModuleValidator.validate(_with(RenamedBatchNorm(4)), strict=False)


def test_layers_that_look_at_one_image_pass() -> None:
    for layer in (nn.GroupNorm(2, 4), nn.InstanceNorm2d(4), nn.LayerNorm([4, 6, 6])):
        check_layers(_with(layer))


def test_biases_before_a_norm_have_no_effect_and_are_found() -> None:
    network = build_network(
        NetworkConfig(depth=2, width=4), channels=1, classes=2, image_size=8, seed=0
    )
    found = biases_without_effect(network, (1, 8, 8))
    assert found == {"blocks.0.conv.bias", "blocks.1.conv.bias"}
    images = torch.randn(3, 1, 8, 8)
    before = network(images)
    with torch.no_grad():
        for name in found:
            network.get_parameter(name).add_(1.0)
    assert torch.allclose(network(images), before, atol=1e-4)
    # Groups of several channels keep differences of biases.
    kept = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4))
    assert not biases_without_effect(kept, (1, 8, 8))
