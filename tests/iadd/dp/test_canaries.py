import pytest
import torch

from iadd.data.image_set import ImageSet
from iadd.dp.canaries import draw_canaries, with_canaries
from iadd.dp.ledger import Ledger, MemoryLedgerStore
from iadd.dp.private_data import PrivateData


def images(*, patients: bool) -> ImageSet:
    generator = torch.Generator().manual_seed(5)
    return ImageSet(
        images=torch.randint(0, 256, (40, 1, 8, 8), generator=generator).to(torch.uint8),
        labels=torch.arange(40) % 2,
        classes=("a", "b"),
        split=torch.zeros(40, dtype=torch.int8),
        groups=torch.arange(40) // 2 if patients else None,
        unit="patient" if patients else "image",
    )


@pytest.mark.parametrize("patients", [False, True])
def test_canaries_are_additional_units_of_training(patients: bool) -> None:
    own = images(patients=patients)
    canaries = draw_canaries(50, image_shape=(1, 8, 8), classes=2, seed=7)
    together = with_canaries(own, canaries)
    added = int(canaries.included.sum())
    assert 5 < added < 45
    assert len(together.part("train")) == 40 + added
    assert torch.equal(together.images[:40], own.images)
    if own.groups is not None:
        assert together.groups is not None
        assert len(together.groups.unique()) == 20 + added


def test_all_teachers_of_a_run_draw_the_same_and_other_runs_others() -> None:
    first, again, other = (
        draw_canaries(50, image_shape=(1, 8, 8), classes=2, seed=seed) for seed in (7, 7, 8)
    )
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.included, again.included)
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.included, other.included)


def test_joining_reads_nothing_and_keeps_the_ledger() -> None:
    data = PrivateData(images(patients=False), Ledger(MemoryLedgerStore()), declared_units=40)
    canaries = draw_canaries(50, image_shape=data.image_shape, classes=2, seed=7)
    together = data.with_canaries(canaries)
    assert together.ledger is data.ledger
    assert together.run == data.run
    assert data.ledger.events() == ()
    assert together.unit_count() == 40
