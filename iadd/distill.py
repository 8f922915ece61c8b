"""Algorithm 1: learning the distilled images, α and W."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from iadd.augment import augment, draw_augmentation
from iadd.checkpoint import (
    CHECKPOINT_SECONDS,
    CheckpointStore,
    Pacer,
    as_store,
    pack,
    unpack,
)
from iadd.config import Config
from iadd.distilled import CURVES, DistilledDataset, History
from iadd.evaluate import validate
from iadd.imageset import ImageSet
from iadd.importance import ImportanceWeights
from iadd.initialise import initialise
from iadd.matching import matching_gradients
from iadd.networks import build_network
from iadd.progress import Progress, ProgressListener, ignore_progress
from iadd.seeding import make_generator
from iadd.trajectory import TrajectoryBuffer


class DistillationDivergedError(RuntimeError):
    """The loss is no number any more. The message names the settings to change."""


class CheckpointMismatchError(ValueError):
    """A checkpoint belongs to a run of other settings."""


def distill(
    train: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    *,
    on_progress: ProgressListener | None = None,
    checkpoint: Path | CheckpointStore | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    device: torch.device | str = "cpu",
) -> DistilledDataset:
    """Learn a distilled set (Algorithm 1).

    On CPU and at a fixed number of threads the result is the same to the bit, resumed or not.

    Args:
        train: Images of the ``train`` split (for the start) and of the ``validation`` split (by
            which the best iteration is chosen; without any, the last is kept).
        buffer: The teachers.
        config: Settings of the run.
        on_progress: Called after each iteration, with the metrics ``loss``, ``unweighted_loss``,
            ``syn_lr`` and, after an evaluation, ``validation_balanced_accuracy``.
        checkpoint: Where to leave the state; a run that finds one there goes on from it.
        checkpoint_seconds: Time between two checkpoints, at least one iteration.
        device: Where to compute.

    Raises:
        TooFewImagesError: When a class holds fewer images than its start needs.
        CheckpointMismatchError: When the checkpoint is of a run of other settings.
        DistillationDivergedError: When the loss stops being a number. The last checkpoint stays.
    """
    listener, store, pacer = (
        on_progress or ignore_progress,
        as_store(checkpoint),
        Pacer(checkpoint_seconds),
    )
    run = _Run.start(train.part("train"), buffer, config, device)
    if store is not None and (data := store.read()) is not None:
        run.restore(data)
    validation = train.part("validation")
    total = config.distillation.iterations

    def report(metrics: dict[str, float]) -> None:
        listener(
            Progress(
                phase="distilling",
                done=run.iteration,
                total=total,
                unit="iterations",
                metrics=metrics,
            )
        )

    def beat() -> None:
        report({})

    if run.iteration == 0 and not run.history.validation:
        run.choose(validation, beat)
    while run.iteration < total:
        metrics = run.iterate()
        if run.is_due_for_validation():
            metrics |= run.choose(validation, beat)
        if store is not None and run.iteration < total:
            pacer.run_if_due(lambda: store.write(run.to_bytes()))
        report(metrics)
    return run.result(train.classes)


@dataclass
class _State:
    """What the three SGD updates act on."""

    images: Tensor
    syn_lr: Tensor
    weights: ImportanceWeights
    images_momentum: Tensor
    lr_momentum: Tensor


@dataclass
class _Best:
    """The iteration to keep so far."""

    images: Tensor
    syn_lr: float
    score: float
    iteration: int


class _Run:
    """One distillation: the state, the history, and one iteration at a time."""

    def __init__(
        self,
        config: Config,
        buffer: TrajectoryBuffer,
        network: nn.Module,
        initial: Tensor,
        labels: Tensor,
        device: torch.device | str,
    ) -> None:
        self.config, self.buffer, self.network, self.device = config, buffer, network, device
        self.initial, self.labels = initial, labels
        images = initial.to(device)
        self.device_labels = labels.to(device)
        lr = torch.tensor(config.distillation.syn_lr, device=device)
        self.state = _State(
            images=images.clone(),
            syn_lr=lr,
            weights=ImportanceWeights.ones(buffer.parameter_count, device),
            images_momentum=torch.zeros_like(images),
            lr_momentum=torch.zeros_like(lr),
        )
        self.best = _Best(images.clone(), lr.item(), -math.inf, 0)
        self.history = History()
        self.iteration = 0

    @classmethod
    def start(
        cls,
        train: ImageSet,
        buffer: TrajectoryBuffer,
        config: Config,
        device: torch.device | str,
    ) -> Self:
        initial, labels = initialise(train, buffer.normalisation, config)
        network = build_network(
            config.network,
            channels=train.images.shape[1],
            classes=len(train.classes),
            image_size=config.image_size,
            seed=0,  # gives the form; its parameters are never read
        ).to(device)
        return cls(config, buffer, network, initial, labels, device)

    def iterate(self) -> dict[str, float]:
        """One iteration of Algorithm 1: lines 4 to 14."""
        settings, state = self.config.distillation, self.state
        generator = make_generator(self.config.seed, "distillation", self.iteration)
        teacher = int(torch.randint(len(self.buffer), (), generator=generator))
        epoch = int(torch.randint(settings.max_start_epoch, (), generator=generator))
        indices = self._draw_mini_batches(generator)
        draws = [
            draw_augmentation(self.config.augmentation, len(batch), generator) for batch in indices
        ]

        def augment_step(images: Tensor, step: int, part: slice) -> Tensor:
            return augment(images, draws[step].part(part), self.config.augmentation)

        gradients = matching_gradients(
            self.network,
            self.buffer.snapshot(teacher, epoch).to(self.device),
            self.buffer.snapshot(teacher, epoch + settings.expert_epochs).to(self.device),
            state.images,
            self.device_labels,
            indices,
            state.syn_lr,
            state.weights.values,
            augment_step,
            micro_batch_size=settings.micro_batch_size,
        )
        loss = gradients.loss.item()
        if not (math.isfinite(loss) and bool(gradients.images.isfinite().all())):
            raise DistillationDivergedError(
                f"The matching loss became {loss} at iteration {self.iteration + 1}: the student "
                "ran away. Lower syn_lr (α₀), lr_lr or lr_img and distill again; the teachers are "
                "kept."
            )
        # Algorithm 1, line 14: eqs. 10 to 12, once per iteration.
        state.lr_momentum = settings.momentum * state.lr_momentum + gradients.syn_lr
        stepped = state.syn_lr - settings.lr_lr * state.lr_momentum
        # α has to stay above 0: a step that would pass it halves α instead.
        state.syn_lr = torch.maximum(stepped, state.syn_lr / 2)
        state.images_momentum = settings.momentum * state.images_momentum + gradients.images
        state.images = state.images - settings.lr_img * state.images_momentum
        if settings.lr_weights > 0:
            state.weights.step(
                gradients.importance_weights, settings.lr_weights, settings.weights_gradient
            )
        self.iteration += 1
        return self._record(loss, gradients.unweighted_loss.item())

    def is_due_for_validation(self) -> bool:
        every = self.config.distillation.validate_every
        last = self.iteration == self.config.distillation.iterations
        return every > 0 and (last or self.iteration % every == 0)

    def choose(self, validation: ImageSet, beat: Callable[[], None]) -> dict[str, float]:
        """Ask the validation split whether this iteration is the best so far."""
        if self.config.distillation.validate_every == 0 or len(validation) == 0:
            return {}
        lr = self.state.syn_lr.item()
        score = validate(
            self.state.images,
            self.device_labels,
            lr,
            validation,
            self.buffer.normalisation,
            self.config,
            on_epoch=beat,
        )
        self.history.validation.append({"iteration": self.iteration, "balanced_accuracy": score})
        if score > self.best.score:
            self.best = _Best(self.state.images.clone(), lr, score, self.iteration)
        return {"validation_balanced_accuracy": score}

    def result(self, classes: tuple[str, ...]) -> DistilledDataset:
        """The best iteration, or the last one when none was asked about."""
        if not self.history.validation:
            lr = self.state.syn_lr.item()
            self.best = _Best(self.state.images, lr, math.nan, self.iteration)
        return DistilledDataset(
            images=self.best.images.cpu(),
            labels=self.labels,
            classes=classes,
            syn_lr=self.best.syn_lr,
            importance_weights=self.state.weights.values.cpu(),
            history=self.history,
            config=self.config,
            normalisation=self.buffer.normalisation,
            initial_images=self.initial,
            best_iteration=self.best.iteration,
        )

    def to_bytes(self) -> bytes:
        """The checkpoint: all that an iteration reads, and all that the result holds."""
        state = self.state
        tensors = {
            "images": state.images,
            "syn_lr": state.syn_lr,
            "weights_offset": state.weights.offset,
            "images_momentum": state.images_momentum,
            "lr_momentum": state.lr_momentum,
            "best_images": self.best.images,
        }
        document = {
            "config": self.config.to_dict(),
            "iteration": self.iteration,
            "best": {
                "syn_lr": self.best.syn_lr,
                # JSON has no −∞: nothing was chosen yet.
                "score": self.best.score if math.isfinite(self.best.score) else None,
                "iteration": self.best.iteration,
            },
            "curves": dict(self.history.curves),
            "validation": self.history.validation,
        }
        return pack(tensors, document)

    def restore(self, data: bytes) -> None:
        """Go on where a checkpoint was left."""
        tensors, document = unpack(data)
        if Config.from_dict(document["config"]) != self.config:
            raise CheckpointMismatchError(
                "The checkpoint belongs to a distillation of other settings: remove it to start "
                "anew, or run with the settings it was made with."
            )
        on_device = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        self.state = _State(
            images=on_device["images"],
            syn_lr=on_device["syn_lr"],
            weights=ImportanceWeights(on_device["weights_offset"]),
            images_momentum=on_device["images_momentum"],
            lr_momentum=on_device["lr_momentum"],
        )
        best = document["best"]
        score = -math.inf if best["score"] is None else best["score"]
        self.best = _Best(on_device["best_images"], best["syn_lr"], score, best["iteration"])
        self.history = History(document["curves"], document["validation"])
        self.iteration = document["iteration"]

    def _draw_mini_batches(self, generator: torch.Generator) -> list[Tensor]:
        """J mini-batches: shuffled passes over the distilled set, the last of each maybe short."""
        size = self.config.distillation.syn_batch_size or len(self.labels)
        batches: list[Tensor] = []
        while len(batches) < self.config.distillation.syn_steps:
            order = torch.randperm(len(self.labels), generator=generator).to(self.device)
            batches += order.split(size)
        return batches[: self.config.distillation.syn_steps]

    def _record(self, loss: float, unweighted_loss: float) -> dict[str, float]:
        weights = self.state.weights.values
        row = {
            "iteration": float(self.iteration),
            "loss": loss,
            "unweighted_loss": unweighted_loss,
            "syn_lr": self.state.syn_lr.item(),
            "weights_mean": weights.mean().item(),
            "weights_min": weights.min().item(),
            "weights_std": weights.std().item(),
        }
        for name in CURVES:
            self.history.curves[name].append(row[name])
        return {name: row[name] for name in ("loss", "unweighted_loss", "syn_lr", "weights_mean")}
