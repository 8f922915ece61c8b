"""Which networks may be trained with differential privacy: those that look at each image alone.

A layer passes only if it is known to; what is not on the list is refused. Types are compared by
``isinstance``: a subclass of batch norm is refused, and our own subclasses of allowed layers pass.
Gradients are computed for each unit alone anyway (:mod:`iadd.dp.private_data`), so that the list is
a second lock: it keeps out state that would remember images, such as running statistics.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.instancenorm import _InstanceNorm

from iadd.config import ConfigError

_ALLOWED = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.Linear,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.ReLU,
    nn.LeakyReLU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.Flatten,
    nn.Identity,
)


class LayerNotAllowedError(ConfigError):
    """A network has a layer that may mix images or remember them."""


def check_layers(network: nn.Module) -> None:
    """Check every layer against the list.

    Raises:
        LayerNotAllowedError: For the first that is not on it, and for any buffer.
    """
    for name, module in network.named_modules():
        where = f"{name or 'the network'} ({type(module).__name__})"
        if isinstance(module, _NormBase) and not (
            isinstance(module, _InstanceNorm) and not module.track_running_stats
        ):
            raise LayerNotAllowedError(
                f"{where} normalises with statistics of other images: differential privacy needs "
                "GroupNorm, LayerNorm or InstanceNorm without running statistics."
            )
        own_state = any(True for _ in module.parameters(recurse=False))
        known = isinstance(module, (*_ALLOWED, _InstanceNorm))
        # A module of layers alone, such as a block, passes with its layers.
        if not known and (own_state or next(module.children(), None) is None):
            raise LayerNotAllowedError(
                f"{where} is not known to look at each image alone: differential privacy allows "
                f"{', '.join(kind.__name__ for kind in _ALLOWED)} and InstanceNorm."
            )
        if any(True for _ in module.buffers(recurse=False)):
            raise LayerNotAllowedError(
                f"{where} keeps a state beside its parameters: differential privacy bounds the "
                "parameters alone."
            )


@torch.no_grad()
def biases_without_effect(network: nn.Module, image_shape: tuple[int, int, int]) -> set[str]:
    """Find the biases of convolutions that a following norm takes away again.

    Their gradient is zero up to rounding, so that noise alone would move them: they stay as they
    are. Found by running the network on noise and comparing what goes out with what comes in.

    Args:
        network: Any network.
        image_shape: (C, H, W).

    Returns:
        Names of parameters.
    """
    outputs: dict[int, str] = {}
    # Kept alive, since Python gives the identity of a freed tensor to the next.
    kept: list[Tensor] = []
    found: set[str] = set()

    def after_convolution(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, __: object, output: Tensor) -> None:
            kept.append(output)
            outputs[id(output)] = f"{name}.bias"

        hooks.append(module.register_forward_hook(hook))

    def before_norm(module: nn.Module) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if id(inputs[0]) in outputs:
                found.add(outputs[id(inputs[0])])

        hooks.append(module.register_forward_pre_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.bias is not None:
            after_convolution(name, module)
        each_channel = isinstance(module, nn.GroupNorm) and (
            module.num_groups == module.num_channels
        )
        if each_channel or isinstance(module, _InstanceNorm):
            before_norm(module)
    try:
        device = next(network.parameters()).device
        network(torch.randn(2, *image_shape, generator=torch.Generator().manual_seed(0)).to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return found
