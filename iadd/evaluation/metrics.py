"""Metrics of one classifier, and their spread over several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from iadd.evaluation.learning_rate import RateSearch

ROC_POINTS = 51
"""Points of a ROC curve: false positive rates 0, 0.02, … 1."""
FEWEST_FOR_ROC = 10
"""Test images of a class, and of the others, below which a curve would reveal single images."""

Spread = dict[str, float | int]


@dataclass(frozen=True)
class Scores:
    """Metrics of one network on one test set, all between 0 and 1.

    Attributes:
        accuracy: Share of correct predictions.
        balanced_accuracy: Mean of the classes' sensitivities.
        macro_f1: Mean of the classes' F1.
        auroc: Mean of the classes' areas under the curve, each against the rest.
        sensitivity: Per class, (classes,).
        specificity: Per class, (classes,).
        class_auroc: Per class, (classes,).
        confusion: Counts, true class by row, (classes, classes) int64.
        roc: Per class against the rest, the true positive rate at each of ``ROC_POINTS`` false
            positive rates, (classes, ROC_POINTS).
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    auroc: float
    sensitivity: Tensor
    specificity: Tensor
    class_auroc: Tensor
    confusion: Tensor
    roc: Tensor

    @classmethod
    def of(cls, probabilities: Tensor, labels: Tensor) -> "Scores":
        """Compare probabilities (N, classes) with labels (N,)."""
        # Imported here: it brings scipy and matplotlib, which take longer to load than torch.
        from torchmetrics.functional.classification import (
            multiclass_accuracy,
            multiclass_auroc,
            multiclass_confusion_matrix,
            multiclass_f1_score,
            multiclass_recall,
            multiclass_specificity,
        )

        n = probabilities.shape[1]

        def per_class(metric: Callable[..., Tensor]) -> Tensor:
            return metric(probabilities, labels, num_classes=n, average="none")

        class_auroc = per_class(multiclass_auroc)
        return cls(
            accuracy=multiclass_accuracy(probabilities, labels, n, average="micro").item(),
            balanced_accuracy=multiclass_recall(probabilities, labels, n, average="macro").item(),
            macro_f1=multiclass_f1_score(probabilities, labels, n, average="macro").item(),
            auroc=class_auroc.mean().item(),
            sensitivity=per_class(multiclass_recall),
            specificity=per_class(multiclass_specificity),
            class_auroc=class_auroc,
            confusion=multiclass_confusion_matrix(probabilities, labels, n),
            roc=_roc(probabilities, labels),
        )


@dataclass(frozen=True)
class Evaluation:
    """Several networks trained from scratch on the same kind of set, on one test set.

    Attributes:
        scores: One per network.
        classes: Names of the classes.
        lr: Learning rate that the networks were trained with.
        epochs: Passes over their training images.
        training_images: Number of images that each was trained on.
        search: The search that the learning rate was chosen by; None where it was given.
    """

    scores: Sequence[Scores]
    classes: tuple[str, ...]
    lr: float
    epochs: int
    training_images: int
    search: RateSearch | None = None

    def spread(self, name: str) -> Spread:
        """Return mean, standard deviation (n − 1) and number of networks of a metric."""
        return _spread([getattr(s, name) for s in self.scores])

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types, in the shape of ``report.json``."""
        confusion = torch.stack([s.confusion for s in self.scores]).sum(dim=0)
        support = self.scores[0].confusion.sum(dim=1)

        def of_class(name: str, label: int) -> Spread:
            return _spread([float(getattr(s, name)[label]) for s in self.scores])

        return {
            **{
                name: self.spread(name)
                for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc")
            },
            "per_class": {
                name: {
                    "sensitivity": of_class("sensitivity", label),
                    "specificity": of_class("specificity", label),
                    "auroc": of_class("class_auroc", label),
                    "support": int(support[label]),
                }
                for label, name in enumerate(self.classes)
            },
            "confusion": confusion.tolist(),
            "lr": self.lr,
            "epochs": self.epochs,
            "training_images": self.training_images,
            **({"lr_search": self.search.to_dict()} if self.search else {}),
        }

    def roc_curves(self) -> dict[str, Any]:
        """Compute ROC curves as plain JSON types: rates of four digits, averaged vertically.

        Returns:
            ``false_positive_rate``, and under ``classes`` for each class the ``mean`` and ``std``
            of the networks' true positive rates there; None for a class with fewer than
            ``FEWEST_FOR_ROC`` test images in it or outside it.
        """
        support = self.scores[0].confusion.sum(dim=1)
        rates = torch.stack([s.roc for s in self.scores]).double()
        std = rates.std(dim=0) if len(rates) > 1 else torch.zeros_like(rates[0])

        def of_class(label: int) -> dict[str, list[float]] | None:
            inside = int(support[label])
            if min(inside, int(support.sum()) - inside) < FEWEST_FOR_ROC:
                return None
            return {"mean": _rounded(rates.mean(dim=0)[label]), "std": _rounded(std[label])}

        return {
            "false_positive_rate": _rounded(_false_positive_rates()),
            "classes": {name: of_class(label) for label, name in enumerate(self.classes)},
        }


def _false_positive_rates() -> Tensor:
    return torch.linspace(0, 1, ROC_POINTS, dtype=torch.float64)


def _roc(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Compute true positive rates on a grid, so that several networks' curves can be averaged.

    Between its points a curve is linear, as for the area under it; where it rises vertically, the
    upper end counts (Fawcett 2006, "An introduction to ROC analysis", alg. 3).
    """
    from torchmetrics.functional.classification import multiclass_roc

    grid = _false_positive_rates()
    curves = []
    false_rates, true_rates, _ = multiclass_roc(probabilities, labels, probabilities.shape[1])
    for false_rate, true_rate in zip(false_rates, true_rates, strict=True):
        x, y = false_rate.double().cpu(), true_rate.double().cpu()
        below = (torch.searchsorted(x, grid, right=True) - 1).clamp(0, len(x) - 1)
        above = (below + 1).clamp(max=len(x) - 1)
        width = (x[above] - x[below]).clamp(min=1e-12)
        share = ((grid - x[below]) / width).clamp(0, 1)
        curves.append(y[below] + share * (y[above] - y[below]))
    return torch.stack(curves)


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def _spread(values: Sequence[float]) -> Spread:
    tensor = torch.tensor(values, dtype=torch.float64)
    std = tensor.std().item() if len(values) > 1 else 0.0
    return {"mean": tensor.mean().item(), "std": std, "n": len(values)}
