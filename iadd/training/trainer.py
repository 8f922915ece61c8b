"""Trains networks from scratch, one or several at once, and predicts with them."""

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

RngKey = tuple[str | int, ...]
"""Names a stream of random numbers: equal keys and seeds draw the same numbers."""


@dataclass(frozen=True)
class NetworkSpec:
    """One network to train.

    Attributes:
        fetch: Maps indices (n,) to normalised images (n, C, H, W) on the device of the labels.
        labels: (M,) int64, on the device to compute on.
        rng_key: Key of the random numbers of initialisation and batches.
        lr: Learning rate of the first half; the recipe's unless given.
        order: Draws the indices of an epoch, in training order; some may come often and some not
            at all. Each image once, shuffled, unless given.
        seed: Seed of the batches; the run's public one unless given. Batches of real images take
            the private one.
    """

    fetch: Callable[[Tensor], Tensor]
    labels: Tensor
    rng_key: RngKey
    lr: float | None = None
    order: Callable[[torch.Generator], Tensor] | None = None
    seed: int | None = None

    def draw_epoch(self, generator: torch.Generator) -> Tensor:
        """Draw the indices of one epoch, in training order."""
        if self.order is not None:
            return self.order(generator)
        return torch.randperm(len(self.labels), generator=generator)

    def most_per_step(self, recipe: Recipe) -> int:
        """Return the largest number of images in a step."""
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
    """Train a network on a distilled set as :func:`iadd.evaluate` trains those that it tests.

    Args:
        distilled: The set, fresh or from a bundle.
        config: Network, augmentation, epochs and seed; the set's own unless given.
        lr: Learning rate; α, which was learned with the images, unless given.
        number: Another number gives another initialisation.
        device: Device to compute on.

    Returns:
        The network. It reads images normalised by ``distilled.normalisation``;
        :func:`iadd.predict` does both.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    config = config or distilled.config
    images = distilled.images.to(device)
    (network,) = train_networks(
        [
            NetworkSpec(
                lambda batch: images[batch], distilled.labels.to(device), ("evaluation", number)
            )
        ],
        classes=len(distilled.classes),
        channels=images.shape[1],
        config=config,
        recipe=small_set_recipe(config, distilled.syn_lr if lr is None else lr),
    )
    return network


def train_networks(
    specs: Sequence[NetworkSpec],
    *,
    classes: int,
    channels: int,
    config: Config,
    recipe: Recipe,
    at_once: int | None = None,
    on_epoch: Callable[[], None] | None = None,
    on_predictions: Callable[[int, Tensor, Tensor], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> list[nn.Module]:
    """Train networks of one architecture, several together where that pays.

    Each has its own initialisation, batches and augmentation, the same as when it is trained
    alone, so that the result is the same to rounding however many are trained together. When
    memory runs out, the failed step is repeated from its unchanged parameters with half as many
    networks at once, and then with half as many images, weighted m/n.

    Args:
        specs: The networks to train; all have the same number of images.
        classes: Number of logits.
        channels: C of the images.
        config: Network, augmentation, precision and seed.
        recipe: Recipe of the training.
        at_once: Networks trained together; 0 chooses. ``networks_at_once`` unless given.
        on_epoch: Called after each network's pass over its images; may raise to stop.
        on_predictions: Called after each step of each network with its number among the specs, the
            indices (n,) of the images of the step, and whether each (n,) was classified correctly
            before the step.
        on_message: Called with a line for the log when memory ran out.

    Raises:
        ValueError: When the specs have unequal numbers of images.
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    if len({len(spec.labels) for spec in specs}) > 1:
        raise ValueError("Networks trained together have as many images each.")
    networks = [
        build_network(
            config.network,
            channels=channels,
            classes=classes,
            image_size=config.image_size,
            seed=derive_seed(config.seed, *spec.rng_key, "initialisation"),
            precision=config.compute.precision,
        ).to(spec.labels.device)
        for spec in specs
    ]
    step = networks_at_once(
        config.compute.networks_at_once if at_once is None else at_once,
        networks=networks,
        images=specs[0].most_per_step(recipe),
        shape=(channels, config.image_size, config.image_size),
    )
    trained: list[nn.Module] = []
    with computing_at(config.compute.precision):
        for first in range(0, len(specs), step):
            part = slice(first, first + step)
            notify = partial(_notify, on_predictions, first) if on_predictions else None
            group = _Group(networks[part], specs[part], config, recipe, notify, on_message)
            for epoch in range(recipe.epochs):
                group.train_epoch(epoch)
                for _ in range(len(group.specs)):
                    if on_epoch:
                        on_epoch()
            trained += group.networks.unstack()
    return trained


@dataclass(frozen=True)
class _Batch:
    """The mini-batch of one network in one step."""

    spec: NetworkSpec
    indices: Tensor
    draw: AugmentationDraw


def _notify(
    on_predictions: Callable[[int, Tensor, Tensor], None],
    first: int,
    batches: Sequence[_Batch],
    correct: Tensor,
) -> None:
    for number, (batch, own) in enumerate(zip(batches, correct, strict=True), start=first):
        on_predictions(number, batch.indices, own)


class _Group:
    """Networks in training that take each step together."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        specs: Sequence[NetworkSpec],
        config: Config,
        recipe: Recipe,
        on_predictions: Callable[[Sequence[_Batch], Tensor], None] | None,
        on_message: Callable[[str], None] | None,
    ) -> None:
        self.networks, self.specs = StackedNetworks(networks), specs
        self._config, self._recipe, self._on_predictions = config, recipe, on_predictions
        self._optimizer = torch.optim.SGD(
            self.networks.parameters.values(), lr=recipe.lr, momentum=recipe.momentum
        )
        # SGD has one rate: a network's own rate is a factor on its gradients, momentum included.
        rates = [recipe.lr if spec.lr is None else spec.lr for spec in specs]
        self._lr_factors = None
        if set(rates) != {recipe.lr}:
            self._lr_factors = torch.tensor(rates, device=specs[0].labels.device) / recipe.lr
        self._generators = [
            make_generator(
                config.seed if spec.seed is None else spec.seed, *spec.rng_key, "batches"
            )
            for spec in specs
        ]
        log = on_message or (lambda _: None)
        self._at_once = Halving(
            len(specs),
            advice=_ADVICE,
            on_halved=lambda size: log(_HALVED.format("networks", size)),
        )
        self._images = Halving(
            specs[0].most_per_step(recipe),
            advice=_ADVICE,
            on_halved=lambda size: log(_HALVED.format("images", size)),
        )

    def train_epoch(self, epoch: int) -> None:
        """Train every network for one pass over its images."""
        if epoch == (self._recipe.epochs + 1) // 2:
            self._optimizer.param_groups[0]["lr"] = self._recipe.lr / 10
        orders = [
            spec.draw_epoch(generator).to(spec.labels.device).split(self._recipe.batch_size)
            for spec, generator in zip(self.specs, self._generators, strict=True)
        ]
        for indices in zip(*orders, strict=True):
            self._step(
                [
                    _Batch(
                        spec,
                        part,
                        draw_augmentation(self._config.augmentation, len(part), generator),
                    )
                    for spec, part, generator in zip(
                        self.specs, indices, self._generators, strict=True
                    )
                ]
            )

    def _step(self, batches: Sequence[_Batch]) -> None:
        step = self._forward_backward(batches)
        for parameter, gradient in zip(
            self.networks.parameters.values(), step.gradients, strict=True
        ):
            if self._lr_factors is not None:
                gradient = gradient * self._lr_factors.view(-1, *[1] * (gradient.ndim - 1))
            parameter.grad = gradient
        self._optimizer.step()
        if self._on_predictions:
            self._on_predictions(batches, step.correct)

    def _forward_backward(self, batches: Sequence[_Batch]) -> Step:
        """Compute the gradients of a step, as much at once as memory holds."""
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
        return Step([torch.cat(g) for g in gradients], torch.cat([step.correct for step in steps]))

    def _of_networks(self, batches: Sequence[_Batch], part: slice, at_once: int) -> Step:
        size = len(batches[0].indices)
        total: list[Tensor] = []
        correct = []
        for first in range(0, size, at_once):
            chosen = slice(first, min(first + at_once, size))
            images = torch.stack([self._augmented(batch, chosen) for batch in batches])
            labels = torch.stack([batch.spec.labels[batch.indices[chosen]] for batch in batches])
            found = self.networks.forward_backward(images, labels, part)
            # ℓ is a mean over the mini-batch: a part is weighted by its share.
            share = labels.shape[1] / size
            gradients = [g if share == 1 else g * share for g in found.gradients]
            total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
            correct.append(found.correct)
        return Step(total, torch.cat(correct, dim=1))

    def _augmented(self, batch: _Batch, part: slice) -> Tensor:
        images = batch.spec.fetch(batch.indices[part])
        return augment(images, batch.draw.part(part), self._config.augmentation)


def predict(network: nn.Module, images: ImageSet, normalisation: Normalisation) -> Tensor:
    """Predict class probabilities of real images, (N, classes), on the CPU, unaugmented."""
    (probabilities,) = predict_each([network], images, normalisation)
    return probabilities


@torch.no_grad()
def predict_each(
    networks: Sequence[nn.Module], images: ImageSet, normalisation: Normalisation
) -> list[Tensor]:
    """Predict real images with several networks; the images are read once for all of them.

    Returns:
        Class probabilities (N, classes) of each network, on the CPU, without augmentation.

    Raises:
        OutOfMemoryError: When not even one image at a time fits into memory.
    """
    device = next(networks[0].parameters()).device
    at_once = Halving(_CHUNK, advice=_ADVICE)

    def compute_logits(chunk: Tensor, size: int) -> list[Tensor]:
        parts = [normalisation.apply(part.to(device)) for part in chunk.split(size)]
        return [torch.cat([network(part) for part in parts]).cpu() for network in networks]

    chunks = [at_once.run(partial(compute_logits, c)) for c in images.images.split(_CHUNK)]
    return [torch.cat(logits).softmax(dim=1) for logits in zip(*chunks, strict=True)]
