"""Runs one distillation: its state, one iteration at a time, and its checkpoint."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from iadd.config import CONDENSING, Config
from iadd.data.distilled_dataset import CURVES, DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.distillation.condensation import Condensation
from iadd.distillation.importance import ImportanceWeights, is_collapsed
from iadd.distillation.initialisation import correctly_classified, initialise
from iadd.distillation.matching import MatchingGradients
from iadd.distillation.trajectory_matching import TrajectoryMatching
from iadd.dp.private_data import PrivateData
from iadd.evaluation.evaluator import validate
from iadd.networks.build import build_architecture, layers_of
from iadd.runtime.checkpoint import pack, unpack
from iadd.trajectories.record import TrajectoryBuffer


class DistillationDivergedError(RuntimeError):
    """The loss is no longer finite. The message names the settings to change."""


class CheckpointMismatchError(ValueError):
    """A checkpoint belongs to a run with other settings."""


@dataclass
class _State:
    """The state that the three SGD updates of an iteration change.

    Attributes:
        images: The distilled images, (M, C, H, W).
        average: Their moving average, (M, C, H, W); the images themselves where β is 0.
        syn_lr: α.
        weights: W.
        difference: Mean over the iterations of |θ_J − θ*|, (P,).
        images_momentum: Momentum of the images.
        lr_momentum: Momentum of α.
    """

    images: Tensor
    average: Tensor
    syn_lr: Tensor
    weights: ImportanceWeights
    difference: Tensor
    images_momentum: Tensor
    lr_momentum: Tensor


@dataclass
class _Best:
    """The best iteration so far."""

    images: Tensor
    syn_lr: float
    score: float
    iteration: int


class DistillationRun:
    """One distillation: the state, the history, and one iteration at a time.

    Attributes:
        iteration: Number of finished iterations.
        history: Curves and validation figures so far.
        messages: Lines for the log that were not emitted yet.
    """

    def __init__(
        self,
        config: Config,
        buffer: TrajectoryBuffer,
        network: nn.Module,
        initial: Tensor,
        labels: Tensor,
        device: torch.device | str,
        condensation: Condensation | None = None,
    ) -> None:
        self.config, self.buffer, self.device = config, buffer, device
        self._layers = [part for _, part in layers_of(network)]
        self._condensation = condensation
        self.initial, self.labels = initial, labels
        images = self._in_range(initial.to(device))
        self.device_labels = labels.to(device)
        lr = torch.tensor(config.distillation.syn_lr, device=device)
        self.state = _State(
            images=images.clone(),
            average=images.clone(),
            syn_lr=lr,
            # Under hop_tm no parameter counts yet.
            weights=self._weights(
                torch.full(
                    (buffer.parameter_count,),
                    -1.0 if config.distillation.method == "hop_tm" else 0.0,
                    device=device,
                )
            ),
            difference=torch.zeros(buffer.parameter_count, device=device),
            images_momentum=torch.zeros_like(images),
            lr_momentum=torch.zeros_like(lr),
        )
        self.best = _Best(images.clone(), lr.item(), -math.inf, 0)
        self.history = History()
        self.iteration = 0
        self.messages: list[str] = []
        self._collapsed = False
        self._following = TrajectoryMatching(
            config,
            buffer,
            network,
            labels,
            channels=images.shape[1],
            device=device,
            on_message=self.messages.append,
        )

    @classmethod
    def start(
        cls,
        train: ImageSet,
        buffer: TrajectoryBuffer,
        config: Config,
        device: torch.device | str,
        *,
        private: PrivateData | None = None,
        saved: bytes | None = None,
    ) -> Self:
        """Make the images of iteration 0.

        Args:
            train: Images of all splits; those of ``train`` are read.
            buffer: The teachers.
            config: Settings of the run.
            device: Device to compute on.
            private: The images behind their ledger, for ``dp_mean`` starts.
            saved: A checkpoint that is restored next; the start is the one in it.
        """
        train = train.part("train")
        settings = config.distillation
        if saved is not None and settings.initialisation == "dp_mean":
            # Its noise has no seed: it was stored, and another draw would be another read.
            initial = unpack(saved)[0]["initial"]
            labels = torch.arange(len(train.classes)).repeat_interleave(settings.images_per_class)
        else:
            needed = settings.start_from == "correct" and settings.initialisation in (
                "real",
                "k_mean",
            )
            correct = correctly_classified(train, buffer, config, device=device) if needed else None
            initial, labels = initialise(
                train, buffer.normalisation, config, correct=correct, private=private
            )
        network = build_architecture(
            config, channels=train.images.shape[1], classes=len(train.classes)
        ).to(device)
        condensation = None
        if settings.condensing_iterations:
            method = settings.method if settings.method in CONDENSING else "dm"
            condensation = Condensation(method, train, labels, buffer.normalisation, config, device)
        return cls(config, buffer, network, initial, labels, device, condensation)

    def iterate(self) -> dict[str, float]:
        """Run one iteration: of Algorithm 1, lines 4 to 14, or of a comparison with real images.

        Raises:
            DistillationDivergedError: When the loss is not finite.
            OutOfMemoryError: When not even one image at a time fits.
        """
        if self._condensation is not None and self.iteration < self._condensing:
            return self._condense(self._condensation)
        if self.iteration == self._condensing > 0:
            # What moved the images so far points elsewhere.
            self.state.images_momentum = torch.zeros_like(self.state.images)
        state = self.state
        gradients = self._following.gradients(
            state.images, state.syn_lr, state.weights.values, self.iteration
        )
        loss = gradients.loss.item()
        self._check(loss, gradients.images, "Lower syn_lr (α₀), lr_lr or lr_img and distill again")
        self._update(gradients)
        self.iteration += 1
        return self._record(loss, gradients.unweighted_loss.item())

    @property
    def _condensing(self) -> int:
        return self.config.distillation.condensing_iterations

    def _condense(self, condensation: Condensation) -> dict[str, float]:
        """Run one comparison with real images."""
        settings, state = self.config.distillation, self.state
        loss, gradient = condensation.gradient(state.images, self.iteration)
        self._check(loss.item(), gradient, "Lower lr_img or warm_start_lr and distill again")
        lr = settings.lr_img if settings.method in CONDENSING else settings.warm_start_lr
        self._move_images(gradient, lr)
        condensation.train_network(state.images, self.iteration)
        self.iteration += 1
        return self._record(loss.item(), loss.item())

    def _check(self, loss: float, gradient: Tensor, advice: str) -> None:
        if not (math.isfinite(loss) and bool(gradient.isfinite().all())):
            raise DistillationDivergedError(
                f"The matching loss became {loss} at iteration {self.iteration + 1}: the student "
                f"diverged. {advice}; the teachers are kept."
            )

    def _weights(self, offset: Tensor) -> ImportanceWeights:
        return ImportanceWeights(offset, self._layers)

    def _update(self, gradients: MatchingGradients) -> None:
        """Apply Algorithm 1, line 14: eqs. 10 to 12, once per iteration."""
        settings, state = self.config.distillation, self.state
        matched = self.iteration - self._condensing
        state.lr_momentum = settings.momentum * state.lr_momentum + gradients.syn_lr
        stepped = state.syn_lr - settings.lr_lr * state.lr_momentum
        # α must stay above 0: a step takes away half of it at most.
        state.syn_lr = torch.maximum(stepped, state.syn_lr / 2)
        self._move_images(gradients.images, settings.lr_img)
        if settings.method == "iadd" and settings.lr_weights > 0:
            state.weights.step(
                gradients.importance_weights, settings.lr_weights, settings.weights_gradient
            )
        elif settings.method == "hop_tm":
            state.weights.offset = gradients.weights - 1
        elif settings.method == "ddpp":
            # W becomes the share of iterations in which each parameter counted.
            state.weights.offset.lerp_(gradients.weights - 1, 1 / (matched + 1))
        state.difference.lerp_(gradients.difference.abs(), 1 / (matched + 1))

    def _move_images(self, gradient: Tensor, lr: float) -> None:
        settings, state = self.config.distillation, self.state
        state.images_momentum = settings.momentum * state.images_momentum + gradient
        state.images = self._in_range(state.images - lr * state.images_momentum)
        state.average = torch.lerp(state.images, state.average, settings.image_average)

    def _in_range(self, images: Tensor) -> Tensor:
        """Keep intensities between black and white, where grey levels are released."""
        if self.config.distillation.image_format == "float":
            return images
        return self.buffer.normalisation.clip(images)

    def _released(self, images: Tensor) -> Tensor:
        """Round to what is released: validated, evaluated, audited and packed are one set."""
        if self.config.distillation.image_format == "float":
            return images
        return self.buffer.normalisation.round_to_grey_levels(images)

    def is_due_for_validation(self) -> bool:
        """Return whether this iteration is evaluated on the validation split."""
        every = self.config.distillation.validate_every
        last = self.iteration == self.config.distillation.iterations
        return every > 0 and (last or self.iteration % every == 0)

    def choose(self, validation: ImageSet, on_epoch: Callable[[], None]) -> dict[str, float]:
        """Evaluate this iteration on the validation split, and keep it if it is the best so far."""
        if self.config.distillation.validate_every == 0 or len(validation) == 0:
            return {}
        lr = self.state.syn_lr.item()
        images = self._released(self.state.average)
        score = validate(
            images,
            self.device_labels,
            lr,
            validation,
            self.buffer.normalisation,
            self.config,
            on_epoch=on_epoch,
        )
        self.history.validation.append({"iteration": self.iteration, "balanced_accuracy": score})
        if score > self.best.score:
            self.best = _Best(images.clone(), lr, score, self.iteration)
        return {"validation_balanced_accuracy": score}

    def result(self, classes: tuple[str, ...]) -> DistilledDataset:
        """Return the best iteration, or the last one when none was evaluated."""
        if not self.history.validation:
            lr = self.state.syn_lr.item()
            self.best = _Best(self._released(self.state.average), lr, math.nan, self.iteration)
        matched = self.config.distillation.method not in CONDENSING
        return DistilledDataset(
            images=self.best.images.cpu(),
            labels=self.labels,
            classes=classes,
            syn_lr=self.best.syn_lr,
            importance_weights=self.state.weights.values.cpu() if matched else None,
            difference=self.state.difference.cpu() if matched else None,
            history=self.history,
            config=self.config,
            normalisation=self.buffer.normalisation,
            initial_images=self.initial,
            best_iteration=self.best.iteration,
            randomness="published" if self.config.private_seed is None else "secret",
        )

    def to_bytes(self) -> bytes:
        """Serialise the checkpoint: all that an iteration reads, and all that the result holds."""
        state = self.state
        tensors = {
            "images": state.images,
            "average": state.average,
            "syn_lr": state.syn_lr,
            "weights_offset": state.weights.offset,
            "difference": state.difference,
            "images_momentum": state.images_momentum,
            "lr_momentum": state.lr_momentum,
            "best_images": self.best.images,
        }
        if self.config.distillation.initialisation == "dp_mean":
            tensors["initial"] = self.initial
        if self._condensation is not None and self.iteration < self._condensing:
            tensors["network"] = self._condensation.parameters()
        document = {
            "config": self.config.to_dict(),
            "iteration": self.iteration,
            "best": {
                "syn_lr": self.best.syn_lr,
                # JSON has no −∞, which says that nothing was chosen yet.
                "score": self.best.score if math.isfinite(self.best.score) else None,
                "iteration": self.best.iteration,
            },
            "curves": dict(self.history.curves),
            "validation": self.history.validation,
        }
        return pack(tensors, document)

    def restore(self, data: bytes) -> None:
        """Restore the state of a checkpoint."""
        tensors, document = unpack(data)
        if Config.from_dict(document["config"]) != self.config:
            raise CheckpointMismatchError(
                "The checkpoint belongs to a distillation with other settings: remove it to start "
                "anew, or run with the settings that it was made with."
            )
        on_device = {name: tensor.to(self.device) for name, tensor in tensors.items()}
        self.state = _State(
            images=on_device["images"],
            # Checkpoints of earlier versions have neither an average nor a difference.
            average=on_device.get("average", on_device["images"]),
            syn_lr=on_device["syn_lr"],
            weights=self._weights(on_device["weights_offset"]),
            difference=on_device.get("difference", self.state.difference),
            images_momentum=on_device["images_momentum"],
            lr_momentum=on_device["lr_momentum"],
        )
        if self._condensation is not None and "network" in tensors:
            self._condensation.restore(on_device["network"])
        best = document["best"]
        score = -math.inf if best["score"] is None else best["score"]
        self.best = _Best(on_device["best_images"], best["syn_lr"], score, best["iteration"])
        self.history = History(document["curves"], document["validation"])
        self.iteration = document["iteration"]

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
        self._watch_collapse(weights)
        return {name: row[name] for name in ("loss", "unweighted_loss", "syn_lr", "weights_mean")}

    def _watch_collapse(self, weights: Tensor) -> None:
        if self.config.distillation.method != "iadd":
            return
        before, self._collapsed = self._collapsed, is_collapsed(weights)
        if self._collapsed and not before:
            self.messages.append(
                f"The importance weights are collapsing: their mean is {weights.mean():.2f} and "
                f"the smallest {weights.min():.2f}, so the loss falls without better images. "
                "Watch the unweighted loss, and lower lr_weights."
            )
