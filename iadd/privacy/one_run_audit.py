"""Audits a claimed ε with one private training (Steinke, Nasr and Jagielski 2023).

Canaries are additional units: images of random numbers with random labels, each in or out of the
training by a fair coin. They belong to nobody, so that the proof for patients is the same with
them and they cost no ε; they cost a little accuracy, as wrong images do. An attacker who knows all
canaries and every snapshot guesses the coins. Whoever guesses better than the claimed ε allows has
found a bug; guessing worse proves nothing.

Shapes: m canaries, C channels, H = W pixels, P parameters.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.func import vmap

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.dp import noise
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.mechanisms import clip
from iadd.dp.private_data import UNIFORMS, PrivateData
from iadd.intake.splits import SPLITS
from iadd.networks.build import build_architecture
from iadd.privacy.steinke import audited_epsilon
from iadd.runtime.progress import ProgressListener
from iadd.trajectories.buffer import TrajectoryBuffer
from iadd.trajectories.private_teacher import gradient_of_unit
from iadd.trajectories.record import record_trajectories

_CHUNK = 64
_RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class Canaries:
    """Images that belong to nobody, each in or out by a fair coin.

    Attributes:
        images: uint8 (m, C, H, W).
        labels: int64 (m,).
        included: bool (m,), the coins: secret until the training is over.
    """

    images: Tensor
    labels: Tensor
    included: Tensor


@dataclass(frozen=True, kw_only=True)
class OneRunAudit:
    """What the guesses about one run say.

    Attributes:
        epsilon: Lower bound (95%) of ε.
        claimed: ε that the accountant claims, an upper bound.
        right: Right guesses.
        guesses: Guesses, a number fixed before.
        canaries: m.
    """

    epsilon: float
    claimed: float
    right: int
    guesses: int
    canaries: int

    @property
    def exposes_a_bug(self) -> bool:
        """True if the run is less private than claimed."""
        return self.epsilon > self.claimed


def draw_canaries(images: ImageSet, count: int) -> Canaries:
    """Draw canaries of the images' shape and classes; nothing of the images is read.

    Args:
        images: Gives shape and classes.
        count: m, at least 1.
    """
    shape = (count, *images.images.shape[1:])
    pixels = noise.uniforms(torch.Size(shape).numel()) * 256
    return Canaries(
        images=pixels.to(torch.uint8).view(shape),
        labels=noise.below(torch.full((count,), len(images.classes))),
        included=noise.coins(count, probability=0.5),
    )


def with_canaries(images: ImageSet, canaries: Canaries) -> ImageSet:
    """Add the canaries whose coin says so to the training split, each as a unit of its own."""
    own = canaries.included
    count = int(own.sum())
    groups = images.groups
    if groups is not None:
        first = int(groups.max()) + 1 if len(groups) else 0
        groups = torch.cat([groups, torch.arange(first, first + count)])
    split = torch.full((count,), SPLITS.index("train"), dtype=torch.int8)
    return replace(
        images,
        images=torch.cat([images.images, canaries.images[own]]),
        labels=torch.cat([images.labels, canaries.labels[own]]),
        split=torch.cat([images.split, split]),
        groups=groups,
    )


def score_canaries(
    canaries: Canaries,
    buffer: TrajectoryBuffer,
    config: Config,
    *,
    classes: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Score how much each canary seems to have moved the teachers.

    The way from each snapshot to the next is explained by the canaries' clipped gradients (ridge
    regression); a canary's score is the sum of its coefficients.

    Args:
        canaries: The coins are not read.
        buffer: Teachers that were trained with the included ones.
        config: Settings of the teachers.
        classes: Number of classes.
        device: Device to compute on.

    Returns:
        (m,) float64, higher for what was rather in.
    """
    settings = replace(config, augmentation=replace(config.augmentation, augmentation=()))
    channels = canaries.images.shape[1]
    network = build_architecture(config, channels=channels, classes=classes).to(device)
    images, labels = canaries.images.to(device), canaries.labels.to(device)
    numbers = torch.zeros(len(images), UNIFORMS, device=device)
    everything = torch.ones(buffer.parameter_count, dtype=torch.bool, device=device)
    scores = torch.zeros(len(images), dtype=torch.float64)
    for teacher in range(len(buffer)):
        after = buffer.snapshot(teacher, 0).to(device)
        for epoch in range(buffer.epochs):
            theta, after = after, buffer.snapshot(teacher, epoch + 1).to(device)
            of_unit = gradient_of_unit(network, theta, everything, buffer.normalisation, settings)
            rows = [
                vmap(of_unit)(*part)
                for part in zip(*(t.split(_CHUNK) for t in (images, labels, numbers)), strict=True)
            ]
            gradients = clip(torch.cat(rows), config.protection.clip_norm).double().cpu()
            products = gradients @ gradients.T
            ridge = _RIDGE * products.diagonal().mean() * torch.eye(len(products)).double()
            step = gradients @ (theta - after).double().cpu()
            scores += torch.linalg.solve(products + ridge, step)
    return scores


def audit_scores(scores: Tensor, included: Tensor, *, claimed: float, delta: float) -> OneRunAudit:
    """Guess the coins of the quarter with the highest scores and of that with the lowest.

    Args:
        scores: (m,), higher for what was rather in.
        included: (m,) bool.
        claimed: ε that the accountant claims.
        delta: δ of the claim.
    """
    count = len(scores)
    quarter = max(1, count // 4)
    order = scores.argsort(descending=True)
    right = int(included[order[:quarter]].sum()) + int((~included[order[-quarter:]]).sum())
    return OneRunAudit(
        epsilon=audited_epsilon(right, 2 * quarter, candidates=count, delta=delta),
        claimed=claimed,
        right=right,
        guesses=2 * quarter,
        canaries=count,
    )


def one_run_audit(
    images: ImageSet,
    config: Config,
    *,
    canaries: int,
    scratch: Path,
    on_progress: ProgressListener | None = None,
    device: torch.device | str = "cpu",
) -> OneRunAudit:
    """Train teachers once with canaries, and audit the ε that their ledger claims.

    The teachers are thrown away; to audit those that are kept, train them on
    :func:`with_canaries` and call :func:`score_canaries` and :func:`audit_scores`.

    Args:
        images: Images, all splits. They stay inside: nothing of the outcome but the guesses about
            canaries is told.
        config: Settings of a ``dp`` run.
        canaries: m. A bound near the claim needs several hundred.
        scratch: Empty folder for the teachers.
        on_progress: Called after each epoch of each teacher.
        device: Device to compute on.
    """
    drawn = draw_canaries(images, canaries)
    ledger = Ledger(MemoryLedgerStore())
    data = PrivateData(
        with_canaries(images, drawn),
        ledger,
        declared_units=config.protection.declared_patients,
        device=device,
    )
    buffer = record_trajectories(data, config, out=scratch, on_progress=on_progress, device=device)
    delta = config.protection.delta
    scores = score_canaries(drawn, buffer, config, classes=len(images.classes), device=device)
    claimed = ledger.epsilon(delta)
    return audit_scores(scores, drawn.included, claimed=claimed, delta=delta)
