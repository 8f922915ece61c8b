"""Networks trained on own images, on received ones, or on both, all for as many steps.

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
from iadd.runtime.progress import Beat
from iadd.sharing.mixed_batch import Mixture
from iadd.sharing.received import Received, bring_home
from iadd.training.recipe import small_set_recipe
from iadd.training.saved_network import TrainedNetwork
from iadd.training.trainer import Pupil, Purpose, train_networks

OWN, RECEIVED = 0.0, 1.0
"""Shares of a mini-batch that is all own, and all received."""


@dataclass(frozen=True)
class Attempt:
    """One network to train.

    Attributes:
        purpose: Names the draw of its initialisation, its mini-batches and its own images: two
            attempts of one purpose begin alike and have the same own images, whatever their share.
        lr: Learning rate of the first half.
    """

    purpose: Purpose
    lr: float


class Classroom:
    """What networks are trained on.

    Args:
        received: Sets of others.
        classes: The own classes to tell apart, each of which is in some set.
        config: Network, size, augmentation, steps and seed.
        own: Own training images of just these classes; None where there are none.
        own_per_class: So many own images of each class, drawn anew for each purpose; all unless
            given.
        device: Where to compute.

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
        """N, of each network."""
        return sum(self._own_counts.values())

    @property
    def received_images(self) -> int:
        """M, without those of classes that are left out."""
        return sum(self._received_counts.values())

    @property
    def steps(self) -> int:
        """Steps of each network, whatever it is trained on: those that the received set's are.

        More would be another recipe than the received set's own, fewer as well; and a row that
        takes more steps than another would be compared by its patience.
        """
        return self._config.evaluation.evaluation_epochs * self._steps_per_epoch

    def passes(self, share: float) -> float:
        """How often each network sees an image, on average over its images."""
        mixture = self._mixture(share)
        shown = len(self._classes) * (mixture.own + mixture.received)
        if share < RECEIVED:
            shown *= self._steps_per_epoch
        images = (self.own_images if share < RECEIVED else 0) + (
            self.received_images if share > OWN else 0
        )
        return self._config.evaluation.evaluation_epochs * shown / images

    def train(
        self, share: float, attempts: Sequence[Attempt], on_epoch: Beat
    ) -> list[TrainedNetwork]:
        """Train a network for each attempt.

        Args:
            share: Part of each mini-batch that is received: ``OWN``, ``RECEIVED``, or between.
            attempts: The networks.
            on_epoch: Called after each network's epoch.

        Raises:
            SetMismatchError: When a received set cannot be brought to the own images' form.
            OutOfMemoryError: When not even one image at a time fits into memory.
        """
        places = {attempt.purpose: self._lay_out(share, attempt.purpose) for attempt in attempts}
        recipe = small_set_recipe(self._config, max(attempt.lr for attempt in attempts))
        if share < RECEIVED:
            mixture = self._mixture(share)
            size = len(self._classes) * (mixture.own + mixture.received)
            recipe = replace(recipe, batch_size=size)
        networks = train_networks(
            [replace(places[each.purpose].pupil(each.purpose), lr=each.lr) for each in attempts],
            classes=len(self._classes),
            channels=len(places[attempts[0].purpose].normalisation.mean),
            config=self._config,
            recipe=recipe,
            on_epoch=on_epoch,
            on_message=on_epoch.say,
        )
        return [
            TrainedNetwork(
                network, self._classes, places[attempt.purpose].normalisation, self._config
            )
            for network, attempt in zip(networks, attempts, strict=True)
        ]

    @property
    def _steps_per_epoch(self) -> int:
        epoch = len(self._classes) * max(self._received_counts.values())
        return math.ceil(epoch / self._config.evaluation.evaluation_batch_size)

    def _mixture(self, share: float) -> Mixture:
        """What is drawn at once: a mini-batch, or the whole received set where it is alone."""
        received = max(self._received_counts.values())
        if share == RECEIVED:
            return Mixture(0, received)
        most = max(1, self._config.evaluation.evaluation_batch_size // len(self._classes))
        return Mixture.of(max(self._own_counts.values()), received, share=share, most=most)

    def _lay_out(self, share: float, purpose: Purpose) -> "_Place":
        normalisation, pixels, own_labels = self._own_of(purpose)
        brought = [
            bring_home(
                one,
                self._classes,
                image_size=self._config.image_size,
                normalisation=normalisation,
            )
            for one in self._received
        ]
        return _Place(
            pixels=pixels,
            own_labels=own_labels,
            images=torch.cat([images for images, _ in brought]).to(self._device),
            labels=torch.cat([labels for _, labels in brought]),
            normalisation=normalisation,
            mixture=self._mixture(share),
            draws=1 if share == RECEIVED else self._steps_per_epoch,
        )

    def _own_of(self, purpose: Purpose) -> tuple[Normalisation, Tensor, Tensor]:
        """How a network sees, and its own images with their labels."""
        if self._own is None:
            # Without own images, as the first of the sets was made.
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
            purpose="/".join(["own", *map(str, purpose)]),
        )
        pixels = self._own.images[chosen]
        return Normalisation.of(pixels), pixels.to(self._device), self._own.labels[chosen]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """The images of one network.

    Attributes:
        pixels: Own images, uint8 (N, C, S, S), on the device.
        own_labels: (N,), on the CPU.
        images: Received images, normalised, (M, C, S, S), on the device.
        labels: Their labels, (M,), on the CPU.
        normalisation: How the network sees.
        mixture: What is drawn at once.
        draws: How often in an epoch.
    """

    pixels: Tensor
    own_labels: Tensor
    images: Tensor
    labels: Tensor
    normalisation: Normalisation
    mixture: Mixture
    draws: int

    def pupil(self, purpose: Purpose) -> Pupil:
        """The network to train on them."""
        labels = torch.cat([self.own_labels, self.labels]).to(self.images.device)
        return Pupil(self._fetch, labels, purpose, order=self._draw_epoch)

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
