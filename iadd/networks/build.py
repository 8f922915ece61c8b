"""Builds networks by name, and handles their parameters as one vector θ (paper, eq. 3)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from iadd.config import Config, NetworkConfig, Precision
from iadd.networks.alexnet import AlexNet
from iadd.networks.base import Classifier
from iadd.networks.convnet import ConvNet
from iadd.networks.layers import set_precision
from iadd.networks.resnet import ResNet18
from iadd.networks.vgg import VGG11


def build_network(
    config: NetworkConfig,
    *,
    channels: int,
    classes: int,
    image_size: int,
    seed: int,
    precision: Precision = "float32",
) -> Classifier:
    """Build a freshly initialised network.

    Args:
        config: Architecture of the network.
        channels: C of the images.
        classes: Number of logits.
        image_size: Side of the images, in pixels.
        seed: Determines the initial parameters; the global generator is left unchanged.
        precision: Precision that its convolutions round their inputs to.
    """
    builders: dict[str, Callable[[], Classifier]] = {
        "convnet": lambda: ConvNet(
            channels=channels,
            classes=classes,
            depth=config.depth,
            width=config.width,
            image_size=image_size,
        ),
        "alexnet": lambda: AlexNet(channels=channels, classes=classes, image_size=image_size),
        "vgg11": lambda: VGG11(channels=channels, classes=classes, image_size=image_size),
        "resnet18": lambda: ResNet18(channels=channels, classes=classes, image_size=image_size),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = builders[config.network]()
    set_precision(network, precision)
    return network


def build_architecture(config: Config, *, channels: int, classes: int) -> Classifier:
    """Build the network of a run's settings, whose parameters are not read but replaced."""
    return build_network(
        config.network,
        channels=channels,
        classes=classes,
        image_size=config.image_size,
        seed=0,
        precision=config.compute.precision,
    )


def flatten_parameters(network: nn.Module) -> Tensor:
    """Copy a network's parameters into one vector θ, (P,)."""
    return torch.cat([p.detach().reshape(-1) for p in network.parameters()])


def load_parameters(network: nn.Module, theta: Tensor) -> None:
    """Copy θ, (P,), into a network's parameters."""
    with torch.no_grad():
        for (_, parameter), part in zip(
            network.named_parameters(), _split(network, theta), strict=True
        ):
            parameter.copy_(part)


def layers_of(network: nn.Module) -> list[tuple[str, slice]]:
    """Return the name of every parameter tensor and its slice of θ, in the order of θ."""
    layers, first = [], 0
    for name, parameter in network.named_parameters():
        layers.append((name, slice(first, first + parameter.numel())))
        first += parameter.numel()
    return layers


def call_with(
    network: nn.Module,
    theta: Tensor,
    images: Tensor,
    *,
    memory_format: torch.memory_format | None = None,
) -> Tensor:
    """Compute the logits of a network at parameters θ, differentiable in θ and in the images.

    Args:
        network: Gives the architecture; its own parameters are not read.
        theta: (P,), in the order of ``network.parameters()``.
        images: (N, C, H, W), normalised.
        memory_format: Layout of the images and of the convolutions' weights; unchanged unless
            given.

    Returns:
        (N, classes).
    """
    parameters = {
        name: _in_format(part, memory_format)
        for (name, _), part in zip(network.named_parameters(), _split(network, theta), strict=True)
    }
    logits: Tensor = functional_call(network, parameters, (_in_format(images, memory_format),))
    return logits


def _in_format(tensor: Tensor, memory_format: torch.memory_format | None) -> Tensor:
    if memory_format is None or tensor.ndim != 4:
        return tensor
    return tensor.contiguous(memory_format=memory_format)


def _split(network: nn.Module, theta: Tensor) -> Iterator[Tensor]:
    shapes = [p.shape for p in network.parameters()]
    parts = theta.split([shape.numel() for shape in shapes])
    return (part.view(shape) for part, shape in zip(parts, shapes, strict=True))
