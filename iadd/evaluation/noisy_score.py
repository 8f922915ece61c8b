"""The score of a set made under differential privacy that may be published: noisy, and paid for."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import Unit
from iadd.dp.private_data import OfUnit, PrivateData
from iadd.runtime.progress import ProgressCounter, ProgressListener
from iadd.training.recipe import small_set_recipe
from iadd.training.trainer import NetworkSpec, train_networks

SCORE_EPSILON = 0.1
"""ε of a score. On 3,019 images its noise has a standard deviation of 0.5 points."""


@dataclass(frozen=True, kw_only=True)
class NoisyScore:
    """Accuracy of networks trained on a distilled set, with noise.

    Attributes:
        accuracy: Mean over test units and networks, between 0 and 1.
        epsilon: ε that it cost.
        unit: ``image`` or ``patient``: what counts once.
        networks: Number of networks.
    """

    accuracy: float
    epsilon: float
    unit: Unit
    networks: int

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON types, which :meth:`from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote."""
        return cls(**document)


def noisy_accuracy(
    distilled: DistilledDataset,
    test: PrivateData,
    config: Config,
    *,
    epsilon: float = SCORE_EPSILON,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> NoisyScore:
    """Train networks on a distilled set, as :func:`iadd.evaluate` does, and score them with noise.

    Args:
        distilled: The set.
        test: Images behind their ledger, on `device`; those of the ``test`` split are asked. Their
            noisy number costs ε once for a dataset.
        config: Architecture, number of networks, and how to train them.
        epsilon: ε of the score.
        on_progress: Called after each network's pass over the set.
        device: Device to compute on.

    Raises:
        BudgetExceededError: When the budget does not allow it. Nothing was read.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    count = config.evaluation.evaluation_networks
    recipe = small_set_recipe(config, distilled.syn_lr)
    images, labels = distilled.images.to(device), distilled.labels.to(device)
    networks = train_networks(
        [
            NetworkSpec(lambda batch: images[batch], labels, ("evaluation", number))
            for number in range(count)
        ],
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=recipe,
        on_epoch=ProgressCounter(on_progress, count * recipe.epochs),
    )
    accuracy = test.noisy_score(
        _share_of_right_networks(networks, distilled),
        epsilon=epsilon,
        purpose="accuracy of networks trained on the set",
    )
    return NoisyScore(accuracy=accuracy, epsilon=epsilon, unit=test.unit, networks=count)


def _share_of_right_networks(
    networks: list[torch.nn.Module], distilled: DistilledDataset
) -> OfUnit:
    def score(image: Tensor, label: Tensor, _: Tensor) -> Tensor:
        batch = distilled.normalisation.apply(image[None])
        right = [(network(batch).argmax(dim=1) == label).float() for network in networks]
        return torch.stack(right).mean()

    return score
