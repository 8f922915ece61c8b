"""Makes the small sets that a distilled set has to beat, to train on like one."""

from dataclasses import replace

import numpy
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import fit_normalisation
from iadd.data.selection import (
    TooFewImagesError,
    forgetting_images,
    herding_images,
    random_images,
)
from iadd.distillation.initialisation import initialise
from iadd.evaluation.evaluator import search_lr
from iadd.evaluation.learning_rate import RateSearch
from iadd.runtime.progress import ProgressListener
from iadd.runtime.seed import derive_seed
from iadd.training.selection_scores import forgetting_events, trained_features


def as_small_set(
    images: ImageSet,
    chosen: Tensor,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> tuple[DistilledDataset, RateSearch]:
    """Make a small set of real images, with the best learning rate of ``baseline_lrs``.

    Args:
        images: Images of all splits.
        chosen: Indices into the ``train`` part, (classes·IPC,), class by class.
        config: Settings of the run.
        on_progress: Called while learning rates are tried on the validation split.
        device: Device to compute on.

    Returns:
        The set, and the search for its rate.
    """
    train = images.part("train")
    shown = fit_normalisation(train.images, config).apply(train.images[chosen])
    return with_chosen_rate(
        images, shown, train.labels[chosen], config, on_progress=on_progress, device=device
    )


def with_chosen_rate(
    images: ImageSet,
    small: Tensor,
    labels: Tensor,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> tuple[DistilledDataset, RateSearch]:
    """Make a small set of any images, with the best learning rate of ``baseline_lrs``.

    Args:
        images: Images of all splits.
        small: The small set's, (M, C, H, W), normalised by the ``train`` part.
        labels: Theirs, (M,).
        config: Settings of the run.
        on_progress: Called while learning rates are tried on the validation split.
        device: Device to compute on.

    Returns:
        The set, and the search for its rate.
    """
    small_set = DistilledDataset(
        images=small,
        labels=labels,
        classes=images.classes,
        syn_lr=config.evaluation.baseline_lrs[0],
        importance_weights=None,
        history=History(),
        config=config,
        normalisation=fit_normalisation(images.part("train").images, config),
        initial_images=None,
        best_iteration=0,
    )
    search = search_lr(small_set, images, config, on_progress=on_progress, device=device)
    return replace(small_set, syn_lr=search.best), search


def select_images(
    train: ImageSet,
    method: str,
    per_class: int,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Choose real images by the scores of a network trained on all of them.

    Args:
        train: Images of the training split.
        method: ``herding`` or ``forgetting``.
        per_class: Images of each class.
        config: Settings of that network.
        on_progress: Called after each of its epochs.
        device: Device to compute on.

    Returns:
        Indices into ``train``, (classes·per_class,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    if method == "herding":
        features = trained_features(train, config, on_progress=on_progress, device=device)
        return herding_images(train, per_class, features=features)
    events = forgetting_events(train, config, on_progress=on_progress, device=device)
    return forgetting_images(train, per_class, events=events)


def start_images(train: ImageSet, config: Config) -> tuple[Tensor, Tensor]:
    """Make what a distillation starts from: images (M, C, H, W), normalised, and labels (M,).

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
    """
    normalisation = fit_normalisation(train.images, config)
    images, labels = initialise(train, normalisation, config)
    if config.distillation.image_format == "float":
        return images, labels
    return normalisation.round_to_grey_levels(normalisation.clip(images)), labels


def centre_images(train: ImageSet, config: Config) -> tuple[Tensor, Tensor]:
    """Compute the centres of IPC clusters of each class (k-means on pixels, Lloyd 1982).

    Returns:
        Images (M, C, H, W), normalised, and labels (M,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer images than centres.
    """
    per_class, centres = config.distillation.images_per_class, []
    for label, name in enumerate(train.classes):
        members = train.images[train.labels == label]
        if len(members) < per_class:
            raise TooFewImagesError(
                f"Class {name} has {len(members)} training images, fewer than the {per_class} "
                "centres: lower images_per_class."
            )
        pixels = members.flatten(1).float().numpy()
        generator = numpy.random.default_rng(derive_seed(config.data_seed, "centres", label))
        found, _ = kmeans2(pixels, per_class, minit="++", rng=generator, missing="raise")
        centres.append(torch.from_numpy(found).view(-1, *members.shape[1:]))
    images = fit_normalisation(train.images, config).of_intensities(torch.cat(centres) / 255)
    return images, torch.arange(len(train.classes)).repeat_interleave(per_class)


def subset_rows(train: ImageSet, config: Config) -> Tensor:
    """Draw the images of a ``subset`` row.

    Returns:
        Indices into ``train``, (classes·IPC,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    per_class = config.distillation.images_per_class
    return random_images(train, per_class, seed=config.data_seed, rng_key="subset")
