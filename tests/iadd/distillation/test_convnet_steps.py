"""Steps differentiated by hand give what automatic differentiation gives.

Compiled they are in ``test_parity.py``.
"""

import pytest
import torch

from iadd.config import Config
from iadd.counts import kept_bytes
from iadd.distillation.convnet_steps import ConvNetSteps
from iadd.distillation.student import StudentSteps, student_steps
from iadd.networks.build import build_architecture, flatten_parameters
from iadd.networks.convnet import ConvNet
from tests.iadd.distillation.problem import make_problem

EXACT = torch.float64


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert expected.norm() > 0
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("beyond", [0, 1, 2, 3], ids="{} more pixels".format)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradient_and_adjoint_step_are_those_of_autograd(
    depth: int, beyond: int, channels: int
) -> None:
    size = 2 * 2**depth + beyond
    torch.manual_seed(depth * size)
    network = ConvNet(channels=channels, classes=3, depth=depth, width=4, image_size=size).to(EXACT)
    # Fresh norms have gains of one and shifts of zero, which would hide a forgotten factor.
    theta = flatten_parameters(network) + 0.1 * torch.randn(
        sum(one.numel() for one in network.parameters()), dtype=EXACT
    )
    images = torch.randn(5, channels, size, size, dtype=EXACT)
    labels, adjoint = torch.arange(5) % 3, torch.randn(len(theta), dtype=EXACT)

    automatic, by_hand = StudentSteps(network), ConvNetSteps(network, image_size=size)
    gradient, kept = by_hand.sweep(theta, images, labels)
    found = by_hand.pull_back(theta, images, labels, adjoint, kept)

    assert relative(gradient, automatic.sweep(theta, images, labels)[0]) <= 1e-9
    expected = automatic.pull_back(theta, images, labels, adjoint)
    for ours, reference in zip(found, expected, strict=True):
        assert ours.shape == reference.shape
        assert relative(ours, reference) <= 1e-9


def test_what_is_kept_is_what_was_counted() -> None:
    config = Config().override({"image_size": 28, "depth": 3, "width": 6})
    network = build_architecture(config, channels=1, classes=3)
    assert isinstance(network, ConvNet)
    steps = ConvNetSteps(network, image_size=28)
    _, kept = steps.sweep(
        flatten_parameters(network), torch.randn(4, 1, 28, 28), torch.arange(4) % 3
    )
    tensors = [one for part in kept for one in (part if isinstance(part, list) else [part])]
    held = {one.data_ptr(): one.untyped_storage().nbytes() for one in tensors}
    assert sum(held.values()) == 4 * kept_bytes(config, channels=1, classes=3)


@pytest.mark.parametrize("kept_steps", [0, 2, 5])
def test_what_is_kept_changes_no_bit(kept_steps: int) -> None:
    problem = make_problem(5, batch=3, operations=("crop", "rotate"))
    network = problem.network
    assert isinstance(network, ConvNet)
    steps = ConvNetSteps(network, image_size=8)
    found, expected = (
        problem.solve(kept_steps=kept, micro_batch_size=2, steps=steps) for kept in (kept_steps, 1)
    )
    assert torch.equal(found.images, expected.images)
    assert torch.equal(found.syn_lr, expected.syn_lr)


def test_ordinary_precision_on_a_cpu_is_compiled_by_hand() -> None:
    def chosen(device: str = "cpu", *, compiled: bool = True, **settings: str) -> type:
        config = Config().override({"image_size": 32, "depth": 2, "width": 4, **settings})
        network = build_architecture(config, channels=1, classes=2)
        return type(student_steps(network, image_size=32, compiled=compiled, device=device))

    assert chosen() is ConvNetSteps
    assert chosen(compiled=False) is StudentSteps
    assert chosen(device="cuda") is StudentSteps
    assert chosen(network="resnet18") is StudentSteps
    assert chosen(precision="bfloat16") is StudentSteps
