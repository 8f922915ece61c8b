"""The search against brute force, over more records than one chunk holds."""

import torch

from iadd.privacy.nearest_neighbours import (
    KEPT,
    Ranking,
    embedded,
    equal_neighbour,
    find_by_features,
    find_by_pixels,
    find_neighbours,
)
from iadd.privacy.similarity import structural_distance


def some_images(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 1, 8, 8), generator=generator).to(torch.uint8)


def test_finds_the_nearest_by_pixels() -> None:
    queries, records = some_images(4, seed=1), some_images(1100)
    pixels = torch.cdist(queries.flatten(1).double(), records.flatten(1).double()) / 255 / 8
    found = find_by_pixels(queries, records)
    distance, row = found.nearest(torch.ones(1100, dtype=torch.bool))
    assert torch.equal(row, pixels.argmin(dim=1))
    assert torch.allclose(distance.double(), pixels.min(dim=1).values, atol=1e-3)
    assert found.index.shape == (4, KEPT)


def test_finds_the_nearest_by_features() -> None:
    queries, records = torch.randn(3, 5), torch.randn(1100, 5)
    distance, row = find_by_features(queries, records).nearest(torch.ones(1100, dtype=torch.bool))
    expected = torch.cdist(queries, records)
    assert torch.equal(row, expected.argmin(dim=1))
    assert torch.allclose(distance, expected.min(dim=1).values, atol=1e-3)


def test_structure_is_compared_with_the_nearest_by_pixels() -> None:
    queries, records = some_images(2, seed=1), some_images(300)
    ranking = find_neighbours(queries, records)["ssim"]
    for row in range(2):
        index = ranking.index[row]
        assert len(index.unique()) == KEPT
        expected = structural_distance(queries[row].float() / 255, records[index].float() / 255)
        assert torch.allclose(ranking.distance[row], expected, atol=1e-6)


def test_nearest_reads_allowed_records_only() -> None:
    ranking = Ranking(torch.tensor([[2, 0, 1]]), torch.tensor([[0.1, 0.2, 0.3]]))
    distance, row = ranking.nearest(torch.tensor([False, True, False]))
    assert (float(distance), int(row)) == (torch.tensor(0.3).item(), 1)
    nothing, _ = ranking.nearest(torch.zeros(3, dtype=torch.bool))
    assert nothing.isinf().all()


def test_equal_neighbour_allows_one_grey_level() -> None:
    records = some_images(40)
    changed = records[[3, 7, 9]].short()
    changed[0] += torch.where(changed[0] < 255, 1, 0)
    changed[1, 0, 0, 0] += 2 if changed[1, 0, 0, 0] < 200 else -2
    queries = changed.to(torch.uint8)
    ranking = find_by_pixels(queries, records)
    allowed = torch.ones(40, dtype=torch.bool)
    assert equal_neighbour(queries, records, ranking, allowed).tolist() == [3, -1, 9]
    allowed[9] = False
    assert equal_neighbour(queries, records, ranking, allowed).tolist() == [3, -1, -1]


def test_features_are_of_norm_one_for_bytes_and_intensities_alike() -> None:
    def mean_and_spread(intensities: torch.Tensor) -> torch.Tensor:
        flat = intensities.flatten(1)
        return torch.stack([flat.mean(1), flat.std(1), flat[:, 0]], dim=1)

    images = some_images(600)
    features = embedded(images, mean_and_spread)
    assert torch.allclose(features.norm(dim=1), torch.ones(600))
    assert torch.allclose(features, embedded(images.float() / 255, mean_and_spread), atol=1e-6)
