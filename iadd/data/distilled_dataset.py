"""The distilled set with its learning rate, importance weights and history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.normalisation import Normalisation
from iadd.data.whitening import Whitening
from iadd.runtime.checkpoint import pack, unpack

CURVES = (
    "iteration",
    "loss",
    "unweighted_loss",
    "syn_lr",
    "weights_mean",
    "weights_min",
    "weights_std",
)
"""Curves of the history: one value for every iteration."""

Randomness = Literal["secret", "published"]
"""Where the draws come from that touch the images."""

_PRIVATE = ("importance_weights", "difference", "initial_images")
"""Tensors that stay with the organisation; a set read from a bundle has none of them."""


@dataclass(frozen=True)
class History:
    """The course of a distillation.

    Attributes:
        curves: One list per name in ``CURVES``, all of the same length.
        validation: One entry per evaluation on the validation split, with ``iteration``
            (0 is the start) and ``balanced_accuracy``.
    """

    curves: Mapping[str, list[float]] = field(default_factory=lambda: {n: [] for n in CURVES})
    validation: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class DistilledDataset:
    """A few synthetic images per class, the learning rate to train with, and W.

    Attributes:
        images: (M, C, H, W) float32, in the space of ``normalisation``; M = classes·IPC.
        labels: (M,) int64, class by class.
        classes: Names, in the order of the labels.
        syn_lr: α*, the learned learning rate.
        importance_weights: W*, (P,), or None: a bundle does not contain it.
        difference: |θ_J − θ*|, the mean over the iterations, (P,), or None: not in a bundle.
        history: The course of the distillation.
        config: The settings it was made with.
        normalisation: Mean and standard deviation of the training images, and their whitening
            where there is one: its inverse shows the images as pictures.
        initial_images: Start of the images, (M, C, H, W), or None: not in a bundle.
        best_iteration: The iteration kept, chosen on the validation split. 0 is the start.
        randomness: ``secret`` where no published seed repeats what was drawn from the images,
            ``published`` where ``config.seed`` does, None where that is not known.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    syn_lr: float
    importance_weights: Tensor | None
    difference: Tensor | None = None
    history: History
    config: Config
    normalisation: Normalisation
    initial_images: Tensor | None
    best_iteration: int
    randomness: Randomness | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_on_grey_levels(self) -> bool:
        """True if every value is one of 256 grey levels: then its pictures are all that it holds.

        Pictures can hide in a set of other values, below a grey level or outside of black and
        white, where neither an audit of the pictures nor a person sees them.
        """
        if not bool(self.images.isfinite().all()):
            return False
        return torch.equal(self.normalisation.round_to_grey_levels(self.images), self.images)

    def to_bytes(self) -> bytes:
        """Serialise the set as one safetensors file; equal content gives equal bytes."""
        tensors = {"images": self.images, "labels": self.labels}
        for name in _PRIVATE:
            tensor = getattr(self, name)
            if tensor is not None:
                tensors[name] = tensor
        if self.normalisation.whitening is not None:
            tensors |= self.normalisation.whitening.tensors()
        document = {
            "classes": self.classes,
            "syn_lr": self.syn_lr,
            "history": {
                "curves": dict(self.history.curves),
                "validation": self.history.validation,
            },
            "config": self.config.to_dict(),
            "mean": self.normalisation.mean,
            "std": self.normalisation.std,
            "best_iteration": self.best_iteration,
            "randomness": self.randomness,
        }
        return pack(tensors, document)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        tensors, document = unpack(data)
        history: dict[str, Any] = document["history"]
        return cls(
            images=tensors["images"],
            labels=tensors["labels"],
            classes=tuple(document["classes"]),
            syn_lr=document["syn_lr"],
            history=History(history["curves"], history["validation"]),
            config=Config.from_dict(document["config"]),
            normalisation=Normalisation(
                tuple(document["mean"]), tuple(document["std"]), Whitening.from_tensors(tensors)
            ),
            **{name: tensors.get(name) for name in _PRIVATE},
            best_iteration=document["best_iteration"],
            randomness=document.get("randomness"),
        )
