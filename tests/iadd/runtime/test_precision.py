"""float32 is exact, TF32 is switched for a block, and bfloat16 is rounded by the layers."""

import pytest
import torch
import torch.nn.functional as F

from iadd.networks.layers import Convolution, InstanceNorm, set_precision
from iadd.runtime.precision import computing_at


def tf32_settings() -> tuple[str, str]:
    return (
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
    )


def test_tf32_is_allowed_within_the_block_alone() -> None:
    before = tf32_settings()
    with computing_at("tf32"):
        assert tf32_settings() == ("tf32", "tf32")
        with computing_at("float32"):
            assert tf32_settings() == ("ieee", "ieee")
        assert tf32_settings() == ("tf32", "tf32")
    assert tf32_settings() == before


def test_the_settings_come_back_after_an_error() -> None:
    before = tf32_settings()
    with pytest.raises(KeyError), computing_at("tf32"):
        raise KeyError
    assert tf32_settings() == before


def test_bfloat16_rounds_what_a_convolution_reads_and_keeps_float32_around_it() -> None:
    layer = Convolution(3, 4, kernel_size=3, padding=1)
    images = torch.randn(2, 3, 8, 8)
    exact = layer(images)
    set_precision(layer, "bfloat16")
    rounded = layer(images)
    assert rounded.dtype == torch.float32
    assert layer.weight.dtype == torch.float32
    expected = F.conv2d(images.bfloat16(), layer.weight.bfloat16(), padding=1).float()
    assert torch.equal(rounded, expected + layer.bias[:, None, None])
    assert 0 < (rounded - exact).abs().max() < 0.05
    set_precision(layer, "float32")
    assert torch.equal(layer(images), exact)


def test_the_written_out_norm_is_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    norm = InstanceNorm(3).double()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    images = torch.randn(2, 3, 7, 7, dtype=torch.float64) * 5 + 3
    library = norm(images)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(norm(images), library, rtol=1e-12, atol=1e-12)
