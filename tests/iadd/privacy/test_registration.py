"""Registration against pictures in a known pose."""

import pytest
import torch

from iadd.privacy.disguises import DISGUISES, disguise
from iadd.privacy.registration import Register, Registered
from tests.iadd.privacy.textures import SIZE, draw_pictures

RECORDS = 200


@pytest.fixture(scope="module")
def register() -> Register:
    return Register.of(draw_pictures(RECORDS, seed=1))


@pytest.fixture(scope="module")
def strangers(register: Register) -> torch.Tensor:
    return register.find(draw_pictures(30, seed=2)).best()


@pytest.mark.parametrize("name", [name for name in DISGUISES if name != "one_among_sixty"])
def test_a_copy_in_any_disguise_is_found_and_stands_out(
    register: Register, strangers: torch.Tensor, name: str
) -> None:
    originals = draw_pictures(RECORDS, seed=1)[:4].float() / 255
    others = draw_pictures(4, seed=5).float() / 255
    found = register.find(disguise(name, originals, others, torch.Generator().manual_seed(0)))
    assert found.nearest().tolist() == [0, 1, 2, 3]
    assert float(found.best().min()) > float(strangers.max())


def test_a_picture_is_not_compared_with_its_own_unit() -> None:
    pictures = draw_pictures(20, seed=1)
    units = torch.arange(20) // 2
    register = Register.of(pictures, units)
    found = register.find(pictures[:4], own=units[:4])
    assert float(found.best().max()) < 0.9
    assert not (units[found.nearest()] == units[:4]).any()
    # −1 leaves out none.
    assert float(register.find(pictures[:1], own=torch.tensor([-1])).best()) > 0.99


def test_a_single_record_and_a_flat_picture_are_no_error() -> None:
    register = Register.of(draw_pictures(1, seed=1))
    similarity = register.find(torch.full((1, 1, SIZE, SIZE), 0.5)).best()
    assert similarity.isfinite().all()


def test_the_ratio_compares_with_the_next_record() -> None:
    found = Registered(
        torch.tensor([[3, 5, 3], [1, 1, 1]]), torch.tensor([[0.9, 0.5, 0.8], [0.4, 0.3, 0.2]])
    )
    # The same record twice is no next one; without a next one nothing stands out.
    assert found.ratio().tolist() == pytest.approx([0.2, 1.0])
    assert found.ranked().tolist() == [[3, 3, 5], [1, 1, 1]]
