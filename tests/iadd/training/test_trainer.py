"""Networks trained together, and what happens when memory runs out."""

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import iadd
from iadd.config import Config, NetworkName
from iadd.data.augmentation import augment, draw_augmentation
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.networks.build import build_network, flatten_parameters
from iadd.runtime.oom import OutOfMemoryError
from iadd.runtime.seed import derive_seed, make_generator
from iadd.training.ensemble import StackedNetworks, Step
from iadd.training.recipe import Recipe, full_set_recipe, small_set_recipe
from iadd.training.trainer import (
    NetworkSpec,
    predict,
    predict_each,
    train_networks,
)
from tests.iadd.factories import make_distilled

RECIPE = Recipe(lr=0.05, epochs=3, batch_size=4, momentum=0.9)


@pytest.fixture
def _float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make_specs(count: int, images: int = 6) -> list[NetworkSpec]:
    """Each with images of its own."""
    specs = []
    for number in range(count):
        seen = torch.randn(images, 1, 16, 16, generator=torch.Generator().manual_seed(number))
        specs.append(NetworkSpec(seen.__getitem__, torch.arange(images) % 2, ("p", number)))
    return specs


def train(
    specs: list[NetworkSpec],
    config: Config,
    at_once: int,
    recipe: Recipe = RECIPE,
    on_message: Callable[[str], None] | None = None,
) -> Tensor:
    networks = train_networks(
        specs,
        classes=2,
        channels=1,
        config=config,
        recipe=recipe,
        at_once=at_once,
        on_message=on_message,
    )
    return torch.stack([flatten_parameters(network) for network in networks])


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize(
    "network", ["convnet", "alexnet", pytest.param("resnet18", marks=pytest.mark.slow)]
)
def test_networks_trained_together_are_those_trained_alone(
    network: NetworkName, config: Config
) -> None:
    config = config.override({"network": network})
    recipe = RECIPE if network == "convnet" else Recipe(lr=0.01, epochs=1, batch_size=4, momentum=0)
    specs = make_specs(2)
    together, alone = (train(specs, config, at_once, recipe) for at_once in (2, 1))
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)
    assert not torch.allclose(together[0], together[1])


def test_a_network_alone_is_trained_as_the_textbook_has_it(config: Config) -> None:
    spec = make_specs(1)[0]
    network = build_network(
        config.network,
        channels=1,
        classes=2,
        image_size=16,
        seed=derive_seed(config.seed, *spec.rng_key, "initialisation"),
    )
    generator = make_generator(config.seed, *spec.rng_key, "batches")
    momenta = [torch.zeros_like(p) for p in network.parameters()]
    for epoch in range(RECIPE.epochs):
        rate = RECIPE.lr if epoch < 2 else RECIPE.lr / 10
        for batch in torch.randperm(6, generator=generator).split(RECIPE.batch_size):
            draw = draw_augmentation(config.augmentation, len(batch), generator)
            images = augment(spec.fetch(batch), draw, config.augmentation)
            loss = F.cross_entropy(network(images), spec.labels[batch])
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for p, momentum, gradient in zip(
                    network.parameters(), momenta, gradients, strict=True
                ):
                    momentum.mul_(RECIPE.momentum).add_(gradient)
                    p.sub_(rate * momentum)
    theta = train([spec], config, 0)[0]
    torch.testing.assert_close(theta, flatten_parameters(network), rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("_float64")
def test_a_network_may_have_a_rate_of_its_own_among_others(config: Config) -> None:
    slow, fast = make_specs(2)
    specs = [NetworkSpec(slow.fetch, slow.labels, slow.rng_key, lr=0.01), fast]
    together = train(specs, config, 2)
    recipe = Recipe(lr=0.01, epochs=3, batch_size=4, momentum=0.9)
    torch.testing.assert_close(together[0], train([slow], config, 1, recipe)[0])
    torch.testing.assert_close(together[1], train([fast], config, 1)[0])


def test_a_network_may_be_shown_an_order_of_its_own(config: Config) -> None:
    """Three images often and the others never, in steps larger than there are images."""
    seen: list[int] = []
    (spec,) = make_specs(1)

    def order(_: torch.Generator) -> Tensor:
        return torch.tensor([0, 2, 4]).repeat(6)

    networks = train_networks(
        [NetworkSpec(spec.fetch, spec.labels, spec.rng_key, order=order)],
        classes=2,
        channels=1,
        config=config,
        recipe=Recipe(lr=0.05, epochs=2, batch_size=9, momentum=0.9),
        on_predictions=lambda _, indices, __: seen.extend(indices.tolist()),
    )
    assert seen == [0, 2, 4] * 12
    assert len(networks) == 1


def test_training_the_same_again_gives_the_same_bits(config: Config) -> None:
    assert torch.equal(train(make_specs(3), config, 2), train(make_specs(3), config, 2))


def test_each_pass_of_each_network_is_told_and_may_end_it(config: Config) -> None:
    reports: list[int] = []

    def stop() -> None:
        reports.append(1)
        if len(reports) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_networks(
            make_specs(2), classes=2, channels=1, config=config, recipe=RECIPE, on_epoch=stop
        )
    assert len(reports) == 5


def test_networks_with_unequal_numbers_of_images_are_not_trained_together(
    config: Config,
) -> None:
    with pytest.raises(ValueError, match="as many images"):
        train([*make_specs(1, 6), *make_specs(1, 4)], config, 2)


def run_out(
    monkeypatch: pytest.MonkeyPatch, fits: Callable[[int, int], bool]
) -> list[tuple[int, int]]:
    """Let memory run out where networks × images do not fit; return what was tried."""
    tried: list[tuple[int, int]] = []
    original = StackedNetworks.forward_backward

    def forward_backward(
        self: StackedNetworks, images: Tensor, labels: Tensor, networks: slice
    ) -> Step:
        tried.append((len(images), images.shape[1]))
        found = original(self, images, labels, networks)
        if not fits(*tried[-1]):
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return found

    monkeypatch.setattr(StackedNetworks, "forward_backward", forward_backward)
    return tried


@pytest.mark.usefixtures("_float64")
def test_where_memory_runs_out_fewer_networks_and_then_fewer_images_give_the_same(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(make_specs(4), config, 4)
    tried = run_out(monkeypatch, lambda networks, images: networks * images <= 3)
    said: list[str] = []
    found = train(make_specs(4), config, 4, on_message=said.append)
    assert tried[:4] == [(4, 4), (2, 4), (1, 4), (1, 4)]
    assert set(tried[4:]) == {(1, 2)}, "what was found to fit stays"
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
    assert [line.split("from now on ")[1].split(".")[0] for line in said] == [
        "networks at once at most: 2",
        "networks at once at most: 1",
        "images at once at most: 2",
    ]


def test_where_not_one_image_fits_the_error_names_what_to_change(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_out(monkeypatch, lambda networks, images: False)
    with pytest.raises(OutOfMemoryError, match="narrower network"):
        train(make_specs(2), config, 2)


def test_other_errors_are_not_taken_for_a_want_of_memory(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Step:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(StackedNetworks, "forward_backward", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(make_specs(2), config, 2)


@pytest.mark.slow
def test_predictions_do_not_depend_on_how_many_images_are_predicted_at_once(
    images: ImageSet, config: Config
) -> None:
    networks = train_networks(make_specs(2), classes=2, channels=1, config=config, recipe=RECIPE)
    normalisation = Normalisation.of(images.images)
    expected = predict_each(networks, images, normalisation)
    torch.testing.assert_close(predict(networks[1], images, normalisation), expected[1])

    class Cramped(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, seen: Tensor) -> Tensor:
            if len(seen) > 8:
                raise MemoryError
            logits: Tensor = self.network(seen)
            return logits

    found = predict(Cramped(networks[0]), images, normalisation)
    torch.testing.assert_close(found, expected[0])
    assert found.sum(dim=1).allclose(torch.ones(len(images)))


def test_a_network_is_trained_on_a_distilled_set_by_the_recipe_of_the_evaluation(
    config: Config,
) -> None:
    distilled = make_distilled(config)
    spec = NetworkSpec(distilled.images.__getitem__, distilled.labels, ("evaluation", 3))
    recipe = small_set_recipe(config, distilled.syn_lr)
    expected = train([spec], config, 1, recipe)[0]
    assert torch.equal(flatten_parameters(iadd.train(distilled, number=3)), expected)
    assert not torch.equal(flatten_parameters(iadd.train(distilled)), expected)


def test_predictions_are_reported_whether_networks_are_trained_together_or_not(
    config: Config,
) -> None:
    recipe = full_set_recipe(config)
    reports: dict[int, set[tuple[int, int, bool]]] = {}
    for at_once in (1, 3):
        seen: set[tuple[int, int, bool]] = set()
        reports[at_once] = seen

        def record(
            number: int,
            indices: Tensor,
            correct: Tensor,
            seen: set[tuple[int, int, bool]] = seen,
        ) -> None:
            seen.update(
                (number, i, r) for i, r in zip(indices.tolist(), correct.tolist(), strict=True)
            )

        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(10, 1, 16, 16, generator=generator)
        train_networks(
            [NetworkSpec(inputs.__getitem__, torch.arange(10) % 2, ("p", n)) for n in range(3)],
            classes=2,
            channels=1,
            config=config,
            recipe=recipe,
            at_once=at_once,
            on_predictions=record,
        )
    assert reports[1] == reports[3]
    assert {number for number, _, _ in reports[1]} == {0, 1, 2}
