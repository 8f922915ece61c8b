"""torchvision's ResNet50 (He et al., 2016), fresh or with ImageNet's weights (paper, Table 4).

It has batch norm, whose running statistics are no parameters: it is trained by itself
(:mod:`iadd.evaluation.resnet50`) and is no network to distill with. torchvision is imported where
it is used, since that takes a second.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from iadd.data.normalisation import Normalisation

IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Normalisation of the images that the weights were learned from, in three channels."""

_SECONDS = 20.0
_HEAD = "fc."


class WeightsError(ValueError):
    """Weights are not to be had, or are not a ResNet50's. The message says what to do."""


def build_resnet50(
    *, classes: int, seed: int, weights: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """Build a ResNet50 with a fresh last layer.

    Args:
        classes: Number of logits.
        seed: Determines the initial parameters; the global generator is left unchanged.
        weights: Result of :func:`load_weights`; all parameters are fresh unless given.

    Returns:
        Maps images (N, 3, H, W), normalised by ``IMAGENET``, to logits (N, classes).

    Raises:
        WeightsError: When the weights are not a ResNet50's.
    """
    from torchvision.models import resnet50

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = resnet50(weights=None, num_classes=classes)
    if weights is None:
        return network
    # ImageNet's 1,000 classes are not ours.
    fresh = {name: part for name, part in network.state_dict().items() if name.startswith(_HEAD)}
    body = {name: part for name, part in weights.items() if not name.startswith(_HEAD)}
    try:
        network.load_state_dict({**body, **fresh})
    except RuntimeError as error:
        raise WeightsError(
            "The weights are not those of torchvision's ResNet50: name a file such as "
            "resnet50-0676ba61.pth."
        ) from error
    return network


def load_weights(path: Path | None = None) -> dict[str, Tensor]:
    """Load ImageNet's weights from a file, or as torchvision does (``IMAGENET1K_V1``).

    torchvision looks into ``$TORCH_HOME/hub/checkpoints``, downloads what is not there, and checks
    its hash.

    Args:
        path: A file of torchvision's (``.pth``) or of the same tensors (``.safetensors``). Nothing
            in it is run.

    Raises:
        WeightsError: When neither is to be had.
    """
    if path is not None:
        return _read(path)
    from torchvision.models import ResNet50_Weights

    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        with _at_most(_SECONDS):
            loaded: dict[str, Tensor] = weights.get_state_dict(
                progress=False, check_hash=True, weights_only=True, map_location="cpu"
            )
    except Exception as error:
        # A network fails with OSError, a damaged file or a wrong hash with RuntimeError, …
        name = weights.url.rpartition("/")[2]
        raise WeightsError(
            f"ImageNet's weights of ResNet50 are neither on this machine nor to be downloaded "
            f"({_first_line(error)}): name a file with --weights, or put {name} into "
            f"{Path(torch.hub.get_dir(), 'checkpoints')}."
        ) from error
    return loaded


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"There is no file {path}.") from error
    except (SafetensorError, Exception) as error:
        # torch.load of another file fails with UnpicklingError, EOFError, RuntimeError, …
        raise WeightsError(f"{path} holds no weights ({_first_line(error)}).") from error
    if not (isinstance(loaded, dict) and all(isinstance(part, Tensor) for part in loaded.values())):
        raise WeightsError(f"{path} holds something else than tensors by name.")
    return loaded


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Limit how long a connection may be silent: torchvision's download waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
