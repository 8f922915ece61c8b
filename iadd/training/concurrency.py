"""Chooses how many networks of one architecture to train together."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, UntypedStorage, nn
from torch.autograd.graph import saved_tensors_hooks

_SHARE_OF_MEMORY = 0.5


def networks_at_once(
    requested: int, *, networks: Sequence[nn.Module], images: int, shape: tuple[int, int, int]
) -> int:
    """Choose how many networks to train together.

    On a CPU one at a time: one network alone keeps the cores busy, and the grouped convolution of
    five took 1.1 to 1.4 times their processor time (widths 16 to 128, 9 to 60 images of 56 or 112
    pixels; only four images of 32 pixels gained, a fifth). Where other programs compete for the
    cores, fewer and larger operations may still end sooner: ``benchmarks/evaluation.py`` shows it.
    A GPU that one small network leaves idle takes as many as fill at most half of its free memory,
    estimated from what one image keeps for the reverse pass.

    Args:
        requested: ``networks_at_once`` of the settings; 0 chooses.
        networks: All that are to be trained, on the device.
        images: Images per network and step.
        shape: C, H, W of an image.

    Returns:
        1 to ``len(networks)``.
    """
    if requested:
        return min(requested, len(networks))
    device = next(networks[0].parameters()).device
    if device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(device)
    each = images * bytes_for_reverse_pass(networks[0], shape)
    return as_many_as_fit(len(networks), free=free, each=each)


def as_many_as_fit(networks: int, *, free: int, each: int) -> int:
    """Return how many of the networks fill at most half of the free memory; one at least.

    Args:
        networks: All that there are.
        free: Bytes that the device has free.
        each: Bytes that one network keeps for its reverse pass.
    """
    return max(1, min(networks, int(free * _SHARE_OF_MEMORY / each)))


def bytes_for_reverse_pass(network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Count the bytes that one image keeps in memory between forward and reverse pass.

    Args:
        network: Gives the architecture; nothing is computed.
        shape: C, H, W of the image.
    """
    kept: dict[int, UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage  # one that two operations read counts once
        return tensor

    clone = copy.deepcopy(network).to("meta")
    own = {parameter.untyped_storage()._cdata for parameter in clone.parameters()}
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        clone(torch.empty(1, *shape, device="meta"))
    return sum(storage.nbytes() for storage in kept.values())
