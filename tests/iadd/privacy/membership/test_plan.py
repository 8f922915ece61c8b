"""The size of an audit, its units and coins."""

from dataclasses import replace

import torch

from iadd.config import AuditConfig, Config, NetworkConfig, ProtectionConfig
from iadd.data.image_set import ImageSet
from iadd.privacy.membership import plan_audit
from iadd.privacy.membership.plan import audit_units, draws, membership_bits, twin_seed
from tests.iadd.factories import make_images

NETWORK = NetworkConfig(depth=2, width=4)
AUDIT = AuditConfig(audit_calibration_runs=3, audit_test_runs=5)


def by_patient(images: ImageSet) -> ImageSet:
    return replace(images, groups=torch.arange(len(images)) // 4 * 3, unit="patient")


def test_units_are_a_fifth_of_those_in_training_at_most() -> None:
    images = make_images(per_class=90)
    train = len(images.part("train"))
    plan = plan_audit(images, Config(image_size=16, audit=AUDIT, network=NETWORK))
    assert (plan.units, plan.unit) == (train // 5, "image")
    assert (plan.calibration_runs, plan.test_runs) == (3, 5)
    fewer = Config(image_size=16, network=NETWORK, audit=replace(AUDIT, audit_units=10))
    assert plan_audit(images, fewer).units == 10
    patients = plan_audit(by_patient(images), fewer)
    assert (patients.units, patients.unit) == (6, "patient")


def test_too_few_units_no_test_runs_or_a_proof_leave_the_shipped_run_alone() -> None:
    config = Config(image_size=16, audit=AUDIT, network=NETWORK)
    assert plan_audit(make_images(per_class=24), config).test_runs == 0
    large = make_images(per_class=90)
    none = replace(config, audit=replace(AUDIT, audit_test_runs=0))
    assert plan_audit(large, none).test_runs == 0
    config = config.override(
        {"teacher_sampling": "all", "initialisation": "noise", "validate_every": 0}
    )
    proven = replace(config, protection=ProtectionConfig(privacy="dp", declared_patients=1000))
    assert plan_audit(large, proven).test_runs == 0


def test_all_images_of_a_unit_are_asked_about() -> None:
    train = by_patient(make_images(per_class=90)).part("train")
    units = audit_units(train, 12, secret=3)
    assert train.groups is not None
    for unit in range(12):
        rows = units.rows[units.unit == unit]
        (patient,) = set(train.groups[rows].tolist())
        assert torch.equal(rows, (train.groups == patient).nonzero().squeeze(1))
        assert int(units.labels[unit]) == int(train.labels[rows[0]])
    values = torch.arange(len(units.rows)).float()
    assert float(units.mean(values)[5]) == float(values[units.unit == 5].mean())
    assert float(units.most(values)[5]) == float(values[units.unit == 5].max())


def test_coins_are_fair_and_follow_from_the_whole_secret() -> None:
    tossed = torch.stack([membership_bits(1, number, 500) for number in range(40)]).double()
    assert abs(float(tossed.mean()) - 0.5) < 0.015
    assert float(tossed.mean(dim=0).std()) < 0.1
    assert torch.equal(membership_bits(1, 3, 500), membership_bits(1, 3, 500))
    for other in (2, 1 + 2**32, 1 + 2**64):
        assert not torch.equal(membership_bits(1, 3, 500), membership_bits(other, 3, 500))
        assert draws(1, "a").integers(2**60) != draws(other, "a").integers(2**60)
    assert len({twin_seed(secret, n) for secret in (1, 1 + 2**64) for n in range(9)}) == 18
