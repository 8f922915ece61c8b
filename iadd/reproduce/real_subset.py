"""Makes a small set of selected real images, to train on like a distilled set."""

from dataclasses import replace

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import forgetting_images, herding_images, random_images
from iadd.evaluation.evaluator import choose_lr
from iadd.runtime.progress import ProgressListener
from iadd.training.selection_scores import forgetting_events, trained_features


def as_small_set(
    images: ImageSet,
    chosen: Tensor,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> DistilledDataset:
    """Make a small set of real images, with the best learning rate of ``baseline_lrs``.

    Args:
        images: Images of all splits.
        chosen: Indices into the ``train`` part, (classes·IPC,), class by class.
        config: Settings of the run.
        on_progress: Called while learning rates are tried on the validation split.
        device: Device to compute on.
    """
    train = images.part("train")
    normalisation = Normalisation.of(train.images)
    small_set = DistilledDataset(
        images=normalisation.apply(train.images[chosen]),
        labels=train.labels[chosen],
        classes=images.classes,
        syn_lr=config.evaluation.baseline_lrs[0],
        importance_weights=None,
        history=History(),
        config=config,
        normalisation=normalisation,
        initial_images=None,
        best_iteration=0,
    )
    rate = choose_lr(small_set, images, config, on_progress=on_progress, device=device)
    return replace(small_set, syn_lr=rate)


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


def subset_rows(train: ImageSet, config: Config) -> Tensor:
    """Draw the images of a ``subset`` row.

    Returns:
        Indices into ``train``, (classes·IPC,), class by class.

    Raises:
        TooFewImagesError: When a class holds fewer.
    """
    per_class = config.distillation.images_per_class
    return random_images(train, per_class, seed=config.data_seed, rng_key="subset")
