"""The distances against independent implementations."""

import pytest
import torch

from iadd.privacy.similarity import euclidean, structural_distance


def smooth_images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 6, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)


def test_structural_distance_equals_torchmetrics() -> None:
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes seconds

    query, candidates = smooth_images(1)[0], smooth_images(6, seed=1)
    candidates[3] = (query * 0.9 + 0.05).clamp(0, 1)
    ours = structural_distance(query, candidates)
    for candidate, distance in zip(candidates, ours, strict=True):
        _, theirs = structural_similarity_index_measure(
            candidate[None], query[None], data_range=1.0, return_full_image=True
        )
        # torchmetrics averages over windows that reach into a padded border too.
        whole_windows = theirs[..., 5:-5, 5:-5]
        assert float(distance) == pytest.approx(1 - float(whole_windows.mean()), abs=1e-4)


def test_structural_distance_of_equal_images_is_zero_also_below_the_window_size() -> None:
    tiny = smooth_images(3, size=8)
    assert structural_distance(tiny[0], tiny)[0].abs() < 1e-5
    assert (structural_distance(tiny[0], tiny)[1:] > 0.05).all()


def test_euclidean_equals_cdist() -> None:
    a, b = torch.randn(7, 40), torch.randn(9, 40)
    assert torch.allclose(euclidean(a, b), torch.cdist(a, b), atol=1e-4)
