"""One iteration of a method that follows teachers: what it draws, and what it compares.

Shapes: P parameters, M distilled images.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from iadd.config import Config, Method
from iadd.counts import kept_steps, matching_steps
from iadd.data.augmentation import augment, draw_augmentation
from iadd.distillation.distances import (
    Distance,
    Entered,
    ImportanceRule,
    WeightedDistance,
    WithAngles,
)
from iadd.distillation.importance import Pruning
from iadd.distillation.matching import MatchingGradients, matching_gradients
from iadd.distillation.student import student_steps
from iadd.runtime.compile import choose_compilation
from iadd.runtime.oom import Halving
from iadd.runtime.seed import make_generator
from iadd.training.cost_model import matching_saving
from iadd.trajectories.record import TrajectoryBuffer


class TrajectoryMatching:
    """Compares students of the distilled images with teachers.

    Args:
        config: Settings of the run.
        buffer: The teachers.
        network: Gives the architecture of the students.
        labels: Of the distilled images, (M,).
        channels: C of the images.
        device: Device to compute on.
        on_message: Called with a sentence for the log: how it computes, and when memory ran out.
    """

    def __init__(
        self,
        config: Config,
        buffer: TrajectoryBuffer,
        network: nn.Module,
        labels: Tensor,
        *,
        channels: int,
        device: torch.device | str,
        on_message: Callable[[str], None],
    ) -> None:
        self._config, self._buffer, self._network = config, buffer, network
        self._labels, self._device = labels.to(device), device
        classes = int(labels.max()) + 1
        saved = matching_saving(config, device, channels=channels, classes=classes)
        choice = choose_compilation(config, saved, device)
        if matching_steps(config):
            on_message(f"Matching: {choice.reason}.")
        self._steps = student_steps(
            network, image_size=config.image_size, compiled=choice.compiled, device=device
        )
        self._kept_steps = kept_steps(config, channels=channels, classes=classes)
        batch = config.distillation.syn_batch_size or len(labels)
        self._micro_batch = Halving(
            config.distillation.micro_batch_size or min(batch, len(labels)),
            advice="Use a smaller image_size, width or depth, or a device with more memory.",
            on_halved=lambda size: on_message(
                f"Memory ran out: continuing with {size} images at once (micro_batch_size), which "
                "takes longer and changes the result by rounding alone."
            ),
        )

    def gradients(
        self, images: Tensor, syn_lr: Tensor, weights: Tensor, iteration: int
    ) -> MatchingGradients:
        """Run Algorithm 1, lines 4 to 13.

        Args:
            images: The distilled images, (M, C, H, W), normalised.
            syn_lr: α.
            weights: W, (P,).
            iteration: Of the run, from 0: the draws follow from it.

        Raises:
            OutOfMemoryError: When not even one image at a time fits.
        """
        settings = self._config.distillation
        generator = make_generator(self._config.data_seed, "distillation", iteration)
        teacher = int(torch.randint(len(self._buffer), (), generator=generator))
        epoch = int(torch.randint(self.start_epochs(iteration), (), generator=generator))
        indices = self._draw_mini_batches(generator)
        draws = [
            draw_augmentation(self._config.augmentation, len(batch), generator) for batch in indices
        ]

        def augment_step(images: Tensor, step: int, part: slice) -> Tensor:
            return augment(images, draws[step].part(part), self._config.augmentation)

        start, target = (
            self._buffer.snapshot(teacher, at).to(self._device)
            for at in (epoch, epoch + settings.expert_epochs)
        )
        distance = self._distance(weights, teacher, epoch, iteration)

        def match(micro_batch_size: int) -> MatchingGradients:
            return matching_gradients(
                self._network,
                start,
                target,
                images,
                self._labels,
                indices,
                syn_lr,
                distance,
                augment_step,
                frozen=settings.adjoint == "frozen",
                differentiated_steps=settings.differentiated_steps,
                kept_steps=self._kept_steps,
                micro_batch_size=micro_batch_size,
                steps=self._steps,
            )

        return self._micro_batch.run(match)

    def start_epochs(self, iteration: int) -> int:
        """Return I⁺ of an iteration of the run."""
        settings, (done, following) = self._config.distillation, self._done(iteration)
        last, first = settings.max_start_epoch, settings.first_max_start_epoch
        growing = settings.start_growth * following
        if first == 0 or done >= growing:
            return last
        return first + int((last - first) * done / growing)

    def _distance(self, weights: Tensor, teacher: int, epoch: int, iteration: int) -> Distance:
        """Return the distance of the method, for a student that starts at an epoch of a teacher."""
        settings = self._config.distillation
        rules: dict[Method, Tensor | ImportanceRule] = {
            "iadd": weights,
            "mtt": weights,
            "ddpp": Pruning(settings.pruning_threshold),
            "hop_tm": Entered(before=weights, threshold=self._entry_threshold(iteration)),
        }
        distance = WeightedDistance(
            weights=rules[settings.method],
            relative_to="weighted" if settings.method == "hop_tm" else settings.relative_to,
            step=settings.matched_step,
        )
        if settings.method != "hop_tm" or settings.angle_factor == 0:
            return distance
        middle = self._buffer.snapshot(teacher, epoch + settings.expert_epochs // 2)
        return WithAngles(
            distance=distance, middle=middle.to(self._device), factor=settings.angle_factor
        )

    def _done(self, iteration: int) -> tuple[int, int]:
        """Count the iterations that followed teachers before this one, and all that will."""
        settings = self._config.distillation
        before = settings.condensing_iterations
        return iteration - before, settings.iterations - before

    def _entry_threshold(self, iteration: int) -> float:
        settings, (done, following) = self._config.distillation, self._done(iteration)
        try:
            growth = settings.entry_growth ** (done * settings.entry_growths // following)
        except OverflowError:
            return math.inf
        return settings.entry_threshold * growth

    def _draw_mini_batches(self, generator: torch.Generator) -> list[Tensor]:
        """Draw J mini-batches: shuffled passes over the distilled set, with short last batches."""
        size = self._config.distillation.syn_batch_size or len(self._labels)
        batches: list[Tensor] = []
        while len(batches) < self._config.distillation.syn_steps:
            order = torch.randperm(len(self._labels), generator=generator).to(self._device)
            batches += order.split(size)
        return batches[: self._config.distillation.syn_steps]
