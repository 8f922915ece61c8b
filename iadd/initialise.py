"""What the distilled images start from (paper, Algorithm 1, line 1)."""

import torch
from torch import Tensor

from iadd.config import Config
from iadd.imageset import ImageSet
from iadd.normalisation import Normalisation
from iadd.seeding import make_generator
from iadd.selection import random_images


def initialise(
    train: ImageSet, normalisation: Normalisation, config: Config
) -> tuple[Tensor, Tensor]:
    """Make the images of iteration 0.

    ``real`` takes different training images, as the paper does. ``k_mean`` takes for each image
    the mean of k different training images of its class, after the k-Same idea (Newton, Sweeney
    and Malin 2005), so that no single patient is in it. ``noise`` reads no image.

    Args:
        train: Images of the training split.
        normalisation: Of the training images.
        config: Settings of the run.

    Returns:
        Images (classes·IPC, C, H, W), normalised, and labels (classes·IPC,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
    """
    settings = config.distillation
    per_class, classes = settings.images_per_class, len(train.classes)
    labels = torch.arange(classes).repeat_interleave(per_class)
    if settings.initialisation == "noise":
        generator = make_generator(config.seed, "noise start")
        shape = (len(labels), *train.images.shape[1:])
        return torch.randn(shape, generator=generator), labels
    if settings.initialisation == "real":
        chosen = random_images(train, per_class, seed=config.seed, purpose="start")
        return normalisation.apply(train.images[chosen]), labels
    means = torch.empty(classes, per_class, *train.images.shape[1:])
    for number in range(per_class):
        # One draw of k images of every class gives the number-th start of every class.
        chosen = random_images(
            train, settings.k_mean_images, seed=config.seed, purpose=f"start/{number}"
        )
        groups = normalisation.apply(train.images[chosen]).unflatten(
            0, (classes, settings.k_mean_images)
        )
        means[:, number] = groups.mean(dim=1)
    return means.flatten(0, 1), labels
