import math
import os

import pytest
import torch

from iadd.dp import noise


def test_gaussian_noise_has_its_moments_and_tails() -> None:
    drawn = noise.gaussian(200_001, std=3.0)
    assert drawn.shape == (200_001,)
    assert abs(drawn.mean().item()) < 5 * 3 / math.sqrt(200_001)
    assert abs(drawn.std().item() / 3 - 1) < 0.01
    beyond = (drawn.abs() > 6).double().mean().item()
    assert abs(beyond - 0.0455) < 0.003


def test_laplace_noise_has_its_scale() -> None:
    drawn = noise.laplace(200_000, scale=2.0)
    assert abs(drawn.mean().item()) < 0.05
    assert abs(drawn.abs().mean().item() / 2 - 1) < 0.02
    assert abs((drawn.abs() > 2 * math.log(20)).double().mean().item() - 0.05) < 0.005


def test_coins_show_true_with_their_probability() -> None:
    assert abs(noise.coins(100_000, probability=0.1).double().mean().item() - 0.1) < 0.006
    assert noise.coins(100, probability=1.0).all()


def test_numbers_below_a_limit_are_even() -> None:
    drawn = noise.below(torch.full((60_000,), 3))
    shares = torch.bincount(drawn, minlength=3).double() / 60_000
    assert (shares - 1 / 3).abs().max() < 0.012


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_largest_number_stays_below_one(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """Rounded up to 1, one number in 2²⁵ moved a crop out of its image."""
    monkeypatch.setattr(os, "urandom", lambda count: b"\xff" * count)
    (largest,) = noise.uniforms(1, dtype=dtype)
    assert largest.dtype == dtype
    assert 1 - 2**-24 <= largest < 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_even_between_zero_and_one(dtype: torch.dtype) -> None:
    shares = torch.histc(noise.uniforms(100_000, dtype=dtype), bins=10, min=0, max=1) / 100_000
    assert (shares - 0.1).abs().max() < 0.006


def test_no_seed_makes_noise_repeat() -> None:
    torch.manual_seed(0)
    first = noise.gaussian(8, std=1.0)
    torch.manual_seed(0)
    assert not torch.equal(first, noise.gaussian(8, std=1.0))
