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
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData
from iadd.privacy.one_run_audit import OneRunAudit, audit_scores, audit_teachers
from iadd.privacy.proof import proof_of
from iadd.privacy.report import Proof
from iadd.trajectories.record import record_trajectories

CANARIES = 160


def images(count: int = 40) -> ImageSet:
    generator = torch.Generator().manual_seed(5)
    return ImageSet(
        images=torch.randint(0, 256, (count, 1, 16, 16), generator=generator).to(torch.uint8),
        labels=torch.arange(count) % 2,
        classes=("a", "b"),
        split=torch.zeros(count, dtype=torch.int8),
    )


@pytest.fixture(scope="module")
def config() -> Config:
    return Config(
        image_size=16,
        network=NetworkConfig(depth=1, width=16),
        augmentation=AugmentationConfig(augmentation=()),
        teacher=TeacherConfig(teachers=1, teacher_epochs=6, teacher_batch_size=60, teacher_lr=0.2),
        distillation=DistillationConfig(validate_every=0, expert_epochs=1, max_start_epoch=1),
        protection=ProtectionConfig(
            privacy="dp", epsilon=1.0, declared_patients=120, canaries=CANARIES
        ),
    )


def audited(config: Config, scratch: Path) -> tuple[OneRunAudit, Proof]:
    ledger = Ledger(MemoryLedgerStore())
    data = PrivateData(images(), ledger, declared_units=120)
    teachers = record_trajectories(data, config, out=scratch)
    found = audit_teachers(teachers, delta=config.protection.delta)
    assert found is not None
    return found, proof_of(ledger, config, unit="image", audited=found)


def test_without_noise_the_audit_passes_the_claimed_epsilon(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bug: noise of σ = 0 is added, whatever was booked.
    monkeypatch.setattr(noise, "gaussian", lambda count, std: torch.zeros(count).double())
    found, proof = audited(config, tmp_path)
    assert proof.epsilon == pytest.approx(1.0, rel=0.005)
    assert found.epsilon > proof.epsilon
    assert not proof.holds
    assert "does not hold" in proof.statement


def test_with_its_noise_the_run_keeps_its_claim(config: Config, tmp_path: Path) -> None:
    _, proof = audited(config, tmp_path)
    # A false alarm has a probability of 5% at most, and far less where ε is not reached.
    assert proof.holds
    assert (proof.canaries, proof.guesses) == (CANARIES, CANARIES // 2)


def test_two_teachers_are_audited_together(config: Config, tmp_path: Path) -> None:
    found, _ = audited(config.override({"teachers": 2, "teacher_epochs": 2}), tmp_path)
    assert found.canaries == CANARIES


def test_teachers_without_canaries_are_not_audited(config: Config, tmp_path: Path) -> None:
    plain = config.override({"canaries": 0, "teacher_epochs": 2})
    data = PrivateData(images(), Ledger(MemoryLedgerStore()), declared_units=120)
    teachers = record_trajectories(data, plain, out=tmp_path)
    assert audit_teachers(teachers, delta=1e-5) is None


def test_perfect_guesses_give_the_published_bound() -> None:
    included = torch.arange(400) % 2 == 0
    found = audit_scores(included.double(), included, delta=0.0)
    assert (found.right, found.guesses) == (200, 200)
    assert found.epsilon == pytest.approx(4.19, abs=0.02)
