"""The part of ``report.json`` about W: its spread, and its means over the layers.

No weight of a single parameter is in it: a histogram, and means over a layer.
"""

from typing import Any

import torch
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.distillation.importance import is_collapsed
from iadd.networks.build import build_architecture, layers_of
from iadd.networks.layers import Convolution, InstanceNorm

_BINS = 60
_FEWEST = 16
"""Parameters of a layer whose smallest weight is given; of fewer it would be nearly all of them."""
_KINDS = ((Convolution, "Convolution"), (InstanceNorm, "Norm"))

Json = dict[str, Any]


def importance_json(distilled: DistilledDataset) -> Json | None:
    """Return ``importance_weights`` of the document; None where no weights were kept."""
    weights = distilled.importance_weights
    if weights is None:
        return None
    values = weights.double()
    low, high = values.min().item(), values.max().item()
    counts, edges = torch.histogram(values, bins=_BINS, range=(low, max(high, low + 1e-9)))
    return {
        "method": distilled.config.distillation.method,
        "parameters": len(values),
        "min": low,
        "mean": values.mean().item(),
        "max": high,
        "std": values.std().item(),
        "collapsed": distilled.config.distillation.method == "iadd" and is_collapsed(weights),
        "histogram": {"edges": edges.tolist(), "counts": counts.int().tolist()},
        "layers": _layers(distilled, values),
    }


def network_of(distilled: DistilledDataset, config: Config | None = None) -> nn.Module:
    """Build a network of the kind that the set was distilled with, or that `config` names."""
    config = config or distilled.config
    return build_architecture(
        config, channels=distilled.images.shape[1], classes=len(distilled.classes)
    )


def _layers(distilled: DistilledDataset, weights: Tensor) -> list[Json]:
    """Section 4.3 of the paper: W beside |θ_J − θ*|, both as means over each parameter tensor."""
    network = network_of(distilled)
    titles = _titles(network)
    difference = distilled.difference
    return [
        {
            "name": name,
            "title": titles[name],
            "parameters": part.stop - part.start,
            "mean": weights[part].mean().item(),
            "min": weights[part].min().item() if part.stop - part.start >= _FEWEST else None,
            "difference": None if difference is None else difference[part].double().mean().item(),
        }
        for name, part in layers_of(network)
    ]


def _titles(network: nn.Module) -> dict[str, str]:
    """Name each parameter tensor for people: Convolution 3 bias."""
    titles: dict[str, str] = {}
    numbers = {kind: 0 for kind, _ in _KINDS}
    for name, module in network.named_modules():
        called = "Classifier"
        for kind, word in _KINDS:
            if isinstance(module, kind):
                numbers[kind] += 1
                called = f"{word} {numbers[kind]}"
        for parameter, _ in module.named_parameters(recurse=False):
            titles[f"{name}.{parameter}"] = f"{called} {parameter}"
    return titles
