"""The teacher training step: the images, the order of batches, the gradient of a batch.

Shapes: N images, C channels, H × W pixels, T teachers trained together, n images of a batch,
B batches of an epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from iadd.config import Config, NetworkConfig, Precision, TeacherConfig
from iadd.counts import images_per_epoch, teaching_steps
from iadd.data.augmentation import AugmentationDraw, augment, draw_augmentation
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation, fit_normalisation, whitening_key
from iadd.networks.build import build_network
from iadd.runtime.compile import (
    CompilationChoice,
    choose_compilation,
    compile_step,
    seconds_saved,
)
from iadd.runtime.seed import make_generator
from iadd.training.cost_model import teaching_flops

Gradient = Callable[[tuple[Tensor, ...], Tensor, Tensor], tuple[tuple[Tensor, ...], Tensor, Tensor]]
"""Maps parameters, each (T, …), images (T, n, C, H, W) and labels (T, n) to the gradients of the
mean loss, each (T, …), the mean losses (T,) and the numbers of correct predictions (T,)."""


@dataclass(frozen=True)
class Batch:
    """The mini-batch of one step of one teacher.

    Attributes:
        indices: (n,) int64, on the device, into the training images.
        draw: Their augmentation.
    """

    indices: Tensor
    draw: AugmentationDraw


class TeacherStep:
    """The training step that all teachers of a run share, with the images on the device as bytes.

    Args:
        train: Images of the training split.
        config: Settings of the run.
        device: Device to compute on.
        normalisation: Normalisation of the images; fitted on them unless given.
    """

    def __init__(
        self,
        train: ImageSet,
        config: Config,
        device: torch.device | str,
        normalisation: Normalisation | None = None,
    ) -> None:
        self.config, self.device, self.classes = config, torch.device(device), train.classes
        self.channels = train.images.shape[1]
        self.images, self.labels = train.images.to(device), train.labels.to(device)
        self.normalisation = normalisation or fit_normalisation(train.images, config)
        self._cpu_labels = train.labels
        key = (
            config.network,
            self.channels,
            len(train.classes),
            config.image_size,
            config.compute.precision,
            self.device,
        )
        self._eager = _gradient(*key, compiled=False)
        images = images_per_epoch(config, train.count_by_class())
        choice = choose_teaching_compilation(
            config, self.device, channels=self.channels, classes=len(train.classes), images=images
        )
        self._fast = _gradient(*key, compiled=True) if choice.compiled else self._eager

    @cached_property
    def whitening_key(self) -> str | None:
        """Name of the whitening; None where images are not whitened."""
        if self.normalisation.whitening is None:
            return None
        return whitening_key(self.images, self.config)

    def draw_epoch(self, teacher: int, epoch: int) -> list[Batch]:
        """Draw all random numbers of a teacher's epoch, and copy them to the device once."""
        config = self.config
        generator = make_generator(config.data_seed, "teacher", teacher, "epoch", epoch)
        order = draw_order(self._cpu_labels, len(self.classes), config.teacher, generator)
        parts = order.to(self.device).split(config.teacher.teacher_batch_size)
        draws = [draw_augmentation(config.augmentation, len(part), generator) for part in parts]
        uniforms = torch.cat([draw.uniforms for draw in draws]).to(self.device)
        numbers = uniforms.split(config.teacher.teacher_batch_size)
        return [
            Batch(part, AugmentationDraw(draw.operation, number))
            for part, draw, number in zip(parts, draws, numbers, strict=True)
        ]

    def gradients(
        self, parameters: Sequence[Tensor], batches: Sequence[Batch], at_once: int
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Compute the gradients of the mean loss of a batch for each of T teachers.

        Args:
            parameters: Each (T, …), in the order of the network's.
            batches: One for each teacher, all of one size n.
            at_once: Images of a batch in memory at once; changes the result by rounding alone.

        Returns:
            The gradients, each (T, …), the summed losses (T,) and the numbers of correct
            predictions (T,).
        """
        detached = tuple(parameter.detach() for parameter in parameters)
        size = len(batches[0].indices)
        gradients: tuple[Tensor, ...] | None = None
        losses = torch.zeros(len(batches), device=self.device)
        correct = torch.zeros(len(batches), device=self.device)
        for first in range(0, size, at_once):
            part = slice(first, min(first + at_once, size))
            count = part.stop - part.start
            images = _stack([self._augmented(batch, part) for batch in batches])
            labels = torch.stack([self.labels[batch.indices[part]] for batch in batches])
            # Each shape would be compiled anew, and the short batch at an epoch's end is one step.
            full = count == self.config.teacher.teacher_batch_size
            found, loss, right = (self._fast if full else self._eager)(detached, images, labels)
            if count < size:
                # ℓ is a mean over the batch. The next call of a compiled program may overwrite what
                # this one returned: the product is a copy.
                found = tuple(gradient * (count / size) for gradient in found)
                if gradients is not None:
                    found = tuple(a + b for a, b in zip(gradients, found, strict=True))
            gradients = found
            losses += loss * count
            correct += right
        assert gradients is not None
        return gradients, losses, correct

    def _augmented(self, batch: Batch, part: slice) -> Tensor:
        """Normalise and augment some images of a batch, (m, C, H, W)."""
        images = self.normalisation.apply(self.images[batch.indices[part]])
        return augment(images, batch.draw.part(part), self.config.augmentation)


def choose_teaching_compilation(
    config: Config, device: torch.device | str, *, channels: int, classes: int, images: int
) -> CompilationChoice:
    """Decide whether the steps of teachers are compiled.

    The count covers all teachers of the run: they share one compiled program, or the cache of
    compiled programs where they are spread over processes.

    Args:
        config: Settings of the run.
        device: Device of the run.
        channels: C of the images.
        classes: Number of classes.
        images: Images of an epoch.
    """
    teachers = config.teacher.teachers
    flops = teaching_flops(config, channels=channels, classes=classes, images=images)
    steps = teaching_steps(config, images)
    saved = seconds_saved(teachers * flops, device, steps=teachers * steps)
    return choose_compilation(config, saved, device)


def _stack(tensors: list[Tensor]) -> Tensor:
    """Stack tensors; a single tensor keeps its layout, and with it the rounding of what follows."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)


def draw_order(
    labels: Tensor, classes: int, settings: TeacherConfig, generator: torch.Generator
) -> Tensor:
    """Draw the images of an epoch, in order.

    Args:
        labels: (N,) int64, on the CPU.
        classes: Number of classes.
        settings: ``teacher_sampling`` chooses how to draw.
        generator: Source of random numbers.

    Returns:
        Indices, int64.
    """
    if settings.teacher_sampling == "all":
        return torch.randperm(len(labels), generator=generator)
    members = [(labels == label).nonzero().squeeze(1) for label in range(classes)]
    fewest = min(len(indices) for indices in members)
    shown = [
        indices[torch.randperm(len(indices), generator=generator)[:fewest]] for indices in members
    ]
    return torch.cat(shown)[torch.randperm(fewest * len(shown), generator=generator)]


# One compiled program serves all teachers of one architecture in a process, whatever their run.
@lru_cache(maxsize=16)
def _gradient(
    network: NetworkConfig,
    channels: int,
    classes: int,
    image_size: int,
    precision: Precision,
    device: torch.device,
    *,
    compiled: bool,
) -> Gradient:
    template = build_network(
        network,
        channels=channels,
        classes=classes,
        image_size=image_size,
        seed=0,  # gives the architecture; its parameters are never read
        precision=precision,
    ).to(device)
    names = [name for name, _ in template.named_parameters()]

    def loss_and_correct(
        parameters: tuple[Tensor, ...], images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = functional_call(template, dict(zip(names, parameters, strict=True)), (images,))
        correct = (logits.detach().argmax(dim=1) == labels).sum()
        return F.cross_entropy(logits, labels), correct

    alone = compile_step(loss_and_correct) if compiled else loss_and_correct
    each = vmap(grad_and_value(loss_and_correct, has_aux=True))
    together = compile_step(each) if compiled else each

    def gradient(
        parameters: tuple[Tensor, ...], images: Tensor, labels: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        if len(images) > 1:
            found, (losses, correct) = together(parameters, images, labels)
            return found, losses, correct
        # Ordinary reverse mode: vmap over one network rounds differently.
        own = tuple(parameter[0].requires_grad_() for parameter in parameters)
        loss, correct = alone(own, images[0], labels[0])
        found = torch.autograd.grad(loss, own)
        return tuple(g[None] for g in found), loss.detach()[None], correct[None]

    return gradient
