"""The search against brute force, over more records than one chunk holds."""

import torch

from iadd.privacy.nearest_neighbours import (
    KEPT,
    Described,
    Ranking,
    describe,
    equal_neighbour,
    find_neighbours,
)
from iadd.privacy.similarity import structural_distance


def some_images(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 8, 8), generator=generator).to(torch.uint8)


def mean_and_spread(intensities: torch.Tensor) -> torch.Tensor:
    flat = intensities.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1), flat[:, 0]], dim=1)


def described(count: int, seed: int = 0) -> Described:
    return describe(some_images(count, seed), mean_and_spread)


def test_finds_the_nearest_by_pixels_and_embedding() -> None:
    queries, records = described(4, seed=1), described(1100)
    found = find_neighbours(queries, records)
    flat_q = queries.images.flatten(1).double() / 255
    flat_r = records.images.flatten(1).double() / 255
    pixels = torch.cdist(flat_q, flat_r) / 8  # the root of 64 pixels
    features = torch.cdist(queries.features, records.features)
    everything = torch.ones(1100, dtype=torch.bool)
    for measure, expected in (("pixels", pixels), ("embedding", features)):
        distance, row = found[measure].nearest(everything)
        assert torch.equal(row, expected.argmin(dim=1))
        assert torch.allclose(distance.double(), expected.min(dim=1).values.double(), atol=1e-3)
        assert found[measure].index.shape == (4, KEPT)


def test_structure_is_compared_with_the_nearest_and_with_what_is_included() -> None:
    queries, records = described(2, seed=1), described(300)
    last = torch.tensor([299, 299])
    ranking = find_neighbours(queries, records, included=last)["ssim"]
    assert (ranking.index == 299).any(dim=1).all()
    for row in range(2):
        compared = ranking.distance[row].isfinite()
        index = ranking.index[row][compared]
        assert len(index.unique()) == len(index)
        candidates = records.images[index].float() / 255
        expected = structural_distance(queries.images[row].float() / 255, candidates)
        assert torch.allclose(ranking.distance[row][compared], expected, atol=1e-6)


def test_standing_out_compares_with_the_other_neighbours() -> None:
    ranking = Ranking(
        torch.tensor([[0, 1, 2, 3], [0, 1, 2, 3]]),
        torch.tensor([[0.4, 0.1, 0.6, torch.inf], [0.2, 0.2, 0.2, 0.2]]),
    )
    everything = torch.ones(4, dtype=torch.bool)
    assert torch.allclose(ranking.standing_out(everything), torch.tensor([0.2, 1.0]))
    first_alone = torch.tensor([True, False, False, False])
    assert torch.equal(ranking.standing_out(first_alone), torch.zeros(2))


def test_an_image_is_not_its_own_neighbour_when_left_out() -> None:
    records = described(60)
    rows = torch.tensor([5, 50])
    found = find_neighbours(records.take(rows), records, left_out=rows)
    everything = torch.ones(60, dtype=torch.bool)
    for measure, ranking in found.items():
        distance, row = ranking.nearest(everything)
        assert (row != rows).all(), measure
        assert (distance > 0.001).all(), measure


def test_nearest_reads_allowed_records_only() -> None:
    ranking = Ranking(torch.tensor([[2, 0, 1]]), torch.tensor([[0.1, 0.2, 0.3]]))
    distance, row = ranking.nearest(torch.tensor([False, True, False]))
    assert (float(distance), int(row)) == (torch.tensor(0.3).item(), 1)
    nothing, _ = ranking.nearest(torch.zeros(3, dtype=torch.bool))
    assert nothing.isinf().all()


def test_equal_neighbour_allows_one_grey_level() -> None:
    records = described(40)
    changed = records.images[[3, 7, 9]].short()
    changed[0] += torch.where(changed[0] < 255, 1, 0)
    changed[1, 0, 0, 0] += 2 if changed[1, 0, 0, 0] < 200 else -2
    queries = describe(changed.to(torch.uint8), mean_and_spread)
    ranking = find_neighbours(queries, records)["pixels"]
    allowed = torch.ones(40, dtype=torch.bool)
    assert equal_neighbour(queries, records, ranking, allowed).tolist() == [3, -1, 9]
    allowed[9] = False
    assert equal_neighbour(queries, records, ranking, allowed).tolist() == [3, -1, -1]
