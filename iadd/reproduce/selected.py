"""Selected real images as a small set, so that they are trained on as distilled images are."""

from dataclasses import replace

import torch
from torch import Tensor

from iadd.config import Config
from iadd.distilled import DistilledDataset, History
from iadd.evaluate import validate
from iadd.imageset import ImageSet
from iadd.normalisation import Normalisation
from iadd.progress import Progress, ProgressListener, ignore_progress


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
        on_progress: Called after each learning rate tried on the validation split.
        device: Where to compute.
    """
    listener = on_progress or ignore_progress
    train, validation = images.part("train"), images.part("validation")
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
    rates = config.evaluation.baseline_lrs
    scores: dict[float, float] = {}
    for lr in rates:
        scores[lr] = validate(
            small_set.images.to(device),
            small_set.labels.to(device),
            lr,
            validation,
            normalisation,
            config,
        )
        listener(
            Progress(phase="choosing a rate", done=len(scores), total=len(rates), unit="rates")
        )
    return replace(small_set, syn_lr=max(scores, key=lambda lr: scores[lr]))
