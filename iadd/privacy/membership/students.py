"""Students: networks trained on a small set, and what they say of single images.

Shapes: S students, R images, K classes, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from iadd.config import Config
from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.networks.build import build_network, flatten_parameters
from iadd.privacy.membership.attacks import confidence
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import derive_seed
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, RngKey, train_networks

_CHUNK = 256
_GRADIENTS = 2**24
"""Values of the gradients of single images in memory at once."""


@dataclass(frozen=True, eq=False)
class Responses:
    """What students say of images, averaged over the students, each float32 (R,).

    Attributes:
        phi: log p_y − log Σ_{k≠y} p_k.
        log_p: log p_y.
        p: p_y.
        norm: Norm of the gradient of the last layer's weights.
    """

    phi: Tensor
    log_p: Tensor
    p: Tensor
    norm: Tensor


@dataclass(frozen=True, eq=False)
class Students:
    """Networks trained on a small set.

    Attributes:
        networks: S trained networks.
        initial: Their parameters before, (S, P).
        normalisation: Of the images that they read.
        config: Settings they were trained with.
    """

    networks: list[nn.Module]
    initial: Tensor
    normalisation: Normalisation
    config: Config

    @torch.no_grad()
    def respond(self, images: Tensor, labels: Tensor) -> Responses:
        """Ask all students about images.

        Args:
            images: uint8 (R, C, H, W).
            labels: int64 (R,).
        """
        device = next(self.networks[0].parameters()).device
        rows = []
        with computing_at(self.config.compute.precision):
            for chunk, own in zip(images.split(_CHUNK), labels.split(_CHUNK), strict=True):
                answers = [
                    _response(network, self.normalisation.apply(chunk.to(device)), own.to(device))
                    for network in self.networks
                ]
                rows.append(torch.stack(answers).mean(dim=0).cpu())
        return Responses(*torch.cat(rows, dim=1)) if rows else Responses(*torch.empty(4, 0))

    def alignment(self, images: Tensor, labels: Tensor) -> Tensor:
        """Compute −cos(∇ℓ(x; θ₀), θ_J − θ₀) of each image, (R,), averaged over the students.

        Args:
            images: uint8 (R, C, H, W).
            labels: int64 (R,).
        """
        device = next(self.networks[0].parameters()).device
        size = max(1, min(_CHUNK, _GRADIENTS // self.initial.shape[1]))
        total = torch.zeros(len(images))
        with computing_at(self.config.compute.precision):
            for network, start in zip(self.networks, self.initial, strict=True):
                start = start.to(device)
                moved = flatten_parameters(network) - start
                gradients = _gradients_at(network, start)
                found = []
                for chunk, own in zip(images.split(size), labels.split(size), strict=True):
                    one = gradients(self.normalisation.apply(chunk.to(device)), own.to(device))
                    found.append(-F.cosine_similarity(one, moved[None], dim=1).cpu())
                total += torch.cat(found)
        return total / len(self.networks)


def train_students(
    images: Tensor,
    labels: Tensor,
    *,
    classes: int,
    lr: float,
    normalisation: Normalisation,
    config: Config,
    count: int,
    rng_key: RngKey,
    on_epoch: Callable[[], None] | None = None,
    device: torch.device | str = "cpu",
) -> Students:
    """Train students as networks are trained on a distilled set.

    Args:
        images: (M, C, H, W), normalised; or (S, M, C, H, W), a set for each student.
        labels: int64 (M,).
        classes: K.
        lr: Learning rate.
        normalisation: Of the images.
        config: Settings of the run.
        count: S.
        rng_key: Names the initialisations; equal keys give equal ones.
        on_epoch: Called after each student's pass over its set; may raise to stop.
        device: Device to compute on.
    """
    sets = images.to(device) if images.ndim == 5 else images.to(device).expand(count, *images.shape)
    keys = [(*rng_key, number) for number in range(count)]
    specs = [
        NetworkSpec(partial(_fetch, own), labels.to(device), key)
        for own, key in zip(sets, keys, strict=True)
    ]
    channels = images.shape[-3]
    networks = train_networks(
        specs,
        classes=classes,
        channels=channels,
        config=config,
        recipe=small_set_recipe(config, lr),
        on_epoch=on_epoch,
    )
    initial = [
        flatten_parameters(
            build_network(
                config.network,
                channels=channels,
                classes=classes,
                image_size=config.image_size,
                seed=derive_seed(config.seed, *key, "initialisation"),
            )
        )
        for key in keys
    ]
    return Students(networks, torch.stack(initial), normalisation, config)


def _fetch(images: Tensor, batch: Tensor) -> Tensor:
    return images[batch]


def _response(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return φ, log p_y, p_y and the norm of the last layer's gradient, (4, R)."""
    assert isinstance(network, Classifier), "every network of the library is one"
    features = network.features(images)
    logits = network.classifier(features).float()
    phi, log_p = confidence(logits, labels)
    wrong = logits.softmax(dim=1) - F.one_hot(labels, logits.shape[1])
    norm = wrong.norm(dim=1) * (features.float().square().sum(dim=1) + 1).sqrt()
    return torch.stack([phi, log_p, log_p.exp(), norm])


def _gradients_at(network: nn.Module, theta: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what maps images and labels to the gradient of each image's loss at θ, (R, P)."""
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    parts = theta.split([shape.numel() for shape in shapes.values()])
    parameters = {
        name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }

    def loss(parameters: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(network, parameters, (image[None],))
        return F.cross_entropy(logits, label[None])

    each = vmap(grad(loss), in_dims=(None, 0, 0))

    def gradients(images: Tensor, labels: Tensor) -> Tensor:
        found = each(parameters, images, labels)
        return torch.cat([found[name].flatten(1) for name in shapes], dim=1)

    return gradients
