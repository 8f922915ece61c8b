"""Real twins of a tiny pipeline: one that copies its data and one that starts from noise."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from iadd.config import (
    AuditConfig,
    Config,
    DistillationConfig,
    EvaluationConfig,
    NetworkConfig,
    TeacherConfig,
)
from iadd.data.image_set import ImageSet
from iadd.privacy.membership import TwinScores, decide, plan_audit, run_twins
from iadd.privacy.membership.plan import audit_units, membership_bits
from iadd.runtime.progress import Progress
from tests.iadd.factories import make_images

SECRET = 11


def settings(initialisation: str, **changes: object) -> Config:
    config = Config(
        image_size=16,
        network=NetworkConfig(depth=2, width=4),
        teacher=TeacherConfig(teachers=1, teacher_epochs=2, teacher_batch_size=64, teacher_lr=0.05),
        distillation=DistillationConfig(
            images_per_class=20,
            initialisation=initialisation,
            iterations=1,
            syn_steps=1,
            expert_epochs=1,
            max_start_epoch=1,
            lr_img=0.0,
            syn_lr=0.05,
            validate_every=0,
        ),
        evaluation=EvaluationConfig(evaluation_epochs=5),
        audit=AuditConfig(
            audit_calibration_runs=3, audit_test_runs=3, audit_units=40, audit_students=1
        ),
    )
    return config.override(changes)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return make_images(per_class=150)


def run(images: ImageSet, config: Config, scratch: Path, numbers: range) -> list[TwinScores]:
    return run_twins(images, config, numbers, secret=SECRET, scratch=scratch)


def test_a_pipeline_that_copies_its_data_is_refuted(images: ImageSet, tmp_path: Path) -> None:
    config = settings("real")
    found = decide(run(images, config, tmp_path, range(6)), plan_audit(images, config), limit=0.05)
    outcomes = {(one.name, one.stratum): one.outcome for one in found.attacks}
    assert outcomes["nearest", "contributors"] == "refuted"
    assert found.power is not None
    assert (found.power.runs, found.power.units, found.power.reduced) == (3, 40, False)


def test_a_start_from_noise_is_not_refuted(images: ImageSet, tmp_path: Path) -> None:
    config = settings("noise", iterations=2, lr_img=1.0)
    found = decide(run(images, config, tmp_path, range(6)), plan_audit(images, config), limit=0.05)
    assert {one.name for one in found.attacks} == {
        "lira",
        "rmia",
        "loss",
        "gradient",
        "nearest",
        "matched_filter",
    }
    assert "refuted" not in {one.outcome for one in found.attacks}


def test_a_twin_does_not_depend_on_the_others_of_its_call(images: ImageSet, tmp_path: Path) -> None:
    config = settings("noise")
    both = run(images, config, tmp_path / "a", range(2))
    alone = run(images, config, tmp_path / "b", range(1, 2))
    assert both[1].to_bytes() == alone[0].to_bytes()
    stacked = run(images, settings("noise", networks_at_once=2), tmp_path / "c", range(2))
    for one, other in zip(both, stacked, strict=True):
        assert torch.equal(one.bits, other.bits)
        torch.testing.assert_close(one.signals["phi"], other.signals["phi"], rtol=1e-3, atol=1e-3)
    assert not torch.equal(both[0].bits, both[1].bits)


def test_a_call_that_was_stopped_resumes_and_leaves_only_scores(
    images: ImageSet, tmp_path: Path
) -> None:
    config = settings("noise", teacher_epochs=3, max_start_epoch=2, iterations=3)
    whole = run(images, config, tmp_path / "whole", range(2))
    seen: list[Progress] = []

    class StoppedError(Exception):
        pass

    def stop_later(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) in (2, 5, 9, 14, 24, 40):
            raise StoppedError

    for _ in range(7):
        try:
            again = run_twins(
                images,
                config,
                range(2),
                secret=SECRET,
                scratch=tmp_path / "stopped",
                on_progress=stop_later,
                checkpoint_seconds=0.0,
            )
            break
        except StoppedError:
            continue
    assert [one.to_bytes() for one in again] == [one.to_bytes() for one in whole]
    left = {path.name for path in (tmp_path / "stopped").rglob("*")}
    assert left == {"twin-0000.scores", "twin-0001.scores"}
    assert seen[-1].done == seen[-1].total
    assert {one.phase for one in seen} == {"auditing"}


def test_a_twin_is_made_without_the_units_that_are_out(images: ImageSet, tmp_path: Path) -> None:
    """Images of units that are out can be blanked, and the twin stays as it is."""
    config = settings("real")
    train_rows = (images.split == 0).nonzero().squeeze(1)
    units = audit_units(images.part("train"), 40, secret=SECRET)
    bits = membership_bits(SECRET, 0, 40)
    out = train_rows[units.rows[~bits[units.unit]]]
    blanked = images.images.clone()
    blanked[out] = 0
    (before,) = run(images, config, tmp_path / "a", range(1))
    (after,) = run(replace(images, images=blanked), config, tmp_path / "b", range(1))
    assert torch.equal(before.population, after.population)
    assert torch.equal(before.signals["phi"][bits], after.signals["phi"][bits])
    assert not torch.equal(before.signals["phi"][~bits], after.signals["phi"][~bits])


def test_too_few_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="five units"):
        run(make_images(per_class=2), settings("noise"), tmp_path, range(1))
