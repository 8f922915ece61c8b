"""Smooth random pictures, which differ as patients do, and distilled sets of some pictures."""

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation

SIZE = 64


def draw_pictures(count: int, seed: int) -> Tensor:
    """uint8 (count, 1, SIZE, SIZE): a common shape, and waves and grain of a picture's own."""
    generator = torch.Generator().manual_seed(seed)
    waves = torch.zeros(count, 1, SIZE, SIZE)
    for cells, height in ((5, 0.13), (9, 0.11), (13, 0.05)):
        coarse = torch.randn(count, 1, cells, cells, generator=generator)
        waves += height * torch.nn.functional.interpolate(
            coarse, size=(SIZE, SIZE), mode="bicubic", align_corners=True
        )
    waves += 0.02 * torch.randn(waves.shape, generator=generator)
    line = torch.linspace(-1, 1, SIZE)
    chest = 0.5 + 0.2 * torch.cos(3 * line)[:, None] * torch.cos(2 * line)
    return ((chest + waves).clamp(0, 1) * 255).round().to(torch.uint8)


def make_images(
    training: int = 150, held_out: int = 60, validation: int = 0, seed: int = 1
) -> ImageSet:
    pictures = draw_pictures(training + held_out + validation, seed=seed)
    labels = torch.arange(len(pictures)) % 2
    split = torch.tensor([0] * training + [2] * held_out + [1] * validation, dtype=torch.int8)
    return ImageSet(pictures, labels, ("a", "b"), split)


def make_distilled(
    pictures: Tensor, images: ImageSet, initial: Tensor | None = None, labels: Tensor | None = None
) -> DistilledDataset:
    """A set of pictures: uint8, or intensities that may be anything."""
    normalisation = Normalisation.of(images.part("train").images)

    def normalise(some: Tensor) -> Tensor:
        if some.dtype == torch.uint8:
            return normalisation.apply(some)
        return normalisation.of_intensities(some)

    return DistilledDataset(
        images=normalise(pictures),
        labels=torch.arange(len(pictures)) % 2 if labels is None else labels,
        classes=images.classes,
        syn_lr=0.01,
        importance_weights=None,
        history=History(),
        config=Config(),
        normalisation=normalisation,
        initial_images=None if initial is None else normalise(initial),
        best_iteration=1,
    )


def average(images: ImageSet, per_class: int, k: int = 16, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Averages of k training images, intensities, alternating classes; and the rows averaged."""
    generator = torch.Generator().manual_seed(seed)
    train = images.part("train")
    starts, rows = [], []
    for number in range(2 * per_class):
        own = (train.labels == number % 2).nonzero()[:, 0]
        chosen = own[torch.randperm(len(own), generator=generator)[:k]]
        starts.append(train.images[chosen].float().mean(dim=0) / 255)
        rows.append(chosen)
    return torch.stack(starts), torch.cat(rows)
