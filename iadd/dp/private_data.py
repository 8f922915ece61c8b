"""The only way to a hospital's images under differential privacy.

:class:`PrivateData` holds the images and hands out none. It answers with sums over units to which
noise was added, and books each answer in the ledger before it looks. What is summed is computed for
each unit alone, clipped, and leaves only inside a noisy sum.

Units are patients where the images say whose they are, else images. A patient takes part in a sum
with one image, drawn anew. Neighbouring datasets differ by one added or removed unit.

Shapes: N units, n of them in a batch, C channels, H = W pixels, D entries of a vector, K classes.
"""

import secrets
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.func import vmap

from iadd.data.image_set import ImageSet
from iadd.dp import noise
from iadd.dp.accountant import Mechanism, noise_multiplier, sampled_gaussian
from iadd.dp.canaries import Canaries, with_canaries
from iadd.dp.ledger import INTERNAL, Event, Ledger
from iadd.dp.mechanisms import (
    COUNT_WEIGHT,
    IMAGE_NORM,
    clip,
    low_frequencies,
    smooth_images,
)
from iadd.runtime.oom import Halving

OfUnit = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps one unit's image (C, H, W) uint8, its label () and four uniform numbers (4,) to (D,)."""

UNIFORMS = 4
"""Uniform numbers that each unit of a sum is given, to draw its augmentation from."""

COUNT_EPSILON = 0.05
"""ε of a noisy number of units, where none is declared."""

_COUNTED = "number of units: "
_FORBIDDEN = frozenset(
    [
        "images",
        "labels",
        "split",
        "groups",
        "part",
        "take",
        "of_classes",
        "count_by_class",
        "to_bytes",
        "save",
    ]
)
_ADVICE = "Lower width or depth, or use a device with more memory."


class FatalReadError(RuntimeError):
    """Something asked for private images outside the ledger. It got none."""


class PrivateData:
    """Private images behind their ledger.

    Args:
        images: The images, all splits.
        ledger: Ledger of this dataset.
        run: Name of what depends on the answers; a new one unless given.
        declared_units: Number of units of the ``train`` split, declared public by the hospital. It
            need not be exact: what is proven does not depend on it. 0 pays for a noisy number.
        device: Device to compute on.

    Attributes:
        ledger: Ledger of this dataset.
        run: Name of what depends on the answers.
        classes: Names of the classes, which are declared public.
        image_shape: (C, H, W), public.
        unit: ``patient`` or ``image``.
    """

    def __init__(
        self,
        images: ImageSet,
        ledger: Ledger,
        *,
        run: str | None = None,
        declared_units: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.ledger, self.run = ledger, run or secrets.token_hex(8)
        self.classes, self.unit = images.classes, images.unit
        channels, height, width = images.images.shape[1:]
        self.image_shape = (channels, height, width)
        self._declared_units, self._device = declared_units, torch.device(device)
        self.__vault = images
        self.__parts: dict[str, _Part] = {}

    def __repr__(self) -> str:
        return f"PrivateData(classes={len(self.classes)}, unit={self.unit!r})"

    def __getattr__(self, name: str) -> Any:
        # Called only for what the class does not have.
        if name in _FORBIDDEN:
            self._refuse(name)
        raise AttributeError(f"private data have no {name!r}")

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        self._refuse("__len__")

    def __iter__(self) -> Any:
        self._refuse("__iter__")

    def __getitem__(self, key: object) -> NoReturn:
        self._refuse("__getitem__")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # A copy, or a pickle, would carry the images away from their ledger.
        self._refuse("copy")

    def for_run(
        self, run: str | None = None, *, device: torch.device | str | None = None
    ) -> "PrivateData":
        """Return the same images and ledger, for another run or on another device."""
        return PrivateData(
            self.__vault,
            self.ledger,
            run=run or self.run,
            declared_units=self._declared_units,
            device=self._device if device is None else device,
        )

    def with_canaries(self, canaries: Canaries) -> "PrivateData":
        """Return the same with units added that belong to nobody.

        A number of units that is asked for afterwards, and not declared, counts them too.
        """
        return PrivateData(
            with_canaries(self.__vault, canaries),
            self.ledger,
            run=self.run,
            declared_units=self._declared_units,
            device=self._device,
        )

    def without_images(self) -> ImageSet:
        """Return a set with these classes and this shape, and no image; nothing is read."""
        return ImageSet(
            images=torch.empty(0, *self.image_shape, dtype=torch.uint8),
            labels=torch.empty(0, dtype=torch.int64),
            classes=self.classes,
            split=torch.empty(0, dtype=torch.int8),
        )

    def for_internal_use(self, purpose: str) -> ImageSet:
        """Hand out the images for what stays inside, such as an audit.

        The ledger books a ``fatal`` read under a name of its own: a run that depends on it has no
        proof, and nothing that is released may.

        Args:
            purpose: What the images are used for, in words.
        """
        self.ledger.book(Event(kind="fatal", purpose=purpose, run=INTERNAL + purpose))
        return self.__vault

    def unit_count(self, split: str = "train") -> int:
        """Return the number of units: declared, or noisy and paid for.

        A noisy number that the ledger holds already is used again, at no cost.

        Args:
            split: ``train``, ``validation`` or ``test``; only ``train`` can be declared.

        Raises:
            BudgetExceededError: When the budget does not allow it.
        """
        if split == "train" and self._declared_units > 0:
            return self._declared_units
        purpose = _COUNTED + split
        for event in self.ledger.events():
            if event.purpose == purpose and event.released is not None:
                return max(1, round(event.released))
        self._book(purpose, Mechanism("laplace", 1 / COUNT_EPSILON))
        counted = len(self._part(split).firsts) + noise.laplace(1, scale=1 / COUNT_EPSILON).item()
        answer = Event(kind="public", purpose=purpose, run=self.run, released=float(round(counted)))
        self.ledger.book(answer)
        return max(1, round(counted))

    def noisy_sum(
        self,
        of_unit: OfUnit,
        *,
        size: int,
        clip_norm: float,
        noise_multiplier: float,
        rate: float,
        purpose: str,
        at_once: Halving | None = None,
    ) -> Tensor:
        """Sum clipped vectors over a Poisson sample of training units, with Gaussian noise.

        One step of DP-SGD (Abadi et al. 2016, Algorithm 1, lines "compute gradient" to "add
        noise") when `of_unit` is a gradient.

        Args:
            of_unit: Computes one unit's vector. It is vectorised with :func:`torch.func.vmap`, so
                that no unit's vector can depend on another unit.
            size: D.
            clip_norm: L2 norm of one unit's vector at most.
            noise_multiplier: Standard deviation of the noise over `clip_norm`.
            rate: Probability of each unit to be drawn; 1 takes all.
            purpose: What it is for, in words, for the ledger.
            at_once: Units in memory at once.

        Returns:
            (D,) float32, on the device of the images.

        Raises:
            BudgetExceededError: When the budget does not allow it. Nothing was read.
            OutOfMemoryError: When not even one unit at a time fits.
        """
        self._book(purpose, sampled_gaussian(noise_multiplier, rate))
        part = self._part("train")
        count = len(part.firsts)
        chosen = torch.arange(count)
        if rate < 1:
            chosen = noise.coins(count, probability=rate).nonzero().squeeze(1)
        total = self._clipped_sum(part, chosen, of_unit, size, clip_norm, 2, at_once)
        added = noise.gaussian(size, std=noise_multiplier * clip_norm)
        return (total.double().cpu() + added).float().to(self._device)

    def noisy_class_means(self, *, epsilon: float, delta: float) -> Tensor:
        """Estimate the mean image of each class at a low resolution.

        Each unit adds the low frequencies of one image, clipped, and its count, to its class; one
        Gaussian mechanism covers all classes.

        Args:
            epsilon: ε of the answer.
            delta: δ.

        Returns:
            (K, C, H, W) float32, intensities between 0 and 1.

        Raises:
            BudgetExceededError: When the budget does not allow it. Nothing was read.
        """
        classes, (channels, size, _) = len(self.classes), self.image_shape
        width = low_frequencies(torch.zeros(1, *self.image_shape)).shape[1] + 1

        def of_unit(image: Tensor, label: Tensor, _: Tensor) -> Tensor:
            frequencies = clip(low_frequencies(image[None].float() / 255 - 0.5), IMAGE_NORM)[0]
            row = torch.cat([frequencies.new_full((1,), COUNT_WEIGHT), frequencies])
            own = (torch.arange(classes, device=label.device) == label).float()
            return (own[:, None] * row).flatten()

        sums = self.noisy_sum(
            of_unit,
            size=classes * width,
            clip_norm=(COUNT_WEIGHT**2 + IMAGE_NORM**2) ** 0.5,
            noise_multiplier=noise_multiplier(epsilon, delta, steps=1, rate=1.0),
            rate=1.0,
            purpose="class means at a low resolution",
        ).view(classes, width)
        counts = (sums[:, :1] / COUNT_WEIGHT).clamp(min=1)
        means = smooth_images(sums[:, 1:] / counts, channels=channels, size=size)
        return (means + 0.5).clamp(0, 1)

    def noisy_class_counts(self, *, epsilon: float, split: str = "train") -> dict[str, int]:
        """Count the units of each class, a unit in the class of one of its images.

        Args:
            epsilon: ε of the answer.
            split: ``train``, ``validation`` or ``test``.

        Returns:
            At least 0, by class.

        Raises:
            BudgetExceededError: When the budget does not allow it. Nothing was read.
        """
        classes = len(self.classes)
        totals = self._noisy_total(
            lambda _, label, __: (torch.arange(classes, device=label.device) == label).float(),
            size=classes,
            epsilon=epsilon,
            split=split,
            purpose=f"class counts: {split}",
        )
        return {
            name: max(0, round(total))
            for name, total in zip(self.classes, totals.tolist(), strict=True)
        }

    def noisy_score(
        self, score: OfUnit, *, epsilon: float, split: str = "test", purpose: str = "score"
    ) -> float:
        """Average a score between 0 and 1 over units, such as whether a prediction is right.

        At ε = 0.1 and 3,019 units the noise has a standard deviation of 0.5 points.

        Args:
            score: Computes one unit's score, (); what lies outside 0 and 1 is clipped.
            epsilon: ε of the answer.
            split: ``train``, ``validation`` or ``test``.
            purpose: What is measured, in words, for the ledger.

        Returns:
            The average, between 0 and 1.

        Raises:
            BudgetExceededError: When the budget does not allow it. Nothing was read.
        """
        units = self.unit_count(split)
        total = self._noisy_total(
            lambda image, label, numbers: score(image, label, numbers).reshape(1).clamp(0, 1),
            size=1,
            epsilon=epsilon,
            split=split,
            purpose=f"{purpose}: {split}",
        )
        return min(1.0, max(0.0, total.item() / units))

    def _noisy_total(
        self, of_unit: OfUnit, *, size: int, epsilon: float, split: str, purpose: str
    ) -> Tensor:
        """Sum vectors of L1 norm 1 at most over all units of a split, with Laplace noise."""
        self._book(purpose, Mechanism("laplace", 1 / epsilon))
        part = self._part(split)
        everyone = torch.arange(len(part.firsts))
        total = self._clipped_sum(part, everyone, of_unit, size, 1.0, 1, None)
        return total.double().cpu() + noise.laplace(size, scale=1 / epsilon)

    @torch.no_grad()
    def _clipped_sum(
        self,
        part: "_Part",
        chosen: Tensor,
        of_unit: OfUnit,
        size: int,
        norm: float,
        order: int,
        at_once: Halving | None,
    ) -> Tensor:
        """Sum clipped vectors, (D,) float32; a sum tried again in smaller parts has equal draws."""
        rows = part.draw_rows(chosen)
        drawn = noise.uniforms(len(rows) * UNIFORMS, dtype=torch.float32)
        numbers = drawn.view(-1, UNIFORMS)
        vectorised = vmap(of_unit)

        def compute(limit: int) -> Tensor:
            total = torch.zeros(size, device=self._device)
            for some, uniform in zip(rows.split(limit), numbers.split(limit), strict=True):
                if len(some) == 0:
                    continue
                images = part.images[some.to(part.images.device)].to(self._device)
                labels = part.labels[some].to(self._device)
                with warnings.catch_warnings():
                    # Grids of an augmentation have no vectorised form, and take microseconds.
                    warnings.filterwarnings("ignore", message="There is a performance drop")
                    vectors = vectorised(images, labels, uniform.to(self._device))
                total += clip(vectors, norm, order=order).sum(dim=0)
            return total

        return (at_once or Halving(256, advice=_ADVICE)).run(compute)

    def _part(self, split: str) -> "_Part":
        if split not in self.__parts:
            images = self.__vault.part(split)
            self.__parts[split] = _Part(images, by_patient=self.unit == "patient")
            if self._device.type != "cpu":
                self.__parts[split].images = images.images.to(self._device)
        return self.__parts[split]

    def _book(self, purpose: str, mechanism: Mechanism) -> None:
        event = Event(kind="budgeted", purpose=purpose, run=self.run, mechanism=mechanism)
        self.ledger.book(event)

    def _refuse(self, name: str) -> NoReturn:
        purpose = f"refused: {name}"
        self.ledger.book(Event(kind="fatal", purpose=purpose, run=self.run))
        raise FatalReadError(
            f"Under differential privacy nothing reads {name!r} of private images: only noisy "
            "sums leave them. Nothing was handed out; this run has no proof any more."
        )


class _Part:
    """The units of one split.

    Attributes:
        images: uint8 (rows, C, H, W), sorted by unit.
        labels: (rows,).
        firsts: (N,), first row of each unit.
        sizes: (N,), rows of each unit.
    """

    def __init__(self, images: ImageSet, *, by_patient: bool) -> None:
        # Clusters of near-duplicates depend on all images together, so that they are no units.
        if by_patient and images.groups is not None:
            order = images.groups.argsort(stable=True)
            sizes = images.groups[order].unique_consecutive(return_counts=True)[1]
        else:
            order = torch.arange(len(images))
            sizes = torch.ones(len(images), dtype=torch.int64)
        self.images, self.labels = images.images[order], images.labels[order]
        self.sizes, self.firsts = sizes, sizes.cumsum(0) - sizes

    def draw_rows(self, chosen: Tensor) -> Tensor:
        """Draw one image of each chosen unit, (n,)."""
        rows: Tensor = self.firsts[chosen] + noise.below(self.sizes[chosen])
        return rows
