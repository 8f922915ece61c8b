"""Embeds images: by a network trained on the spot to recognise a picture, or by a given one."""

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.data.normalisation import Normalisation
from iadd.networks.base import Classifier
from iadd.networks.convnet import ConvNet
from iadd.privacy.nearest_neighbours import Embed
from iadd.runtime.seed import make_generator

_SIDE = 32
_WIDTH = 16
_STEPS = 40
_BATCH = 32
_TEMPERATURE = 0.1
_SMALLEST_MAP = 3
_SEED = 0


def penultimate_features(network: Classifier, normalisation: Normalisation) -> Embed:
    """Use a trained network, such as a teacher's last snapshot, as the embedding.

    Args:
        network: Its parameters are read when the embedding is called.
        normalisation: Normalisation that the network was trained with.

    Returns:
        A callable from intensities (N, C, H, W) in 0..1 to features (N, D), on the CPU.
    """

    @torch.no_grad()
    def embed(intensities: Tensor) -> Tensor:
        device = next(network.parameters()).device
        return network.features(normalisation.apply(intensities * 255).to(device)).cpu()

    return embed


def verification_features(images: Tensor) -> Embed:
    """Train a small ConvNet to tell whether two pictures are one, changed in pose and exposure.

    Pairs of changed views of one picture have to be nearer than views of different pictures (the
    contrastive loss of Chen et al., arXiv 2002.05709, eq. 1), the nearest to recognising a patient
    that can be learnt where each patient has one picture (Packhäuser et al. 2022 have several).
    Forty steps at 32 pixels take seconds. It follows from the images and a fixed seed.

    Args:
        images: uint8 (N, C, H, W), the training images: queries of both sides are strange to it.
    """
    channels, side = images.shape[1], min(images.shape[-1], _SIDE)
    depth = 1
    while side >> (depth + 1) >= _SMALLEST_MAP:
        depth += 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = ConvNet(channels=channels, classes=1, depth=depth, width=_WIDTH, image_size=side)

    def prepare(intensities: Tensor) -> Tensor:
        small = intensities
        if intensities.shape[-1] != side:
            small = F.interpolate(intensities, size=(side, side), mode="bilinear", antialias=True)
        centred = small - small.mean(dim=(1, 2, 3), keepdim=True)
        return centred / centred.std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-4)

    generator = make_generator(_SEED, "verification")
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    batch = min(_BATCH, len(images))
    for _ in range(_STEPS if len(images) > 1 else 0):
        rows = torch.randperm(len(images), generator=generator)[:batch]
        chosen = prepare(images[rows].float() / 255.0)
        both = torch.cat([_view(chosen, generator), _view(chosen, generator)])
        features = F.normalize(network.features(both).flatten(1), dim=1)
        alike = features[:batch] @ features[batch:].T / _TEMPERATURE
        target = torch.arange(batch)
        loss = F.cross_entropy(alike, target) + F.cross_entropy(alike.T, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    @torch.no_grad()
    def embed(intensities: Tensor) -> Tensor:
        return network.features(prepare(intensities)).flatten(1)

    return embed


def _view(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Change pose, polarity and noise at random."""
    count = len(pictures)

    def uniform(width: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2.0 - 1.0) * width

    angle, scale = uniform(0.25), uniform(0.2).exp()
    mirror = torch.where(uniform(1.0) > 0, 1.0, -1.0)
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    matrix = torch.stack(
        [
            torch.stack([cosine * mirror, -sine, uniform(0.15)], dim=1),
            torch.stack([sine * mirror, cosine, uniform(0.15)], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    seen = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    seen = seen * torch.where(uniform(1.0) > 0, 1.0, -1.0)[:, None, None, None]
    return seen + 0.2 * torch.randn(seen.shape, generator=generator)
