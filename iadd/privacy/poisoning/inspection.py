"""Looks for planted triggers in a distilled set, with all tests."""

from collections.abc import Callable

import torch

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.networks.base import Classifier
from iadd.privacy.poisoning.groups import find_groups
from iadd.privacy.poisoning.patches import find_patches
from iadd.privacy.poisoning.probes import choose_probes
from iadd.privacy.poisoning.report import PoisonReport
from iadd.privacy.poisoning.triggers import STEPS, find_triggers
from iadd.runtime.progress import Progress, ProgressListener, ignore_progress
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, train_networks

NETWORKS = 3
"""Networks that a trigger has to fool at once, so that it is a trigger and no accident of one."""

_EPOCHS = 300


def inspect(
    distilled: DistilledDataset,
    *,
    own: ImageSet | None = None,
    networks: int = NETWORKS,
    steps: int = STEPS,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> PoisonReport:
    """Look for triggers in a distilled set.

    Args:
        distilled: The set, fresh or from a bundle.
        own: Own images of the same size and channels, of any classes, to try triggers on; without
            them, generated chests and the set's own images are taken.
        networks: V, networks that are trained on the set.
        steps: Steps of optimising a trigger for each class.
        on_progress: Called after each pass of a network and each tenth step; phase ``inspecting``.
        device: Device to compute on.

    Raises:
        ValueError: When own images have another size than the set's.
        OutOfMemoryError: When not even one image at a time fits.
    """
    if own is not None and own.images.shape[1:] != distilled.images.shape[1:]:
        raise ValueError("The own images have another size than the distilled ones.")
    epochs = min(distilled.config.evaluation.evaluation_epochs, _EPOCHS)
    progress = _Counter(
        on_progress or ignore_progress,
        networks * epochs + len(distilled.classes) * (steps // 10),
    )
    trained = _train(distilled, networks, epochs, progress, device)
    probes = choose_probes(distilled, own)
    tests = [
        *find_triggers(distilled, trained, probes, steps=steps, on_steps=progress, device=device),
        *find_groups(distilled, trained),
        *find_patches(distilled, trained, probes, device=device),
    ]
    return PoisonReport(
        tests=tuple(tests),
        probes=len(probes),
        own_probes=own is not None,
        networks=networks,
    )


class _Counter:
    """Counts finished work, and reports it."""

    def __init__(self, listener: ProgressListener, total: int) -> None:
        self._listener, self._total, self._done = listener, max(1, total), 0

    def __call__(self) -> None:
        self._done = min(self._done + 1, self._total)
        self._listener(
            Progress(phase="inspecting", done=self._done, total=self._total, unit="passes")
        )


def _train(
    distilled: DistilledDataset,
    count: int,
    epochs: int,
    on_epoch: Callable[[], None],
    device: torch.device | str,
) -> list[Classifier]:
    config = distilled.config.override({"evaluation_epochs": epochs})
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    trained = train_networks(
        [NetworkSpec(lambda batch: images[batch], labels, ("inspect", n)) for n in range(count)],
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=small_set_recipe(config, distilled.syn_lr),
        on_epoch=on_epoch,
    )
    networks = [network for network in trained if isinstance(network, Classifier)]
    for network in networks:
        network.requires_grad_(requires_grad=False).eval()
    return networks
