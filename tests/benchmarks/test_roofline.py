"""Operations are counted as a hand would, and a peak is what the device was seen to reach."""

import pytest
import torch
import torch.nn.functional as F

from benchmarks.roofline import describe_machine, measure_peaks
from iadd.networks.convnet import ConvNet
from iadd.runtime.flops import count_flops

FORWARD = 2 * 5 * 3 * 7 * 9 * 8 * 8
"""Batch 5, 3 to 7 channels, 3×3 taps, 8×8 pixels: a multiplication and an addition each."""


def one_convolution() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(5, 3, 8, 8, requires_grad=True), torch.randn(7, 3, 3, 3, requires_grad=True)


def test_a_convolution_counts_as_by_hand() -> None:
    images, weight = one_convolution()
    assert count_flops(lambda: F.conv2d(images, weight, padding=1)) == FORWARD


def test_its_backward_pass_is_two_more() -> None:
    images, weight = one_convolution()
    counted = count_flops(lambda: F.conv2d(images, weight, padding=1).square().sum().backward())
    assert counted == 3 * FORWARD


def test_differentiating_the_gradient_again_is_counted() -> None:
    images, weight = one_convolution()

    def twice() -> None:
        loss = F.conv2d(images, weight, padding=1).square().sum()
        (gradient,) = torch.autograd.grad(loss, weight, create_graph=True)
        torch.autograd.grad(gradient.square().sum(), (images, weight))

    # Forward and dL/dw, both of which are differentiated for the images and the weight: the
    # output once more (by its gradient) and the two gradients of the forward pass.
    assert count_flops(twice) == 6 * FORWARD


def test_a_directional_derivative_is_counted() -> None:
    images, weight = one_convolution()
    tangents = torch.randn_like(images), torch.randn_like(weight)

    def derive() -> None:
        torch.func.jvp(lambda i, w: F.conv2d(i, w, padding=1), (images, weight), tangents)

    assert count_flops(derive) == 3 * FORWARD


def test_what_is_compiled_is_counted_as_well() -> None:
    network = ConvNet(channels=1, classes=2, depth=1, width=3, image_size=4)
    images = torch.randn(2, 1, 4, 4)
    compiled = torch.compile(network)
    assert count_flops(lambda: compiled(images)) == 2 * 2 * (3 * 9 * 16 + 12 * 2)


@pytest.mark.slow
def test_a_peak_is_what_a_kernel_reached() -> None:
    peaks = measure_peaks("float32", "cpu")
    assert set(peaks) == {"matmul", "convolution"}
    assert all(1e8 < peak < 1e14 for peak in peaks.values())


def test_the_machine_is_named() -> None:
    machine = describe_machine()
    assert machine["torch"] == torch.__version__
    assert machine["threads"] == torch.get_num_threads()
    assert machine["cores"] >= 1
    assert machine["cpu"]
