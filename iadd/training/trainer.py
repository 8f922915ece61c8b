"""Training networks from scratch, one or several at once, and asking them what they see."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.augmentation import AugmentationDraw, augment, draw_augmentation
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.networks.build import build_network
from iadd.runtime.oom import Halving, OutOfMemoryError
from iadd.runtime.precision import computing_at
from iadd.runtime.seed import derive_seed, make_generator
from iadd.training.concurrency import networks_at_once
from iadd.training.ensemble import StackedNetworks, Step
from iadd.training.recipe import Recipe, small_set_recipe

_CHUNK = 256
_ADVICE = "Choose a narrower network, smaller images, or a device with more memory."
_HALVED = (
    "Memory ran out: from now on {} at once at most: {}. It takes longer and changes the result by "
    "rounding alone."
)

Purpose = tuple[str | int, ...]


@dataclass(frozen=True)
class Pupil:
    """One network to train.

    Attributes:
        fetch: Maps indices (n,) to normalised images (n, C, H, W) on the device of the labels.
        labels: (M,) int64; their device is where to compute.
        purpose: Names the draw of initialisation and batches.
        lr: Learning rate of the first half; the recipe's unless given.
        order: Draws the indices of an epoch, in the order in which they are shown; some may come
            often and some not at all. Each image once, shuffled, unless given.
    """

    fetch: Callable[[Tensor], Tensor]
    labels: Tensor
    purpose: Purpose
    lr: float | None = None
    order: Callable[[torch.Generator], Tensor] | None = None

    def draw_epoch(self, generator: torch.Generator) -> Tensor:
        """Indices of one epoch, in the order in which they are shown."""
        if self.order is not None:
            return self.order(generator)
        return torch.randperm(len(self.labels), generator=generator)

    def most_per_step(self, recipe: Recipe) -> int:
        """Images that a step may hold."""
        if self.order is not None:
            return recipe.batch_size
        return min(recipe.batch_size, len(self.labels))


def train(
    distilled: DistilledDataset,
    config: Config | None = None,
    *,
    lr: float | None = None,
    number: int = 0,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Train a network on a distilled set as :func:`iadd.evaluate` trains those that it asks.

    Args:
        distilled: The set, fresh or from a bundle.
        config: Network, augmentation, epochs and seed; the set's own unless given.
        lr: Learning rate; α, which was learned with the images, unless given.
        number: Another number is another initialisation.
        device: Where to compute.

    Returns:
        The network. It reads images as ``distilled.normalisation`` makes them:
        :func:`iadd.predict` does both.
    """
    config = config or distilled.config
    images = distilled.images.to(device)
    return train_network(
        lambda batch: images[batch],
        distilled.labels.to(device),
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=small_set_recipe(config, distilled.syn_lr if lr is None else lr),
        purpose=("evaluation", number),
    )


def train_network(
    fetch: Callable[[Tensor], Tensor],
    labels: Tensor,
    *,
    classes: int,
    channels: int,
    config: Config,
    recipe: Recipe,
    purpose: Purpose,
    on_epoch: Callable[[], None] | None = None,
) -> nn.Module:
    """Train a network from a fresh initialisation, with the augmentation of the run.

    Args:
        fetch: Maps indices (n,) to normalised images (n, C, H, W) on the device of the labels.
        labels: (M,) int64; their device is where to compute.
        classes: Number of logits.
        channels: C of the images.
        config: Network, augmentation, precision and seed.
        recipe: How to train.
        purpose: Names the draw of initialisation and batches.
        on_epoch: Called after each pass; may raise to stop.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    (network,) = train_networks(
        [Pupil(fetch, labels, purpose)],
        classes=classes,
        channels=channels,
        config=config,
        recipe=recipe,
        on_epoch=on_epoch,
    )
    return network


def train_networks(
    pupils: Sequence[Pupil],
    *,
    classes: int,
    channels: int,
    config: Config,
    recipe: Recipe,
    at_once: int | None = None,
    on_epoch: Callable[[], None] | None = None,
    on_answers: Callable[[int, Tensor, Tensor], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> list[nn.Module]:
    """Train networks of one form, several in one go where that pays.

    Each has its own initialisation, batches and augmentation, the same as when it is trained
    alone, so that the result is the same to rounding however many go together. Where memory runs
    out, the failed step begins anew from its unchanged parameters with half as many networks at
    once, and then with half as many images, weighted m/n.

    Args:
        pupils: The networks to train; each has as many images as the others.
        classes: Number of logits.
        channels: C of the images.
        config: Network, augmentation, precision and seed.
        recipe: How to train.
        at_once: Networks trained in one go; 0 chooses. ``networks_at_once`` unless given.
        on_epoch: Called after each network's pass over its images; may raise to stop.
        on_answers: Called after each step of each network with its number among the pupils, the
            indices (n,) of the images that it saw, and which of them (n,) it named right before
            the step.
        on_message: Called with a line for people when memory ran out.

    Raises:
        ValueError: When the pupils have unequal numbers of images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    if len({len(pupil.labels) for pupil in pupils}) > 1:
        raise ValueError("Networks trained together have as many images each.")
    networks = [
        build_network(
            config.network,
            channels=channels,
            classes=classes,
            image_size=config.image_size,
            seed=derive_seed(config.seed, *pupil.purpose, "initialisation"),
            precision=config.compute.precision,
        ).to(pupil.labels.device)
        for pupil in pupils
    ]
    step = networks_at_once(
        config.compute.networks_at_once if at_once is None else at_once,
        networks=networks,
        images=pupils[0].most_per_step(recipe),
        shape=(channels, config.image_size, config.image_size),
    )
    trained: list[nn.Module] = []
    with computing_at(config.compute.precision):
        for first in range(0, len(pupils), step):
            part = slice(first, first + step)
            told = partial(_tell, on_answers, first) if on_answers else None
            group = _Group(networks[part], pupils[part], config, recipe, told, on_message)
            for epoch in range(recipe.epochs):
                group.train_epoch(epoch)
                for _ in range(len(group.pupils)):
                    if on_epoch:
                        on_epoch()
            trained += group.networks.unstack()
    return trained


@dataclass(frozen=True)
class _Batch:
    """What one network sees in one step."""

    pupil: Pupil
    indices: Tensor
    draw: AugmentationDraw


def _tell(
    on_answers: Callable[[int, Tensor, Tensor], None],
    first: int,
    batches: Sequence[_Batch],
    right: Tensor,
) -> None:
    for number, (batch, answers) in enumerate(zip(batches, right, strict=True), start=first):
        on_answers(number, batch.indices, answers)


class _Group:
    """Networks in training that take each step together."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        pupils: Sequence[Pupil],
        config: Config,
        recipe: Recipe,
        on_answers: Callable[[Sequence[_Batch], Tensor], None] | None,
        on_message: Callable[[str], None] | None,
    ) -> None:
        self.networks, self.pupils = StackedNetworks(networks), pupils
        self._config, self._recipe, self._on_answers = config, recipe, on_answers
        self._optimizer = torch.optim.SGD(
            self.networks.parameters.values(), lr=recipe.lr, momentum=recipe.momentum
        )
        # SGD has one rate: a network's own is a factor on its gradients, now and in the momentum.
        rates = [recipe.lr if pupil.lr is None else pupil.lr for pupil in pupils]
        self._paces = None
        if set(rates) != {recipe.lr}:
            self._paces = torch.tensor(rates, device=pupils[0].labels.device) / recipe.lr
        self._generators = [
            make_generator(config.seed, *pupil.purpose, "batches") for pupil in pupils
        ]
        say = on_message or (lambda _: None)
        self._at_once = Halving(
            len(pupils),
            advice=_ADVICE,
            on_halved=lambda size: say(_HALVED.format("networks", size)),
        )
        self._images = Halving(
            pupils[0].most_per_step(recipe),
            advice=_ADVICE,
            on_halved=lambda size: say(_HALVED.format("images", size)),
        )

    def train_epoch(self, epoch: int) -> None:
        """One pass of every network over its images."""
        if epoch == (self._recipe.epochs + 1) // 2:
            self._optimizer.param_groups[0]["lr"] = self._recipe.lr / 10
        orders = [
            pupil.draw_epoch(generator).to(pupil.labels.device).split(self._recipe.batch_size)
            for pupil, generator in zip(self.pupils, self._generators, strict=True)
        ]
        for indices in zip(*orders, strict=True):
            self._step(
                [
                    _Batch(
                        pupil,
                        part,
                        draw_augmentation(self._config.augmentation, len(part), generator),
                    )
                    for pupil, part, generator in zip(
                        self.pupils, indices, self._generators, strict=True
                    )
                ]
            )

    def _step(self, batches: Sequence[_Batch]) -> None:
        step = self._look(batches)
        for parameter, gradient in zip(
            self.networks.parameters.values(), step.gradients, strict=True
        ):
            if self._paces is not None:
                gradient = gradient * self._paces.view(-1, *[1] * (gradient.ndim - 1))
            parameter.grad = gradient
        self._optimizer.step()
        if self._on_answers:
            self._on_answers(batches, step.right)

    def _look(self, batches: Sequence[_Batch]) -> Step:
        """Find the gradients of a step, by as much at once as memory holds."""
        self._optimizer.zero_grad()
        if self._at_once.size > 1:
            with suppress(OutOfMemoryError):
                return self._at_once.run(
                    lambda networks: self._in_parts(batches, networks, self._images.size)
                )
        return self._images.run(lambda images: self._in_parts(batches, 1, images))

    def _in_parts(self, batches: Sequence[_Batch], networks: int, images: int) -> Step:
        steps = []
        for first in range(0, len(batches), networks):
            part = slice(first, first + networks)
            steps.append(self._of_networks(batches[part], part, images))
        if len(steps) == 1:
            return steps[0]
        gradients = zip(*(step.gradients for step in steps), strict=True)
        return Step([torch.cat(g) for g in gradients], torch.cat([step.right for step in steps]))

    def _of_networks(self, batches: Sequence[_Batch], part: slice, at_once: int) -> Step:
        size = len(batches[0].indices)
        total: list[Tensor] = []
        right = []
        for first in range(0, size, at_once):
            shown = slice(first, min(first + at_once, size))
            images = torch.stack([self._show(batch, shown) for batch in batches])
            labels = torch.stack([batch.pupil.labels[batch.indices[shown]] for batch in batches])
            found = self.networks.look(images, labels, part)
            # ℓ is a mean over the mini-batch: a part counts for its share.
            share = labels.shape[1] / size
            gradients = [g if share == 1 else g * share for g in found.gradients]
            total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
            right.append(found.right)
        return Step(total, torch.cat(right, dim=1))

    def _show(self, batch: _Batch, part: slice) -> Tensor:
        images = batch.pupil.fetch(batch.indices[part])
        return augment(images, batch.draw.part(part), self._config.augmentation)


def predict(network: nn.Module, images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Class probabilities of real images, (N, classes), on the CPU. No augmentation."""
    (probabilities,) = predict_each([network], images, normalisation)
    return probabilities


@torch.no_grad()
def predict_each(
    networks: Sequence[nn.Module], images: ImageSet, normalisation: Normalisation
) -> list[Tensor]:
    """Ask several networks about real images, which are read once for all of them.

    Returns:
        Class probabilities (N, classes) of each network, on the CPU. No augmentation.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    device = next(networks[0].parameters()).device
    at_once = Halving(_CHUNK, advice=_ADVICE)

    def ask(chunk: Tensor, size: int) -> list[Tensor]:
        parts = [normalisation.apply(part.to(device)) for part in chunk.split(size)]
        return [torch.cat([network(part) for part in parts]).cpu() for network in networks]

    answers = [at_once.run(partial(ask, chunk)) for chunk in images.images.split(_CHUNK)]
    return [torch.cat(logits).softmax(dim=1) for logits in zip(*answers, strict=True)]
