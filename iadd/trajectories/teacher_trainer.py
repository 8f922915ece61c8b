"""Trains teachers: plain or sharpness-aware SGD over shuffled batches (section 3.1).

Several teachers of one architecture are trained together where one alone leaves the device idle;
each has its own batches, drawn as if it were alone.

Shapes: T teachers trained together, P parameters.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iadd.networks.build import build_network
from iadd.runtime.oom import Halving
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import derive_seed
from iadd.trajectories.snapshot_file import Snapshots
from iadd.trajectories.teacher_step import Batch, TeacherStep

_ADVICE = "Lower teacher_batch_size, width or networks_at_once."
_TINY = 1e-12


class Teachers:
    """T teachers in training: the whole state of a checkpoint.

    Args:
        teacher_step: The training step that they share.
        numbers: Numbers of the teachers, from 0; they determine initialisation and batches.
        folder: Folder for their snapshots during training.
    """

    def __init__(self, teacher_step: TeacherStep, numbers: Sequence[int], folder: Path) -> None:
        self.teacher_step, self.numbers = teacher_step, tuple(numbers)
        self._settings = teacher_step.config.teacher
        self.parameters = self._initialise()
        self.optimizer = torch.optim.SGD(
            self.parameters, lr=self._settings.teacher_lr, momentum=self._settings.teacher_momentum
        )
        self._at_once = Halving(self._settings.teacher_batch_size, advice=_ADVICE)
        self._folder = folder
        self.snapshots = [Snapshots(folder) for _ in self.numbers]
        self.curves: list[dict[str, list[float]]] = [
            {"loss": [], "accuracy": []} for _ in self.numbers
        ]
        self._take_snapshots()

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.snapshots[0]) - 1

    def train_epoch(self) -> list[dict[str, float]]:
        """Train for one pass over the images in shuffled batches (the last may be smaller).

        Returns:
            ``loss`` and ``accuracy`` of each teacher, over the epoch.

        Raises:
            OutOfMemoryError: When not even one image at a time fits.
        """
        teacher_step = self.teacher_step
        epochs = [teacher_step.draw_epoch(number, self.epoch) for number in self.numbers]
        losses = torch.zeros(len(self.numbers), device=teacher_step.device)
        correct = torch.zeros(len(self.numbers), device=teacher_step.device)
        with computing_at(teacher_step.config.compute.precision):
            for batches in zip(*epochs, strict=True):
                loss, right = self.step(batches)
                losses += loss
                correct += right
        self._take_snapshots()
        seen = sum(len(batch.indices) for batch in epochs[0])
        # The epoch waits for the device here only.
        rows = torch.stack([losses, correct], dim=1).tolist()
        metrics = [{"loss": loss / seen, "accuracy": right / seen} for loss, right in rows]
        for curves, row in zip(self.curves, metrics, strict=True):
            for name, value in row.items():
                curves[name].append(value)
        return metrics

    def step(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Take one step; nothing in it waits for the device.

        Args:
            batches: One for each teacher, all of one size.

        Returns:
            The losses before the step, summed over each batch, (T,), and the numbers of correct
            predictions (T,).
        """
        gradients, losses, correct = self._at_once.run(
            lambda at_once: self._gradients(batches, at_once)
        )
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self.optimizer.zero_grad()
        return losses, correct

    def document(self, position: int) -> dict[str, Any]:
        """Describe one teacher for its trajectory file."""
        key = self.teacher_step.whitening_key
        return {
            "teacher": self.numbers[position],
            "teacher_key": self.teacher_step.config.teacher_key(),
            "classes": self.teacher_step.classes,
            "mean": self.teacher_step.normalisation.mean,
            "std": self.teacher_step.normalisation.std,
            "curves": self.curves[position],
            # In a file of its own beside the trajectories, which share it.
            **({} if key is None else {"whitening": key}),
        }

    def momenta(self) -> dict[int, Tensor]:
        """Return SGD's momentum by parameter, each (T, …); empty before the first step or at 0."""
        states = {i: self.optimizer.state.get(p, {}) for i, p in enumerate(self.parameters)}
        return {
            index: state["momentum_buffer"]
            for index, state in states.items()
            if state.get("momentum_buffer") is not None
        }

    def restore(
        self,
        snapshots: Sequence[Iterable[Tensor]],
        curves: Sequence[dict[str, list[float]]],
        momenta: Mapping[int, Tensor],
    ) -> None:
        """Restore the state of a checkpoint.

        Args:
            snapshots: For each teacher, e + 1 vectors (P,).
            curves: For each teacher, its curves.
            momenta: Result of :meth:`momenta`.
        """
        for position, rows in enumerate(snapshots):
            self.snapshots[position].close()
            self.snapshots[position] = Snapshots(self._folder)
            for theta in rows:
                self.snapshots[position].append(theta)
        self.curves = [dict(row) for row in curves]
        latest = torch.stack([kept.last for kept in self.snapshots]).to(self.teacher_step.device)
        sizes = [parameter[0].numel() for parameter in self.parameters]
        for parameter, part in zip(self.parameters, latest.split(sizes, dim=1), strict=True):
            parameter.copy_(part.view_as(parameter))
        for index, momentum in momenta.items():
            parameter = self.parameters[index]
            self.optimizer.state[parameter]["momentum_buffer"] = momentum.to(parameter.device)

    def close(self) -> None:
        """Delete the snapshots from disk."""
        for snapshots in self.snapshots:
            snapshots.close()

    def _initialise(self) -> list[Tensor]:
        """Initialise networks and stack their parameters, each (T, …)."""
        config = self.teacher_step.config
        networks = [
            build_network(
                config.network,
                channels=self.teacher_step.channels,
                classes=len(self.teacher_step.classes),
                image_size=config.image_size,
                seed=derive_seed(config.data_seed, "teacher", number, "initialisation"),
            )
            for number in self.numbers
        ]
        return [
            torch.stack([parameter.detach() for parameter in alike]).to(self.teacher_step.device)
            for alike in zip(*(network.parameters() for network in networks), strict=True)
        ]

    def _take_snapshots(self) -> None:
        rows = torch.cat([p.detach().flatten(1) for p in self.parameters], dim=1).cpu()
        for snapshots, theta in zip(self.snapshots, rows, strict=True):
            snapshots.append(theta)

    def _gradients(
        self, batches: Sequence[Batch], at_once: int
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Compute the gradients of a step, with the summed losses and correct predictions (T,).

        With ρ > 0 the gradient is s = g at θ + ρ·g/‖g‖, g the gradient at θ of the same augmented
        batch (Foret et al. 2021, SAM, eq. 2 and 3); with a weight γ of the surrogate gap, s less γ
        times the part of g that is at right angles to s (Zhuang et al. 2022, GSAM, eq. 8).
        """
        rho, gap = self._settings.teacher_flatness, self._settings.teacher_gap
        found = self.teacher_step.gradients(self.parameters, batches, at_once)
        if rho == 0:
            return found
        gradients, losses, correct = found
        reach = rho / (_norms(gradients) + _TINY)
        uphill = [
            parameter + _by_teacher(reach, gradient) * gradient
            for parameter, gradient in zip(self.parameters, gradients, strict=True)
        ]
        # Copies, since the second call of a compiled program may overwrite the first result.
        losses, correct = losses.clone(), correct.clone()
        if gap == 0:
            return self.teacher_step.gradients(uphill, batches, at_once)[0], losses, correct
        gradients = tuple(gradient.clone() for gradient in gradients)
        flat = self.teacher_step.gradients(uphill, batches, at_once)[0]
        products = [
            (one * other).flatten(1).sum(dim=1) for one, other in zip(gradients, flat, strict=True)
        ]
        along = torch.stack(products).sum(dim=0) / (_norms(flat).square() + _TINY)
        flat = tuple(
            sharp - gap * (gradient - _by_teacher(along, sharp) * sharp)
            for gradient, sharp in zip(gradients, flat, strict=True)
        )
        return flat, losses, correct


def _norms(gradients: Sequence[Tensor]) -> Tensor:
    """Norm of each teacher's whole gradient, (T,), from its parts (T, …)."""
    squares = [gradient.flatten(1).square().sum(dim=1) for gradient in gradients]
    return torch.stack(squares).sum(dim=0).sqrt()


def _by_teacher(factors: Tensor, form: Tensor) -> Tensor:
    """Reshape a factor per teacher, (T,), to multiply a tensor (T, …)."""
    return factors.view(-1, *[1] * (form.ndim - 1))
