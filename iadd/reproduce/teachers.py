"""Tests the teachers themselves, and attacks them, as a distilled set is tested and attacked."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.evaluation.metrics import Evaluation, Scores
from iadd.networks.build import build_architecture, load_parameters
from iadd.runtime.precision import computing_at
from iadd.training.trainer import predict_each
from iadd.trajectories.record import TrajectoryBuffer


def evaluate_teachers(
    buffer: TrajectoryBuffer,
    images: ImageSet,
    config: Config,
    *,
    device: torch.device | str = "cpu",
) -> Evaluation:
    """Test every teacher as it is after its last epoch.

    Args:
        buffer: The teachers.
        images: Images; those of the ``test`` split are used.
        config: Settings of the run.
        device: Device to compute on.
    """
    test = images.part("test")
    scores = [
        Scores.of(probabilities, test.labels)
        for probabilities in _predict(buffer, test, config, device)
    ]
    return Evaluation(
        scores,
        images.classes,
        config.teacher.teacher_lr,
        config.teacher.teacher_epochs,
        len(images.part("train")),
    )


def confidence(
    buffer: TrajectoryBuffer,
    images: ImageSet,
    config: Config,
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Compute the mean over the teachers of log p_y − log Σ_(k≠y) p_k (Carlini et al. 2022, LiRA).

    Returns:
        (N,) float32 for all images, in their order.
    """
    rows = torch.arange(len(images))
    total = torch.zeros(len(images), dtype=torch.float64)
    for probabilities in _predict(buffer, images, config, device):
        own = probabilities[rows, images.labels].double().clamp(1e-12, 1 - 1e-12)
        total += own.log() - (1 - own).log()
    return (total / len(buffer)).float()


def _predict(
    buffer: TrajectoryBuffer, images: ImageSet, config: Config, device: torch.device | str
) -> Iterator[Tensor]:
    """Yield the probabilities (N, K) of one teacher after another."""
    for teacher in range(len(buffer)):
        network: nn.Module = build_architecture(
            config, channels=images.images.shape[1], classes=len(images.classes)
        )
        load_parameters(network, buffer.snapshot(teacher, buffer.epochs))
        with computing_at(config.compute.precision):
            yield from predict_each([network.to(device)], images, buffer.normalisation)
