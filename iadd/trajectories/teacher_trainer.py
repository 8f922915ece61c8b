"""Teachers in training: plain or sharpness-aware SGD over shuffled batches (section 3.1).

Several of one form are trained in one go where one alone leaves the device idle; each sees its
own batches, drawn as if it were alone.

Shapes: T teachers trained in one go, P parameters.
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
from iadd.trajectories.teacher_step import Batch, Lesson

_ADVICE = "Lower teacher_batch_size, width or networks_at_once."
_TINY = 1e-12


class Teachers:
    """T teachers in training: all that a checkpoint holds.

    Args:
        lesson: What they learn from.
        numbers: Which teachers, from 0: initialisation and batches follow from the number.
        folder: Where their snapshots are kept meanwhile.
    """

    def __init__(self, lesson: Lesson, numbers: Sequence[int], folder: Path) -> None:
        self.lesson, self.numbers = lesson, tuple(numbers)
        self._settings = lesson.config.teacher
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
        """How many epochs lie behind."""
        return len(self.snapshots[0]) - 1

    def train_epoch(self) -> list[dict[str, float]]:
        """One pass over the images in shuffled batches (the last may be smaller).

        Returns:
            ``loss`` and ``accuracy`` of each teacher, over the epoch.

        Raises:
            OutOfMemoryError: When not even one image at once fits.
        """
        lesson = self.lesson
        epochs = [lesson.draw_epoch(number, self.epoch) for number in self.numbers]
        losses = torch.zeros(len(self.numbers), device=lesson.device)
        hits = torch.zeros(len(self.numbers), device=lesson.device)
        with computing_at(lesson.config.compute.precision):
            for batches in zip(*epochs, strict=True):
                loss, hit = self.step(batches)
                losses += loss
                hits += hit
        self._take_snapshots()
        seen = sum(len(batch.indices) for batch in epochs[0])
        # The only numbers that the epoch waits for.
        rows = torch.stack([losses, hits], dim=1).tolist()
        metrics = [{"loss": loss / seen, "accuracy": hit / seen} for loss, hit in rows]
        for curves, row in zip(self.curves, metrics, strict=True):
            for name, value in row.items():
                curves[name].append(value)
        return metrics

    def step(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Take one step; nothing in it waits for the device.

        Args:
            batches: One for each teacher, all of one size.

        Returns:
            The losses before the step, summed over each batch, (T,), and the hits (T,).
        """
        gradients, losses, hits = self._at_once.run(
            lambda at_once: self._gradients(batches, at_once)
        )
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        self.optimizer.zero_grad()
        return losses, hits

    def document(self, position: int) -> dict[str, Any]:
        """What the file of one teacher says of it."""
        return {
            "teacher": self.numbers[position],
            "teacher_key": self.lesson.config.teacher_key(),
            "classes": self.lesson.classes,
            "mean": self.lesson.normalisation.mean,
            "std": self.lesson.normalisation.std,
            "curves": self.curves[position],
        }

    def momenta(self) -> dict[int, Tensor]:
        """SGD's memory by parameter, each (T, …); empty before the first step and without any."""
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
        """Go on where a checkpoint was left.

        Args:
            snapshots: Of each teacher, e + 1 vectors (P,).
            curves: Of each teacher.
            momenta: As :meth:`momenta` gave them.
        """
        for position, rows in enumerate(snapshots):
            self.snapshots[position].close()
            self.snapshots[position] = Snapshots(self._folder)
            for theta in rows:
                self.snapshots[position].append(theta)
        self.curves = [dict(row) for row in curves]
        latest = torch.stack([kept.last for kept in self.snapshots]).to(self.lesson.device)
        sizes = [parameter[0].numel() for parameter in self.parameters]
        for parameter, part in zip(self.parameters, latest.split(sizes, dim=1), strict=True):
            parameter.copy_(part.view_as(parameter))
        for index, momentum in momenta.items():
            parameter = self.parameters[index]
            self.optimizer.state[parameter]["momentum_buffer"] = momentum.to(parameter.device)

    def close(self) -> None:
        """Give back the disk that the snapshots take."""
        for snapshots in self.snapshots:
            snapshots.close()

    def _initialise(self) -> list[Tensor]:
        """Parameters, each (T, …), of freshly initialised networks."""
        config = self.lesson.config
        networks = [
            build_network(
                config.network,
                channels=self.lesson.channels,
                classes=len(self.lesson.classes),
                image_size=config.image_size,
                seed=derive_seed(config.seed, "teacher", number, "initialisation"),
            )
            for number in self.numbers
        ]
        return [
            torch.stack([parameter.detach() for parameter in alike]).to(self.lesson.device)
            for alike in zip(*(network.parameters() for network in networks), strict=True)
        ]

    def _take_snapshots(self) -> None:
        rows = torch.cat([p.detach().flatten(1) for p in self.parameters], dim=1).cpu()
        for snapshots, theta in zip(self.snapshots, rows, strict=True):
            snapshots.append(theta)

    def _gradients(
        self, batches: Sequence[Batch], at_once: int
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Gradients that a step follows, the summed losses (T,) and the hits (T,) where it starts.

        With ρ > 0 the gradient is that at θ + ρ·g/‖g‖, g the gradient at θ of the same augmented
        batch (Foret et al. 2021, eq. 2 and 3).
        """
        rho = self._settings.teacher_flatness
        found = self.lesson.gradients(self.parameters, batches, at_once)
        if rho == 0:
            return found
        gradients, losses, hits = found
        squares = [gradient.flatten(1).square().sum(dim=1) for gradient in gradients]
        reach = rho / (torch.stack(squares).sum(dim=0).sqrt() + _TINY)
        uphill = [
            parameter + reach.view(-1, *[1] * (parameter.ndim - 1)) * gradient
            for parameter, gradient in zip(self.parameters, gradients, strict=True)
        ]
        # Copies, since the second call of a compiled program may overwrite what the first gave.
        losses, hits = losses.clone(), hits.clone()
        return self.lesson.gradients(uphill, batches, at_once)[0], losses, hits
