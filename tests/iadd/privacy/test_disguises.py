"""The disguises are what their names say."""

import torch

from iadd.privacy.disguises import DISGUISES, average, disguise, draw_like
from tests.iadd.privacy.textures import draw_pictures


def disguised(name: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pictures, others = (
        draw_pictures(6, seed=1).float() / 255,
        draw_pictures(6, seed=2).float() / 255,
    )
    copies = disguise(name, pictures, others, torch.Generator().manual_seed(0))
    return pictures, others, copies


def test_there_are_twelve() -> None:
    assert len(DISGUISES) == 12
    assert all(one.title for one in DISGUISES.values())


def test_all_but_two_stay_on_grey_levels() -> None:
    for name in DISGUISES:
        levels = disguised(name)[2] * 255
        on_grid = bool(((levels - levels.round()).abs() < 1e-3).all())
        in_range = bool(((levels >= 0) & (levels <= 255.001)).all())
        assert (on_grid and in_range) == (name not in ("hidden", "offset")), name


def test_their_sizes() -> None:
    pictures, others, shifted = disguised("shifted")
    # 8 pixels of 112 are 5 of 64.
    assert torch.allclose(shifted[..., 5:, 5:], pictures[..., :-5, :-5], atol=1e-6)
    assert torch.allclose(disguised("mirrored")[2].flip(-1), pictures, atol=1e-6)
    assert torch.allclose(disguised("inverted")[2], 1 - pictures, atol=1e-6)
    assert torch.allclose(disguised("blended")[2], (pictures + others) / 2, atol=0.003)
    assert torch.allclose(disguised("hidden")[2], pictures * 0.002)
    assert torch.allclose(disguised("offset")[2], pictures + 2)
    contrast = disguised("contrast")[2]
    assert abs(float(contrast.std() / pictures.std()) - 0.3) < 0.02
    noised = disguised("noised")[2] - pictures
    assert 0.08 < float(noised.std()) < 0.11
    assert float(disguised("blurred")[2].diff(dim=-1).std()) < float(pictures.diff(dim=-1).std())


def test_an_average_is_the_mean_of_k() -> None:
    images = draw_pictures(16, seed=1)
    found = average(images, 2, 16, torch.Generator().manual_seed(0))
    assert torch.allclose(found, (images.float() / 255).mean(0, keepdim=True).expand(2, -1, -1, -1))


def test_draw_like_draws_each_image_once_and_of_its_class() -> None:
    pool = torch.tensor([0, 1, 0, 1, 1, 0])
    rows = draw_like(torch.tensor([0, 0, 1, 1, 1, 1]), pool, torch.Generator().manual_seed(0))
    assert len(rows.unique()) == 5
    assert sorted(pool[rows].tolist()) == [0, 0, 1, 1, 1]
