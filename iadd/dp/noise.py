"""Draws noise and samples for differential privacy, from the operating system's entropy.

No draw has a seed, and none is stored: whoever knew the noise could subtract it. The numbers are
floating-point approximations of the distributions; attacks on the rounding of such noise (Mironov,
CCS 2012) are not covered.
"""

import math
import os

import torch
from torch import Tensor

_BITS = {torch.float64: 53, torch.float32: 24}
"""Digits of a number below 1. More of them would be rounded, the largest numbers up to 1."""


def uniforms(count: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw numbers evenly in [0, 1), (count,).

    Args:
        count: How many.
        dtype: float64, at a resolution of 2⁻⁵³, or float32, at 2⁻²⁴.
    """
    if count == 0:
        return torch.empty(0, dtype=dtype)
    bits = _BITS[dtype]
    words = torch.frombuffer(bytearray(os.urandom(8 * count)), dtype=torch.int64)
    # The mask removes the copies of the sign that the shift brings in.
    numbers: Tensor = ((words >> (64 - bits)) & ((1 << bits) - 1)).to(dtype) / 2**bits
    return numbers


def gaussian(count: int, *, std: float) -> Tensor:
    """Draw from a normal distribution of mean 0, (count,) float64 (Box and Muller 1958)."""
    pairs = (count + 1) // 2
    # 1 − u lies in (0, 1], where the logarithm is finite.
    radius = (-2 * torch.log1p(-uniforms(pairs))).sqrt()
    angle = 2 * math.pi * uniforms(pairs)
    return std * torch.cat([radius * angle.cos(), radius * angle.sin()])[:count]


def laplace(count: int, *, scale: float) -> Tensor:
    """Draw from a Laplace distribution of mean 0 and density exp(−|x|/scale), (count,) float64."""
    exponential = -torch.log1p(-uniforms(count))
    return scale * torch.where(uniforms(count) < 0.5, -exponential, exponential)


def coins(count: int, *, probability: float) -> Tensor:
    """Toss independent coins that show True with a probability, (count,) bool."""
    return uniforms(count) < probability


def below(limits: Tensor) -> Tensor:
    """Draw whole numbers evenly from 0 to each limit, exclusive; (N,) int64 → (N,) int64."""
    return (uniforms(len(limits)) * limits).long().clamp(max=limits - 1)
