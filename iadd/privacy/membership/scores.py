"""What the attacks see of one twin. It stays with the owner: the figures are of single units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from iadd.runtime.checkpoint import pack, unpack

_SIGNAL = "signal."


@dataclass(frozen=True, kw_only=True, eq=False)
class TwinScores:
    """The coins of a twin, and what its distilled set says of each unit.

    Attributes:
        number: Number of the twin.
        key: Name of the settings and the units; twins are compared where it is the same.
        classes: Names of the classes.
        bits: bool (m,), True where the unit was in.
        labels: int64 (m,), class of each unit.
        signals: float32 (m,) each, by name: ``phi``, ``log_p``, ``p``, ``gradient``, ``norm``,
            ``nearest``, ``matched_filter``; what was not measured is left out.
        population: float32 (z,), the probability p of other images, which took no part.
        contributors: bool (m,), True where the start of an image is made of the unit; None where
            starts are made of no single images.
    """

    number: int
    key: str
    classes: tuple[str, ...]
    bits: Tensor
    labels: Tensor
    signals: Mapping[str, Tensor]
    population: Tensor
    contributors: Tensor | None = None

    def to_bytes(self) -> bytes:
        """Serialise the scores; equal content gives equal bytes."""
        tensors = {
            "bits": self.bits,
            "labels": self.labels,
            "population": self.population,
            **{f"{_SIGNAL}{name}": values for name, values in self.signals.items()},
        }
        if self.contributors is not None:
            tensors["contributors"] = self.contributors
        return pack(tensors, {"number": self.number, "key": self.key, "classes": self.classes})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote."""
        tensors, document = unpack(data)
        return cls(
            number=document["number"],
            key=document["key"],
            classes=tuple(document["classes"]),
            bits=tensors["bits"].bool(),
            labels=tensors["labels"],
            signals={
                name.removeprefix(_SIGNAL): values
                for name, values in tensors.items()
                if name.startswith(_SIGNAL)
            },
            population=tensors["population"],
            contributors=tensors.get("contributors"),
        )


def stacked(twins: list[TwinScores], name: str) -> Tensor:
    """Stack a signal of several twins, float64 (R, m)."""
    return torch.stack([twin.signals[name] for twin in twins]).double()
