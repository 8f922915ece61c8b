"""Trains networks on own images, on received ones, or on both, for the same number of steps.

Shapes: N own images, M received ones, K classes, C channels, S pixels a side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.selection import TooFewImagesError, random_images
from iadd.runtime.progress import ProgressCounter
from iadd.sharing.mixed_batch import Mixture
from iadd.sharing.received import Received, align_to_local
from iadd.training.recipe import small_set_recipe
from iadd.training.saved_network import TrainedNetwork
from iadd.training.trainer import NetworkSpec, RngKey, train_networks

OWN, RECEIVED = 0.0, 1.0
"""Received shares of a mini-batch of own images only, and of received ones only."""


@dataclass(frozen=True)
class TrainingRun:
    """One network to train.

    Attributes:
        rng_key: Key of the random numbers of its initialisation, its mini-batches and its own
            images: two runs with one key have the same initialisation and the same own images,
            whatever their share.
        lr: Learning rate of the first half.
    """

    rng_key: RngKey
    lr: float


class MixedTrainer:
    """Trains networks on mixtures of own and received images.

    Args:
        received: Sets of others.
        classes: The own classes to distinguish, each of which is in some set.
        config: Network, size, augmentation, steps and seed.
        own: Own training images of exactly these classes; None where there are none.
        own_per_class: Own images of each class, drawn anew for each rng_key; all unless given.
        device: Device to compute on.

    Raises:
        TooFewImagesError: When a class has fewer own images than that, or none.
    """

    def __init__(
        self,
        received: Sequence[Received],
        classes: tuple[str, ...],
        config: Config,
        *,
        own: ImageSet | None = None,
        own_per_class: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._received, self._classes, self._config = received, classes, config
        self._own, self._own_per_class, self._device = own, own_per_class, device
        self._received_counts = _count_received(received, classes)
        self._own_counts = {} if own is None else _count_own(own, own_per_class)
        self._whole: tuple[Normalisation, Tensor] | None = None

    @property
    def own_images(self) -> int:
        """N, the own images of each network."""
        return sum(self._own_counts.values())

    @property
    def received_images(self) -> int:
        """M, without the images of classes that are left out."""
        return sum(self._received_counts.values())

    @property
    def steps(self) -> int:
        """Steps of each network, whatever it is trained on: the steps of the received set's recipe.

        With more or fewer, the received set's own recipe would not be followed; and rows with
        different numbers of steps would not be comparable.
        """
        return self._config.evaluation.evaluation_epochs * self._steps_per_epoch

    def passes(self, share: float) -> float:
        """Return how often each network sees an image, on average over its images."""
        mixture = self._mixture(share)
        shown = len(self._classes) * (mixture.own + mixture.received)
        if share < RECEIVED:
            shown *= self._steps_per_epoch
        images = (self.own_images if share < RECEIVED else 0) + (
            self.received_images if share > OWN else 0
        )
        return self._config.evaluation.evaluation_epochs * shown / images

    def train(
        self, share: float, runs: Sequence[TrainingRun], on_epoch: ProgressCounter
    ) -> list[TrainedNetwork]:
        """Train a network for each run.

        Args:
            share: Received part of each mini-batch: ``OWN``, ``RECEIVED``, or between.
            runs: The networks.
            on_epoch: Called after each network's epoch.

        Raises:
            SetMismatchError: When a received set cannot be converted to the form of the own images.
            OutOfMemoryError: When not even one image at a time fits into memory.
        """
        data = {run.rng_key: self._prepare_data(share, run.rng_key) for run in runs}
        recipe = small_set_recipe(self._config, max(run.lr for run in runs))
        if share < RECEIVED:
            mixture = self._mixture(share)
            size = len(self._classes) * (mixture.own + mixture.received)
            recipe = replace(recipe, batch_size=size)
        networks = train_networks(
            [replace(data[run.rng_key].spec(run.rng_key), lr=run.lr) for run in runs],
            classes=len(self._classes),
            channels=len(data[runs[0].rng_key].normalisation.mean),
            config=self._config,
            recipe=recipe,
            on_epoch=on_epoch,
            on_message=on_epoch.log,
        )
        return [
            TrainedNetwork(network, self._classes, data[run.rng_key].normalisation, self._config)
            for network, run in zip(networks, runs, strict=True)
        ]

    @property
    def _steps_per_epoch(self) -> int:
        epoch = len(self._classes) * max(self._received_counts.values())
        return math.ceil(epoch / self._config.evaluation.evaluation_batch_size)

    def _mixture(self, share: float) -> Mixture:
        """Compute what is drawn at once: a mini-batch, or the whole received set if used alone."""
        received = max(self._received_counts.values())
        if share == RECEIVED:
            return Mixture(0, received)
        most = max(1, self._config.evaluation.evaluation_batch_size // len(self._classes))
        return Mixture.of(max(self._own_counts.values()), received, share=share, most=most)

    def _prepare_data(self, share: float, rng_key: RngKey) -> "_TrainingData":
        normalisation, pixels, own_labels = self._own_data(rng_key)
        aligned = [
            align_to_local(
                one,
                self._classes,
                image_size=self._config.image_size,
                normalisation=normalisation,
            )
            for one in self._received
        ]
        return _TrainingData(
            pixels=pixels,
            own_labels=own_labels,
            images=torch.cat([images for images, _ in aligned]).to(self._device),
            labels=torch.cat([labels for _, labels in aligned]),
            normalisation=normalisation,
            mixture=self._mixture(share),
            draws=1 if share == RECEIVED else self._steps_per_epoch,
        )

    def _own_data(self, rng_key: RngKey) -> tuple[Normalisation, Tensor, Tensor]:
        """Return a network's normalisation, and its own images with their labels."""
        if self._own is None:
            # Without own images, the normalisation is that of the first set.
            normalisation = self._received[0].distilled.normalisation
            return normalisation, torch.empty(0), torch.empty(0, dtype=torch.int64)
        if self._own_per_class is None:
            if self._whole is None:
                pixels = self._own.images
                self._whole = Normalisation.of(pixels), pixels.to(self._device)
            return *self._whole, self._own.labels
        chosen = random_images(
            self._own,
            self._own_per_class,
            seed=self._config.seed,
            rng_key="/".join(["own", *map(str, rng_key)]),
        )
        pixels = self._own.images[chosen]
        return Normalisation.of(pixels), pixels.to(self._device), self._own.labels[chosen]


@dataclass(frozen=True, kw_only=True, eq=False)
class _TrainingData:
    """The training data of one network.

    Attributes:
        pixels: Own images, uint8 (N, C, S, S), on the device.
        own_labels: (N,), on the CPU.
        images: Received images, normalised, (M, C, S, S), on the device.
        labels: Their labels, (M,), on the CPU.
        normalisation: Normalisation of the network's inputs.
        mixture: Images that are drawn at once.
        draws: Number of draws in an epoch.
    """

    pixels: Tensor
    own_labels: Tensor
    images: Tensor
    labels: Tensor
    normalisation: Normalisation
    mixture: Mixture
    draws: int

    def spec(self, rng_key: RngKey) -> NetworkSpec:
        """Specify the network to train on these images."""
        labels = torch.cat([self.own_labels, self.labels]).to(self.images.device)
        return NetworkSpec(self._fetch, labels, rng_key, order=self._draw_epoch)

    def _fetch(self, indices: Tensor) -> Tensor:
        count = len(self.own_labels)
        if self.mixture.own == 0:
            return self.images[indices - count]
        own = self.normalisation.apply(self.pixels[indices.clamp(max=count - 1)])
        if self.mixture.received == 0:
            return own
        received = self.images[(indices - count).clamp(min=0)]
        return torch.where((indices < count).view(-1, 1, 1, 1), own, received)

    def _draw_epoch(self, generator: torch.Generator) -> Tensor:
        return torch.cat(
            [self.mixture.draw(self.own_labels, self.labels, generator) for _ in range(self.draws)]
        )


def _count_received(received: Sequence[Received], classes: Sequence[str]) -> dict[str, int]:
    counts = dict.fromkeys(classes, 0)
    for one in received:
        of_each = one.distilled.labels.bincount(minlength=len(one.distilled.classes)).tolist()
        for name, count in zip(one.distilled.classes, of_each, strict=True):
            own = one.class_map[name]
            if own in counts:
                counts[own] += count
    return counts


def _count_own(own: ImageSet, per_class: int | None) -> dict[str, int]:
    for name, count in own.count_by_class().items():
        if count < (per_class or 1):
            raise TooFewImagesError(
                f"Class {name!r} has {count} training images of your own, and {per_class or 1} are "
                "needed: ask for fewer per class, add images to the class, or map no received "
                "class to it."
            )
    if per_class is None:
        return own.count_by_class()
    return dict.fromkeys(own.classes, per_class)
