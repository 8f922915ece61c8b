"""Trains teachers by DP-SGD (Abadi et al. 2016) and records them as other trajectories.

A step draws each unit with probability q, clips each unit's gradient, sums, adds noise and divides
by the declared batch. All snapshots of all teachers are covered by one ε, so that whatever is
computed from them alone (distilled images, α, W) is too.

Shapes: P parameters, A of them trained, E epochs.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad

from iadd.config import Config, ConfigError
from iadd.data.augmentation import AugmentationDraw, augment
from iadd.data.normalisation import Normalisation
from iadd.dp.accountant import (
    EpsilonUnreachableError,
    Mechanism,
    noise_multiplier,
    sampled_gaussian,
)
from iadd.dp.allow_list import biases_without_effect, check_layers
from iadd.dp.canaries import Canaries, draw_canaries
from iadd.dp.ledger import counts_of
from iadd.dp.private_data import COUNT_EPSILON, OfUnit, PrivateData
from iadd.networks.build import build_network, flatten_parameters, layers_of
from iadd.runtime.checkpoint import (
    CheckpointStore,
    CheckpointTimer,
    FileCheckpoint,
    pack,
    replacing,
    unpack,
)
from iadd.runtime.oom import Halving
from iadd.runtime.precision import computing_at
from iadd.runtime.progress import Progress, ProgressListener
from iadd.runtime.seed import derive_seed
from iadd.trajectories.buffer import TrajectoryError, trajectory_path
from iadd.trajectories.canary_scores import score_canaries
from iadd.trajectories.snapshot_file import write_tensors

_AT_ONCE = 128
_MOST_EXTRA_NOISE = 4.0
_ADVICE = "Lower width or depth, or use a device with more memory."


def public_normalisation(channels: int) -> Normalisation:
    """Return the fixed normalisation of private runs: mean 0.5, deviation 0.25.

    The mean and deviation of the images would be another read of them.
    """
    return Normalisation((0.5,) * channels, (0.25,) * channels)


@dataclass(frozen=True)
class PrivatePlan:
    """The steps of one teacher, from public numbers alone.

    Attributes:
        rate: q, the probability of each unit to take part in a step.
        batch: Units of a step on average, which the noisy sum is divided by.
        ends: (E,), number of steps after each epoch.
        noise: σ, standard deviation of the noise over the clipping norm.
        others: Reads that are paid for from the same ε.
    """

    rate: float
    batch: float
    ends: tuple[int, ...]
    noise: float
    others: tuple[tuple[Mechanism, int], ...]

    @property
    def steps(self) -> int:
        """Steps of one teacher."""
        return self.ends[-1]


def plan_private_teachers(config: Config, units: int) -> PrivatePlan:
    """Plan the steps of the teachers, and the noise that keeps all of them within ε.

    Args:
        config: Settings of the run.
        units: N, declared or noisy.

    Raises:
        EpsilonUnreachableError: When ε is too small for any noise.
    """
    settings, protection = config.teacher, config.protection
    batch = min(settings.teacher_batch_size, units)
    rate = batch / units
    per_epoch = units / batch
    epochs = range(1, settings.teacher_epochs + 1)
    ends = tuple(max(epoch, round(epoch * per_epoch)) for epoch in epochs)
    declared = protection.declared_patients > 0
    others = () if declared else ((Mechanism("laplace", 1 / COUNT_EPSILON), 1),)
    noise = noise_multiplier(
        protection.epsilon,
        protection.delta,
        steps=settings.teachers * ends[-1],
        rate=rate,
        others=dict(others),
    )
    return PrivatePlan(rate, batch, ends, noise, others)


def record_private_trajectory(
    train: PrivateData,
    config: Config,
    teacher: int,
    *,
    out: Path,
    on_progress: ProgressListener,
    checkpoint: CheckpointStore | None,
    checkpoint_seconds: float,
    device: torch.device | str,
) -> Path:
    """Train one teacher by DP-SGD and write its trajectory.

    Each step is booked before it is taken. Steps that an interruption took away are taken again
    and booked again; the remaining ones then get more noise, so that ε holds. Where that would be
    more than four times as much, the remaining steps are left out.

    Args:
        train: The images behind their ledger.
        config: Settings of the run, with ``privacy`` ``dp``.
        teacher: Number of the teacher, from 0.
        out: Folder for the trajectory.
        on_progress: Called after each epoch.
        checkpoint: Store for the state between steps; a file beside the trajectory unless given.
        checkpoint_seconds: Time between two checkpoints, at least one step.
        device: Device to compute on.

    Returns:
        Path of the trajectory file.

    Raises:
        BudgetExceededError: When the dataset's budget does not allow the whole plan. Nothing was
            read.
        ConfigError: When ``privacy`` is not ``dp``, or a layer may mix or remember images.
        TrajectoryError: When the checkpoint is of other settings.
        OutOfMemoryError: When not even one image at a time fits.
    """
    path = trajectory_path(out, teacher)
    if path.exists():
        return path
    if config.protection.privacy != "dp":
        raise ConfigError("Private data are read only under privacy dp.")
    partial = path.with_suffix(".partial")
    store = FileCheckpoint(partial) if checkpoint is None else checkpoint
    data = train.for_run(config.teacher_key(), device=device)
    # Asked before the canaries join, who are no patients.
    plan = plan_private_teachers(config, data.unit_count())
    canaries = _canaries_of(data, config)
    if canaries is not None:
        data = data.with_canaries(canaries)
    run = _PrivateTeacher(data, config, teacher, plan, torch.device(device))
    if (saved := store.read()) is not None:
        run.restore(saved)
    else:
        # Without the name of the recording, steps lost before the first checkpoint were free.
        store.write(run.to_bytes())
    noise = run.noise_for_rest()
    if noise is None:
        on_progress(run.progress("An interruption has spent ε: the last steps are left out."))
    else:
        data.ledger.admit({sampled_gaussian(noise, run.plan.rate): run.plan.steps - run.step})
    timer = CheckpointTimer(checkpoint_seconds)
    with computing_at(config.compute.precision):
        while run.step < run.plan.steps:
            run.take_step(noise)
            finished = run.step in run.plan.ends
            if run.step < run.plan.steps:
                timer.run_if_due(lambda: store.write(run.to_bytes()))
            if finished:
                on_progress(run.progress())
    tensors = {"snapshots": torch.stack(run.snapshots)}
    if canaries is not None:
        scores = run.score(canaries)
        tensors |= {"canary_scores": scores, "canary_included": canaries.included}
    with replacing(path) as file:
        write_tensors(file, {name: t.float() for name, t in tensors.items()}, run.document())
    partial.unlink(missing_ok=True)
    return path


def _canaries_of(data: PrivateData, config: Config) -> Canaries | None:
    count = config.protection.canaries
    if count == 0:
        return None
    return draw_canaries(
        count,
        image_shape=data.image_shape,
        classes=len(data.classes),
        seed=config.data_seed,
    )


class _PrivateTeacher:
    """One teacher in training: the whole state of a checkpoint."""

    def __init__(
        self,
        data: PrivateData,
        config: Config,
        teacher: int,
        plan: PrivatePlan,
        device: torch.device,
    ) -> None:
        self.data, self.config, self.teacher, self._device = data, config, teacher, device
        self.plan = plan
        self.normalisation = public_normalisation(data.image_shape[0])
        network = build_network(
            config.network,
            channels=data.image_shape[0],
            classes=len(data.classes),
            image_size=config.image_size,
            seed=derive_seed(config.data_seed, "teacher", teacher, "initialisation"),
            precision=config.compute.precision,
        )
        check_layers(network)
        frozen = biases_without_effect(network, data.image_shape)
        self.network = network.to(device)
        theta = flatten_parameters(network)
        self.trained = torch.ones(len(theta), dtype=torch.bool, device=device)
        for name, part in layers_of(network):
            self.trained[part] = name not in frozen
        self.theta = theta.to(device)
        self.velocity = torch.zeros_like(self.theta)
        self.snapshots = [theta.cpu()]
        self.step = 0
        self.recording = secrets.token_hex(8)
        self._at_once = Halving(_AT_ONCE, advice=_ADVICE)

    def take_step(self, noise: float | None) -> None:
        """Take one step of DP-SGD; None changes nothing."""
        if noise is not None:
            settings, protection = self.config.teacher, self.config.protection
            total = self.data.noisy_sum(
                gradient_of_unit(
                    self.network, self.theta, self.trained, self.normalisation, self.config
                ),
                size=int(self.trained.sum()),
                clip_norm=protection.clip_norm,
                noise_multiplier=noise,
                rate=self.plan.rate,
                purpose=self._purpose(),
                at_once=self._at_once,
            )
            gradient = torch.zeros_like(self.theta)
            gradient[self.trained] = total / self.plan.batch
            self.velocity = settings.teacher_momentum * self.velocity + gradient
            self.theta = self.theta - settings.teacher_lr * self.velocity
        self.step += 1
        # Several epochs end at one step where there are fewer units than in a batch.
        self.snapshots += [self.theta.cpu()] * self.plan.ends.count(self.step)

    def score(self, canaries: Canaries) -> Tensor:
        """Score how much each canary moved the teacher, (m,) float64."""
        plain = replace(
            self.config, augmentation=replace(self.config.augmentation, augmentation=())
        )

        def gradient_at(theta: Tensor) -> OfUnit:
            everything = torch.ones_like(self.trained)
            return gradient_of_unit(self.network, theta, everything, self.normalisation, plain)

        snapshots = [theta.to(self._device) for theta in self.snapshots]
        norm = self.config.protection.clip_norm
        return score_canaries(canaries, snapshots, gradient_at, clip_norm=norm)

    def noise_for_rest(self) -> float | None:
        """Return σ of the remaining steps, or None where lost steps have spent what they need."""
        events = [e for e in self.data.ledger.events() if e.purpose == self._purpose()]
        booked = counts_of(events)
        lost = sum(booked.values()) - self.step
        rest = self.plan.steps - self.step
        if lost <= 0 or rest == 0:
            return self.plan.noise
        planned = sampled_gaussian(self.plan.noise, self.plan.rate)
        spent: Counter[Mechanism] = booked + Counter(dict(self.plan.others))
        spent[planned] += (self.config.teacher.teachers - 1) * self.plan.steps
        try:
            noise = noise_multiplier(
                self.config.protection.epsilon,
                self.config.protection.delta,
                steps=rest,
                rate=self.plan.rate,
                others={mechanism: count for mechanism, count in spent.items() if count > 0},
            )
        except EpsilonUnreachableError:
            return None
        return noise if noise <= _MOST_EXTRA_NOISE * self.plan.noise else None

    def progress(self, message: str | None = None) -> Progress:
        """Report the finished epochs; the loss of private images is no public number."""
        epochs = self.config.teacher.teacher_epochs
        done = len(self.snapshots) - 1
        return Progress(phase="teaching", done=done, total=epochs, unit="epochs", message=message)

    def document(self) -> dict[str, Any]:
        """Describe the teacher for its trajectory file. No noise and no draw is in it."""
        nothing = [None] * (len(self.snapshots) - 1)
        return {
            "teacher": self.teacher,
            "teacher_key": self.config.teacher_key(),
            "classes": self.data.classes,
            "mean": self.normalisation.mean,
            "std": self.normalisation.std,
            "curves": {"loss": nothing, "accuracy": nothing},
        }

    def to_bytes(self) -> bytes:
        """Serialise the checkpoint."""
        tensors = {
            "snapshots": torch.stack(self.snapshots),
            "theta": self.theta,
            "velocity": self.velocity,
        }
        document = {**self.document(), "recording": self.recording, "step": self.step}
        return pack(tensors, document)

    def restore(self, saved: bytes) -> None:
        """Restore the state of a checkpoint.

        Raises:
            TrajectoryError: When it is of other settings.
        """
        tensors, document = unpack(saved)
        own = (self.config.teacher_key(), self.teacher)
        if (document.get("teacher_key"), document.get("teacher")) != own:
            raise TrajectoryError(
                "The checkpoint belongs to a teacher of other settings: remove it, or choose "
                "another folder."
            )
        self.recording, self.step = document["recording"], document["step"]
        self.snapshots = list(tensors["snapshots"])
        self.theta = tensors["theta"].to(self._device)
        self.velocity = tensors["velocity"].to(self._device)

    def _purpose(self) -> str:
        return f"gradients of teacher {self.teacher}, recording {self.recording}"


def gradient_of_unit(
    network: nn.Module,
    theta: Tensor,
    trained: Tensor,
    normalisation: Normalisation,
    config: Config,
) -> OfUnit:
    """Make the function that computes one unit's gradient, for :meth:`PrivateData.noisy_sum`.

    The operation of the augmentation is drawn once for the step, its parameters for each unit.

    Args:
        network: Gives the architecture.
        theta: (P,), where the gradient is taken.
        trained: (P,) bool, the parameters that are trained; the others stay as in `theta`.
        normalisation: Public normalisation.
        config: Settings of the augmentation.

    Returns:
        A function that returns (A,).
    """
    operations = config.augmentation.augmentation
    operation = secrets.choice(operations) if operations else None
    place = trained.nonzero().squeeze(1)
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    layers = layers_of(network)

    def of_unit(image: Tensor, label: Tensor, uniforms: Tensor) -> Tensor:
        draw = AugmentationDraw(operation, uniforms[None])
        augmented = augment(normalisation.apply(image[None]), draw, config.augmentation)

        def loss(values: Tensor) -> Tensor:
            whole = theta.index_put((place,), values)
            parameters = {name: whole[part].view(shapes[name]) for name, part in layers}
            logits = functional_call(network, parameters, (augmented,))
            return F.cross_entropy(logits, label[None])

        gradient: Callable[[Tensor], Tensor] = grad(loss)
        return gradient(theta[place])

    return of_unit
