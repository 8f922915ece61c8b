from pathlib import Path

import pytest
import torch

from iadd.config import (
    AugmentationConfig,
    Config,
    DistillationConfig,
    NetworkConfig,
    ProtectionConfig,
    TeacherConfig,
)
from iadd.data.image_set import ImageSet
from iadd.dp import noise
from iadd.privacy.one_run_audit import (
    audit_scores,
    draw_canaries,
    one_run_audit,
    with_canaries,
)

CANARIES = 160


def images(count: int = 40, *, patients: bool = False) -> ImageSet:
    generator = torch.Generator().manual_seed(5)
    return ImageSet(
        images=torch.randint(0, 256, (count, 1, 16, 16), generator=generator).to(torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        split=torch.zeros(count, dtype=torch.int8),
        groups=torch.arange(count) // 2 if patients else None,
        unit="patient" if patients else "image",
    )


@pytest.fixture(scope="module")
def config() -> Config:
    return Config(
        image_size=16,
        network=NetworkConfig(depth=1, width=16),
        augmentation=AugmentationConfig(augmentation=()),
        teacher=TeacherConfig(teachers=1, teacher_epochs=6, teacher_batch_size=60, teacher_lr=0.2),
        distillation=DistillationConfig(validate_every=0, expert_epochs=1, max_start_epoch=1),
        protection=ProtectionConfig(privacy="dp", epsilon=1.0, declared_patients=120),
    )


def test_without_noise_the_audit_passes_the_claimed_epsilon(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bug: noise of σ = 0 is added, whatever was booked.
    monkeypatch.setattr(noise, "gaussian", lambda count, std: torch.zeros(count).double())
    found = one_run_audit(images(), config, canaries=CANARIES, scratch=tmp_path)
    assert found.claimed == pytest.approx(1.0, rel=0.005)
    assert found.epsilon > found.claimed
    assert found.exposes_a_bug


def test_with_its_noise_the_run_keeps_its_claim(config: Config, tmp_path: Path) -> None:
    found = one_run_audit(images(), config, canaries=CANARIES, scratch=tmp_path)
    # A false alarm has a probability of 5% at most, and far less where ε is not reached.
    assert not found.exposes_a_bug


def test_perfect_guesses_give_the_published_bound() -> None:
    included = torch.arange(400) % 2 == 0
    found = audit_scores(included.double(), included, claimed=1.0, delta=0.0)
    assert (found.right, found.guesses) == (200, 200)
    assert found.epsilon == pytest.approx(4.19, abs=0.02)


def test_canaries_are_additional_units_of_training() -> None:
    for own in (images(), images(patients=True)):
        canaries = draw_canaries(own, 50)
        together = with_canaries(own, canaries)
        added = int(canaries.included.sum())
        assert 5 < added < 45
        assert len(together.part("train")) == 40 + added
        assert torch.equal(together.images[:40], own.images)
        if own.groups is not None:
            assert together.groups is not None
            assert len(together.groups.unique()) == 20 + added
