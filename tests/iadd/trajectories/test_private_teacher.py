import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.config import (
    AugmentationConfig,
    Config,
    ConfigError,
    DistillationConfig,
    NetworkConfig,
    ProtectionConfig,
    TeacherConfig,
)
from iadd.data.image_set import ImageSet
from iadd.distillation.distill import distill
from iadd.dp import noise
from iadd.dp.ledger import Budget, BudgetExceededError, Ledger, LedgerStore, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.networks.build import build_network, flatten_parameters
from iadd.runtime.progress import Progress
from iadd.trajectories import private_teacher
from iadd.trajectories.private_teacher import (
    gradient_of_unit,
    plan_private_teachers,
    public_normalisation,
)
from iadd.trajectories.record import record_trajectories, trajectory_path

EPSILON = 3.0


@pytest.fixture(autouse=True)
def _cheap_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the accountant's search; what it finds is tested beside it."""
    monkeypatch.setattr(
        private_teacher, "noise_multiplier", lambda *_, steps, **__: 1.0 + steps / 100
    )


def config(**settings: object) -> Config:
    return Config(
        image_size=8,
        network=NetworkConfig(depth=2, width=4),
        augmentation=AugmentationConfig(augmentation=("crop", "rotate")),
        teacher=TeacherConfig(teachers=1, teacher_epochs=3, teacher_batch_size=8, teacher_lr=0.1),
        distillation=DistillationConfig(
            images_per_class=1,
            initialisation="noise",
            iterations=2,
            syn_steps=2,
            expert_epochs=1,
            max_start_epoch=2,
            validate_every=0,
        ),
        protection=ProtectionConfig(privacy="dp", epsilon=EPSILON, declared_patients=32),
    ).override(settings)


def images(count: int = 32) -> ImageSet:
    generator = torch.Generator().manual_seed(3)
    return ImageSet(
        images=torch.randint(0, 256, (count, 1, 8, 8), generator=generator).to(torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        split=torch.zeros(count, dtype=torch.int8),
    )


def private(store: LedgerStore | None = None, budget: Budget | None = None) -> PrivateData:
    ledger = Ledger(store or MemoryLedgerStore(), budget)
    return PrivateData(images(), ledger, declared_units=32)


def _gradient(network: nn.Module) -> tuple[Callable[..., Tensor], Config]:
    settings = config(augmentation=())
    theta = flatten_parameters(network)
    everything = torch.ones(len(theta), dtype=torch.bool)
    normalisation = public_normalisation(1)
    return gradient_of_unit(network, theta, everything, normalisation, settings), settings


def test_gradients_of_single_units_agree_with_a_loop() -> None:
    network = build_network(
        NetworkConfig(depth=2, width=4), channels=1, classes=2, image_size=8, seed=0
    )
    of_unit, _ = _gradient(network)
    data = images(6)
    found = torch.func.vmap(of_unit)(data.images, data.labels, torch.zeros(6, 4))
    normalised = public_normalisation(1).apply(data.images)
    for row in range(6):
        loss = F.cross_entropy(network(normalised[row : row + 1]), data.labels[row : row + 1])
        alone = torch.autograd.grad(loss, list(network.parameters()))
        expected = torch.cat([part.flatten() for part in alone])
        assert torch.allclose(found[row], expected, atol=1e-5)


@pytest.mark.slow  # importing it takes seconds
@pytest.mark.filterwarnings("ignore:Full backward hook")
def test_gradients_of_single_units_agree_with_opacus() -> None:
    opacus = pytest.importorskip("opacus.grad_sample")
    network = build_network(
        NetworkConfig(depth=2, width=4), channels=1, classes=2, image_size=8, seed=0
    )
    of_unit, _ = _gradient(network)
    data = images(6)
    found = torch.func.vmap(of_unit)(data.images, data.labels, torch.zeros(6, 4))
    normalised = public_normalisation(1).apply(data.images)
    wrapped = opacus.GradSampleModule(network, strict=False, loss_reduction="sum")
    F.cross_entropy(wrapped(normalised), data.labels, reduction="sum").backward()
    samples = torch.cat([p.grad_sample.flatten(1) for p in network.parameters()], dim=1)
    assert torch.allclose(found, samples, atol=1e-5)


def test_a_step_is_dp_sgd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "gaussian", lambda count, std: torch.zeros(count).double())
    monkeypatch.setattr(
        noise, "coins", lambda count, probability: torch.ones(count, dtype=torch.bool)
    )
    settings = config(augmentation=(), teacher_epochs=2, clip_norm=0.05, max_start_epoch=1)
    buffer = record_trajectories(private(), settings, out=tmp_path)
    network = build_network(
        settings.network, channels=1, classes=2, image_size=8,
        seed=private_teacher.derive_seed(settings.seed, "teacher", 0, "initialisation"),
    )  # fmt: skip
    theta = flatten_parameters(network)
    assert torch.equal(buffer.snapshot(0, 0), theta)
    frozen = private_teacher.biases_without_effect(network, (1, 8, 8))
    trained = torch.ones(len(theta), dtype=torch.bool)
    for name, part in private_teacher.layers_of(network):
        trained[part] = name not in frozen
    data = images()
    for _ in range(4):
        total = torch.zeros(len(theta))
        of_unit = gradient_of_unit(network, theta, trained, public_normalisation(1), settings)
        for gradient in torch.func.vmap(of_unit)(data.images, data.labels, torch.zeros(32, 4)):
            total[trained] += gradient * min(1, 0.05 / gradient.norm().item())
        theta = theta - 0.1 * total / 8
    assert torch.allclose(buffer.snapshot(0, 1), theta, atol=1e-5)
    assert torch.equal(buffer.snapshot(0, 1)[~trained], buffer.snapshot(0, 0)[~trained])


def test_every_step_is_booked_and_no_more_is_spent_than_planned(tmp_path: Path) -> None:
    data = private()
    settings = config(teachers=2)
    buffer = record_trajectories(data, settings, out=tmp_path)
    plan = plan_private_teachers(settings, 32)
    assert (plan.rate, plan.batch, plan.ends) == (0.25, 8, (4, 8, 12))
    assert len(data.ledger.events()) == 24
    assert {event.run for event in data.ledger.events()} == {settings.teacher_key()}
    assert {event.mechanism.noise for event in data.ledger.events() if event.mechanism} == {
        plan.noise
    }
    assert (len(buffer), buffer.epochs) == (2, 3)


def test_two_runs_with_one_seed_differ(tmp_path: Path) -> None:
    first, second = (
        record_trajectories(private(), config(), out=tmp_path / name) for name in ("1", "2")
    )
    assert torch.equal(first.snapshot(0, 0), second.snapshot(0, 0))
    assert not torch.equal(first.snapshot(0, 1), second.snapshot(0, 1))


class KilledError(Exception):
    pass


def test_steps_lost_to_a_kill_are_booked_again_with_more_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryLedgerStore()
    found = private_teacher.noise_multiplier

    def calibrate(*arguments: float, steps: int, others: dict[object, int], **rest: float) -> float:
        return found(*arguments, steps=steps, **rest) + sum(others.values())

    monkeypatch.setattr(private_teacher, "noise_multiplier", calibrate)
    settings = config()

    def kill(progress: Progress) -> None:
        if progress.done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        record_trajectories(
            private(store), settings, out=tmp_path, on_progress=kill, checkpoint_seconds=1e9
        )
    assert len(store.events()) == 8
    monkeypatch.setattr(private_teacher, "_MOST_EXTRA_NOISE", 1e9)
    buffer = record_trajectories(private(store), settings, out=tmp_path)
    assert len(store.events()) == 8 + 12
    noises = [event.mechanism.noise for event in store.events() if event.mechanism]
    assert set(noises[8:]) == {1.12 + 8}
    assert set(noises[:8]) == {1.12}
    assert len({event.purpose for event in store.events()}) == 1
    assert buffer.epochs == 3


def test_the_rest_is_left_out_where_a_kill_spent_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryLedgerStore()

    def kill(progress: Progress) -> None:
        if progress.done == 2:
            raise KilledError

    with pytest.raises(KilledError):
        record_trajectories(
            private(store), config(), out=tmp_path, on_progress=kill, checkpoint_seconds=0
        )
    # The checkpoint holds all steps; what follows it is lost.
    monkeypatch.setattr(private_teacher, "_MOST_EXTRA_NOISE", 0.0)
    data = private(store)
    data.ledger.book(store.events()[-1])
    messages: list[str | None] = []
    buffer = record_trajectories(
        data, config(), out=tmp_path, on_progress=lambda p: messages.append(p.message)
    )
    assert len(store.events()) == 9
    assert any(message and "left out" in message for message in messages)
    assert torch.equal(buffer.snapshot(0, 2), buffer.snapshot(0, 3))


def test_a_plan_beyond_the_budget_reads_nothing(tmp_path: Path) -> None:
    data = private(budget=Budget(0.5, 1e-5))
    with pytest.raises(BudgetExceededError):
        record_trajectories(data, config(), out=tmp_path)
    assert not data.ledger.events()


def test_images_that_are_not_behind_a_ledger_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ledger"):
        record_trajectories(images(), config(), out=tmp_path)
    with pytest.raises(ConfigError, match="privacy dp"):
        record_trajectories(private(), config(privacy="audited"), out=tmp_path)


def test_what_is_written_holds_no_noise_seed_and_no_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    drawn: list[float] = []
    gaussian = noise.gaussian

    def remembered(count: int, *, std: float) -> Tensor:
        found = gaussian(count, std=std)
        drawn.extend(found[:3].float().tolist())
        return found

    monkeypatch.setattr(noise, "gaussian", remembered)
    checkpoints: list[bytes] = []

    class Store:
        def read(self) -> bytes | None:
            return None

        def write(self, data: bytes) -> None:
            checkpoints.append(data)

    data, settings = private(), config()
    private_teacher.record_private_trajectory(
        data, settings, 0, out=tmp_path, on_progress=lambda _: None, checkpoint=Store(),
        checkpoint_seconds=0, device="cpu",
    )  # fmt: skip
    written = [*checkpoints, trajectory_path(tmp_path, 0).read_bytes()]
    for content in written:
        length = int.from_bytes(content[:8], "little")
        document = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["document"])
        assert set(document) <= {
            "teacher", "teacher_key", "classes", "mean", "std", "curves", "recording", "step",
            "sha256",
        }  # fmt: skip
        assert set(document["curves"]["loss"]) <= {None}
        for number in drawn:
            assert torch.tensor(number).numpy().tobytes() not in content
    assert len(checkpoints) == 12
    assert not caplog.records


def test_a_set_is_distilled_from_private_teachers_without_images(tmp_path: Path) -> None:
    data, settings = private(), config()
    buffer = record_trajectories(data, settings, out=tmp_path)
    distilled = distill(data.without_images(), buffer, settings)
    assert distilled.images.shape == (2, 1, 8, 8)
    assert distilled.normalisation == public_normalisation(1)
