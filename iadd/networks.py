"""Networks by name, and their parameters as one vector θ (paper, eq. 3)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from iadd.config import NetworkConfig, Precision
from iadd.convnet import ConvNet
from iadd.layers import set_precision


def build_network(
    config: NetworkConfig,
    *,
    channels: int,
    classes: int,
    image_size: int,
    seed: int,
    precision: Precision = "float32",
) -> nn.Module:
    """Build a freshly initialised network.

    Args:
        config: Which network.
        channels: C of the images.
        classes: Number of logits.
        image_size: Side of the images, in pixels.
        seed: The initial parameters follow from it alone; the global generator is left as it was.
        precision: What its convolutions round their inputs to.
    """
    builders: dict[str, Callable[[], nn.Module]] = {
        "convnet": lambda: ConvNet(
            channels=channels,
            classes=classes,
            depth=config.depth,
            width=config.width,
            image_size=image_size,
        )
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = builders[config.network]()
    set_precision(network, precision)
    return network


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


def call_with(network: nn.Module, theta: Tensor, images: Tensor) -> Tensor:
    """Logits of a network whose parameters are θ, differentiable in θ and in the images.

    Args:
        network: Gives the form; its own parameters are not read.
        theta: (P,), in the order of ``network.parameters()``.
        images: (N, C, H, W), normalised.

    Returns:
        (N, classes).
    """
    names = (name for name, _ in network.named_parameters())
    logits: Tensor = functional_call(
        network, dict(zip(names, _split(network, theta), strict=True)), (images,)
    )
    return logits


def _split(network: nn.Module, theta: Tensor) -> Iterator[Tensor]:
    shapes = [p.shape for p in network.parameters()]
    parts = theta.split([shape.numel() for shape in shapes])
    return (part.view(shape) for part, shape in zip(parts, shapes, strict=True))
