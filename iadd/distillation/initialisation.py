"""Initialises the distilled images (paper, Algorithm 1, line 1)."""

from dataclasses import replace

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError, random_images
from iadd.networks.build import build_architecture, load_parameters
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import make_generator
from iadd.trajectories.buffer import TrajectoryBuffer

_CHUNK = 256


def initialise(
    train: ImageSet,
    normalisation: Normalisation,
    config: Config,
    *,
    correct: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Make the images of iteration 0.

    ``real`` takes different training images, as the paper does. ``k_mean`` takes for each image
    the mean of k different training images of its class, after the k-Same idea (Newton, Sweeney
    and Malin 2005), so that it shows no single patient. ``noise`` reads no image. Under
    ``start_from="correct"`` the first two draw from the images that most teachers classify
    correctly (Guo et al. 2024, DATM).

    Args:
        train: Images of the training split.
        normalisation: Normalisation of the training images.
        config: Settings of the run.
        correct: (N,) bool, the result of :func:`correctly_classified`; read, and required, only
            under ``start_from="correct"``.

    Returns:
        Images (classes·IPC, C, H, W), normalised, and labels (classes·IPC,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
        ValueError: When ``start_from`` is ``correct`` and `correct` is not given.
    """
    settings = config.distillation
    per_class, classes = settings.images_per_class, len(train.classes)
    labels = torch.arange(classes).repeat_interleave(per_class)
    if settings.initialisation == "noise":
        generator = make_generator(config.seed, "noise start")
        shape = (len(labels), *train.images.shape[1:])
        return torch.randn(shape, generator=generator), labels
    if settings.initialisation == "real":
        chosen = _choose(train, per_class, config, "start", correct)
        return normalisation.apply(train.images[chosen]), labels
    means = torch.empty(classes, per_class, *train.images.shape[1:])
    for number in range(per_class):
        # One draw of k images of every class gives the number-th start of every class.
        chosen = _choose(train, settings.k_mean_images, config, f"start/{number}", correct)
        groups = normalisation.apply(train.images[chosen]).unflatten(
            0, (classes, settings.k_mean_images)
        )
        means[:, number] = groups.mean(dim=1)
    return means.flatten(0, 1), labels


def _choose(
    train: ImageSet, per_class: int, config: Config, rng_key: str, correct: Tensor | None
) -> Tensor:
    """Draw ``per_class`` images of each class, from all or from the correct ones."""
    if config.distillation.start_from == "all":
        return random_images(train, per_class, seed=config.seed, rng_key=rng_key)
    if correct is None:
        raise ValueError("start_from is 'correct': pass the result of correctly_classified.")
    candidates = correct.nonzero().squeeze(1)
    # Drawing reads the labels alone; the images are not copied.
    correct_images = replace(
        train,
        images=train.images[:1].expand(len(candidates), -1, -1, -1),
        labels=train.labels[candidates],
        split=train.split[candidates],
    )
    for name, count in correct_images.count_by_class().items():
        if count < per_class:
            raise TooFewImagesError(
                f"Class {name!r} has {count} training images that most teachers classify "
                f"correctly, and {per_class} are needed: set start_from to all, train the "
                "teachers for longer, or ask for fewer images."
            )
    return candidates[random_images(correct_images, per_class, seed=config.seed, rng_key=rng_key)]


@torch.no_grad()
def correctly_classified(
    train: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Predict every image with every teacher's last snapshot (Guo et al. 2024, DATM, section 3.3).

    Args:
        train: Images of the training split.
        buffer: The teachers.
        config: Settings of the run.
        device: Device to compute on.

    Returns:
        (N,) bool, on the CPU: True where more than half of the teachers predict the correct class.
    """
    network = build_architecture(
        config, channels=train.images.shape[1], classes=len(train.classes)
    ).to(device)
    images, labels = train.images.to(device), train.labels.to(device)
    votes = torch.zeros(len(train), dtype=torch.int64, device=device)
    with computing_at(config.compute.precision):
        for teacher in range(len(buffer)):
            load_parameters(network, buffer.snapshot(teacher, buffer.epochs).to(device))
            predicted = [
                network(buffer.normalisation.apply(chunk)).argmax(dim=1)
                for chunk in images.split(_CHUNK)
            ]
            votes += torch.cat(predicted) == labels
    return (2 * votes > len(buffer)).cpu()
