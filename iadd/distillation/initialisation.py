"""Initialises the distilled images (paper, Algorithm 1, line 1)."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from iadd.cohort import draw_image
from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError, random_images
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.networks.build import build_architecture, load_parameters
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import derive_seed, make_generator
from iadd.trajectories.buffer import TrajectoryBuffer

_CHUNK = 256

_CHESTS = 4
"""Generated chests averaged in one public start."""

_DIFFERENCE = 0.2
"""Deviation of the public noise by which ``dp_mean`` starts of one class differ."""


def initialise(
    train: ImageSet,
    normalisation: Normalisation,
    config: Config,
    *,
    correct: Tensor | None = None,
    private: PrivateData | None = None,
) -> tuple[Tensor, Tensor]:
    """Make the images of iteration 0.

    ``noise`` and ``public`` read no image of the hospital. ``dp_mean`` reads a noisy mean of each
    class, whose noise has no seed: it is another one at each call. ``real`` takes different
    training images, as the paper does. ``k_mean`` takes for each image the mean of k different
    training images of its class, after the k-Same idea (Newton, Sweeney and Malin 2005); whoever
    holds candidates finds those images in it. Under ``start_from="correct"`` the last two draw from
    the images that most teachers classify correctly (Guo et al. 2024, DATM).

    Args:
        train: Images of the training split.
        normalisation: Normalisation of the training images.
        config: Settings of the run.
        correct: (N,) bool, the result of :func:`correctly_classified`; read, and required, only
            under ``start_from="correct"``.
        private: The images behind their ledger, for ``dp_mean``; without it the start is accounted
            for by itself.

    Returns:
        Images (classes·IPC, C, H, W), normalised, and labels (classes·IPC,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
        ValueError: When ``start_from`` is ``correct`` and `correct` is not given.
    """
    per_class, classes = config.distillation.images_per_class, len(train.classes)
    labels = torch.arange(classes).repeat_interleave(per_class)
    shape = (len(labels), *train.images.shape[1:])
    match config.distillation.initialisation:
        case "noise":
            generator = make_generator(config.data_seed, "noise start")
            return torch.randn(shape, generator=generator), labels
        case "public":
            chests = public_start(shape, seed=derive_seed(config.data_seed, "public start"))
            return normalisation.whiten(chests), labels
        case "dp_mean":
            if private is None:
                private = PrivateData(train, Ledger(MemoryLedgerStore()))
            return dp_mean_start(private, normalisation, config), labels
    rows = contributors(train, config, correct=correct)
    assert rows is not None, "every other start is made of training images"
    starts = torch.stack([normalisation.apply(train.images[own]).mean(dim=0) for own in rows])
    return starts, labels


def contributors(
    train: ImageSet, config: Config, *, correct: Tensor | None = None
) -> Tensor | None:
    """Return the training images that each start is made of, the same that :func:`initialise` took.

    Args:
        train: Images of the training split.
        config: Settings of the run, with its private seed.
        correct: As in :func:`initialise`.

    Returns:
        (classes·IPC, k) int64, rows of `train`, class by class; k is 1 for ``real``. None where no
        start is made of single images.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
        ValueError: When ``start_from`` is ``correct`` and `correct` is not given.
    """
    settings = config.distillation
    per_class, classes = settings.images_per_class, len(train.classes)
    if settings.initialisation == "real":
        return _choose(train, per_class, config, "start", correct)[:, None]
    if settings.initialisation != "k_mean":
        return None
    k = settings.k_mean_images
    # One draw of k images of every class gives the number-th start of every class.
    draws = [
        _choose(train, k, config, f"start/{number}", correct).view(classes, k)
        for number in range(per_class)
    ]
    return torch.stack(draws, dim=1).flatten(0, 1)


def dp_mean_start(data: PrivateData, normalisation: Normalisation, config: Config) -> Tensor:
    """Start from the classes' means at a low resolution, with noise that bounds what they tell.

    Whoever knows all images but one learns of that one no more than (``start_epsilon``, ``delta``)
    allow. Images of one class differ by noise that tells nothing.

    Args:
        data: The images behind their ledger.
        normalisation: Normalisation of the teachers.
        config: Settings of the run.

    Returns:
        (classes·IPC, C, H, W), normalised, class by class.

    Raises:
        BudgetExceededError: When the ledger's budget does not allow it.
    """
    settings = config.distillation
    means = data.noisy_class_means(
        epsilon=settings.start_epsilon, delta=config.protection.delta
    ).cpu()
    starts = normalisation.of_intensities(means).repeat_interleave(settings.images_per_class, dim=0)
    generator = make_generator(config.data_seed, "dp_mean start")
    return starts + _DIFFERENCE * torch.randn(starts.shape, generator=generator)


def public_start(shape: Sequence[int], *, seed: int) -> Tensor:
    """Draw chests of nobody, from the generated cohort (:mod:`iadd.cohort`).

    Each image is the mean of a few healthy chests, so that it has a chest's anatomy without the
    details of one drawing.

    Args:
        shape: (M, C, S, S).
        seed: Seed of the draw.

    Returns:
        (M, C, S, S) float32, each image of mean 0 and deviation 1.
    """
    count, channels, size, _ = shape
    chests = torch.empty(count, 1, size, size)
    for row in range(count):
        numbers = range(row * _CHESTS, (row + 1) * _CHESTS)
        drawn = [draw_image("Normal", n, image_size=size, seed=seed) for n in numbers]
        chests[row, 0] = torch.stack([torch.from_numpy(image).float() for image in drawn]).mean(0)
    mean, std = chests.mean(dim=(2, 3), keepdim=True), chests.std(dim=(2, 3), keepdim=True)
    return ((chests - mean) / std).expand(-1, channels, -1, -1).contiguous()


def _choose(
    train: ImageSet, per_class: int, config: Config, rng_key: str, correct: Tensor | None
) -> Tensor:
    """Draw ``per_class`` images of each class, from all or from the correct ones."""
    if config.distillation.start_from == "all":
        return random_images(train, per_class, seed=config.data_seed, rng_key=rng_key)
    if correct is None:
        raise ValueError("start_from is 'correct': pass the result of correctly_classified.")
    candidates = correct.nonzero().squeeze(1)
    # Drawing reads the labels alone; the images are not copied.
    correct_images = replace(
        train,
        images=train.images[:1].expand(len(candidates), -1, -1, -1),
        labels=train.labels[candidates],
        split=train.split[candidates],
        groups=None,
        unit="image",
    )
    for name, count in correct_images.count_by_class().items():
        if count < per_class:
            raise TooFewImagesError(
                f"Class {name!r} has {count} training images that most teachers classify "
                f"correctly, and {per_class} are needed: set start_from to all, train the "
                "teachers for longer, or ask for fewer images."
            )
    return candidates[
        random_images(correct_images, per_class, seed=config.data_seed, rng_key=rng_key)
    ]


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
