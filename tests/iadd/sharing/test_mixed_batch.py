"""Mini-batches of own and received images in fixed shares."""

import pytest
import torch

from iadd.sharing.mixed_batch import Mixture


def draw(mixture: Mixture, own: torch.Tensor, received: torch.Tensor, seed: int = 0) -> list[int]:
    return mixture.draw(own, received, torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize(
    ("own", "received", "share", "expected"),
    [
        (5000, 3, 0.5, (40, 40)),  # a few distilled among thousands
        (5000, 3, 0.125, (70, 10)),
        (5, 50, 0.5, (40, 40)),  # a few own among many received
        (4, 3, 0.5, (4, 4)),  # no larger than both need
        (20, 3, 0.25, (20, 7)),
        (1, 1, 0.125, (7, 1)),
        (5000, 3, 0.0, (80, 0)),
        (7, 3, 0.0, (7, 0)),
        (5000, 3, 1.0, (0, 3)),
    ],
)
def test_a_mini_batch_has_its_share_of_each_source(
    own: int, received: int, share: float, expected: tuple[int, int]
) -> None:
    mixture = Mixture.of(own, received, share=share, most=80)
    assert (mixture.own, mixture.received) == expected


def test_every_class_weighs_the_same_however_many_images_it_has() -> None:
    own = torch.tensor([0] * 50 + [1] * 5)
    received = torch.tensor([0, 1, 1])
    drawn = draw(Mixture(own=10, received=4), own, received)
    labels = torch.cat([own, received])[drawn]
    from_own = torch.tensor(drawn) < len(own)
    for label in (0, 1):
        assert ((labels == label) & from_own).sum() == 10
        assert ((labels == label) & ~from_own).sum() == 4


def test_images_of_a_small_source_come_as_often_as_each_other_or_once_more() -> None:
    drawn = draw(Mixture(own=8, received=0), torch.tensor([0, 0, 0]), torch.empty(0).long())
    assert sorted(drawn.count(index) for index in range(3)) == [2, 3, 3]


def test_of_a_large_source_others_come_each_time_and_none_twice() -> None:
    own = torch.zeros(100, dtype=torch.int64)
    one, other = (draw(Mixture(20, 0), own, own[:0], seed) for seed in (0, 1))
    assert len(set(one)) == 20
    assert set(one) != set(other)
    assert one == draw(Mixture(20, 0), own, own[:0], 0)
