"""DM, DC and DSA: their losses as the papers write them, and whole runs."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.config import Config, ConfigError
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.distillation.condensation import Condensation, features_apart, gradients_apart
from iadd.distillation.distill import distill
from iadd.networks.convnet import ConvNet
from iadd.presets import cpu_demo
from iadd.runtime.progress import Progress
from iadd.trajectories.buffer import TrajectoryBuffer
from iadd.trajectories.record import record_trajectories
from tests.fixtures.squares import draw_squares


class StopHereError(Exception):
    """Interrupts a run from its progress, as a kill would."""


SMALL = {"image_size": 16, "depth": 2, "width": 4, "teachers": 1, "teacher_epochs": 2}
RUN = {
    **SMALL,
    "expert_epochs": 1,
    "max_start_epoch": 2,
    "first_max_start_epoch": 0,
    "iterations": 6,
    "syn_steps": 2,
    "images_per_class": 2,
    "validate_every": 0,
    "evaluation_epochs": 4,
    "evaluation_networks": 1,
    "validation_networks": 1,
    "real_batch_size": 16,
    "network_life": 3,
    "network_epochs": 2,
}
RATES = {"dm": 1.0, "dc": 0.1, "dsa": 0.1}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return draw_squares(80, 20, 20)


@pytest.fixture(scope="module")
def buffer(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> TrajectoryBuffer:
    return record_trajectories(images, settings("dm"), out=tmp_path_factory.mktemp("teachers"))


def settings(method: str, **changes: object) -> Config:
    rate = {"lr_img": RATES[method]} if method in RATES else {}
    return cpu_demo().override({**RUN, "method": method, **rate, **changes})


def two_sides() -> tuple[ConvNet, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = ConvNet(channels=1, classes=3, depth=2, width=4, image_size=8).double()
    real, distilled = (
        torch.randn(count, 1, 8, 8, generator=generator, dtype=torch.float64) for count in (9, 3)
    )
    return network, real, distilled.requires_grad_()


def test_dm_compares_mean_features() -> None:
    network, real, distilled = two_sides()
    found = features_apart(network, real, distilled, 1)
    means = [
        torch.stack([network.features(one[None])[0] for one in images]).mean(dim=0)
        for images in (real, distilled)
    ]
    assert_same(found, ((means[0].detach() - means[1]) ** 2).sum(), distilled)


def test_dc_compares_the_gradient_of_each_output() -> None:
    network, real, distilled = two_sides()
    found = gradients_apart(network, real, distilled, 2)
    sides = []
    for images in (real, distilled):
        logits = torch.cat([network(one[None]) for one in images])
        loss = F.cross_entropy(logits, torch.full((len(images),), 2))
        sides.append(torch.autograd.grad(loss, [*network.parameters()], create_graph=True))
    expected = torch.zeros((), dtype=torch.float64)
    for (name, _), one, other in zip(network.named_parameters(), *sides, strict=True):
        if name.endswith("conv.weight") or name == "classifier.weight":
            for row, seen in zip(one.detach(), other, strict=True):
                cosine = (row * seen).sum() / (row.norm() * seen.norm())
                expected = expected + 1 - cosine
    assert_same(found, expected, distilled)


def assert_same(found: Tensor, expected: Tensor, distilled: Tensor) -> None:
    gradients = [torch.autograd.grad(one, distilled)[0] for one in (found, expected)]
    for ours, reference in ((found, expected), gradients):
        assert reference.norm() > 0
        assert (ours - reference).norm() / reference.norm() <= 1e-9


@pytest.mark.parametrize("method", ["dm", "dc", "dsa"])
def test_the_gradient_of_an_iteration_is_that_of_its_loss(images: ImageSet, method: str) -> None:
    """By differences: along its gradient the loss falls as fast as the gradient says."""
    condensation = condense(images, method)
    start = torch.randn(4, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    loss, gradient = condensation.gradient(start, 4)
    step = 1e-3 / gradient.norm()
    ahead, _ = condensation.gradient(start - step * gradient, 4)
    behind, _ = condensation.gradient(start + step * gradient, 4)
    assert loss.item() == pytest.approx((ahead + behind).item() / 2, rel=0.05)
    slope = ((behind - ahead) / (2 * step)).item()
    assert slope == pytest.approx(gradient.square().sum().item(), rel=0.02)


def condense(images: ImageSet, method: str) -> Condensation:
    train = images.part("train")
    config = settings(method)
    normalisation = Normalisation.of(train.images)
    labels = torch.arange(2).repeat_interleave(2)
    return Condensation(method, train, labels, normalisation, config, "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["dm", "dc", "dsa"])
def test_the_distance_to_the_real_images_falls(
    images: ImageSet, buffer: TrajectoryBuffer, method: str
) -> None:
    """Over iterations, each with its own network: compared are the first and the last few."""
    config = settings(
        method, iterations=60, network_life=1, augmentation=[], initialisation="noise"
    )
    losses = distill(images, buffer, config).history.curves["loss"]
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


@pytest.mark.parametrize("method", ["dm", "dc", "dsa", "warm start"])
def test_an_interrupted_run_resumes_to_the_same_bits(
    images: ImageSet, buffer: TrajectoryBuffer, method: str, tmp_path: Path
) -> None:
    config = (
        settings("mtt", warm_start_share=0.5, lr_img=100.0)
        if method == "warm start"
        else settings(method)
    )
    undisturbed = distill(images, buffer, config).to_bytes()
    for stop in (2, 4):

        def interrupt(progress: Progress, stop: int = stop) -> None:
            if progress.phase == "distilling" and progress.done == stop:
                raise StopHereError

        with pytest.raises(StopHereError):
            distill(
                images,
                buffer,
                config,
                checkpoint=tmp_path / "state",
                checkpoint_seconds=0,
                on_progress=interrupt,
            )
    assert distill(images, buffer, config, checkpoint=tmp_path / "state").to_bytes() == undisturbed


def test_a_warm_start_is_dm_and_then_the_method(images: ImageSet, buffer: TrajectoryBuffer) -> None:
    condensed = distill(images, buffer, settings("dm", iterations=3, lr_img=1.0))
    warm = distill(
        images, buffer, settings("mtt", warm_start_share=0.5, warm_start_lr=1.0, lr_img=100.0)
    )
    assert warm.history.curves["loss"][:3] == condensed.history.curves["loss"]
    learned = [condensed.config.distillation.syn_lr, *warm.history.curves["syn_lr"]]
    assert learned[3] == pytest.approx(learned[1]), "α learns from students alone"
    assert learned[-1] != learned[3]


def test_a_set_that_no_student_learned_from_gets_its_rate_on_validation(
    images: ImageSet, buffer: TrajectoryBuffer
) -> None:
    config = settings("dm", baseline_lrs=[0.05], syn_lr=1e-7)
    assert distill(images, buffer, config).syn_lr == 0.05


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"method": "dm", "teachers": 2}, "teachers"),
        ({"method": "dsa", "privacy": "dp"}, "method"),
        ({"warm_start_share": 0.5, "privacy": "dp"}, "warm_start_share"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    changes: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        settings("mtt").override(changes)
    assert named in [one.name for one in refused.value.invalid]
