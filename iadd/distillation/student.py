"""Differentiates one step of the student for the adjoint recursion (docs/adr/001).

With ℓ the mean cross-entropy of a mini-batch b and λ a vector like θ,

    gradient(θ, b)     = ∇_θ ℓ(b; θ)
    pull_back(θ, b, λ) = φ, ∂φ/∂θ, ∂φ/∂b   of   φ = ⟨∇_θ ℓ(b; θ), λ⟩

Eagerly φ is an inner product with an ordinary gradient that keeps its graph. PyTorch refuses to
differentiate twice through a compiled function, so there φ is a directional derivative, taken
forwards inside the function that is compiled: d/dε ℓ(b; θ + ελ) at ε = 0.

Compiled steps of a ConvNet on a CPU are differentiated by hand instead, and keep what the first
sweep computed (:mod:`iadd.distillation.convnet_steps`).

Shapes: P parameters, m images of a mini-batch.
"""

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iadd.distillation.convnet_steps import ConvNetSteps
from iadd.networks.build import call_with
from iadd.networks.convnet import ConvNet
from iadd.networks.layers import Convolution
from iadd.runtime.compile import compile_step


class Steps(Protocol):
    """Differentiates the steps of one network, each twice."""

    def sweep(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Any]:
        """Compute ∇_θ ℓ of eq. 2, (P,), and what the adjoint step may read; None if nothing.

        Args:
            theta: θ, (P,).
            images: b after augmentation, (m, C, H, W).
            labels: (m,) int64.
        """

    def pull_back(
        self, theta: Tensor, images: Tensor, labels: Tensor, adjoint: Tensor, kept: Any = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute φ, a scalar, ∂φ/∂θ, (P,), and ∂φ/∂b, (m, C, H, W).

        Args:
            theta: θ, (P,).
            images: b after augmentation, (m, C, H, W).
            labels: (m,) int64.
            adjoint: λ, (P,).
            kept: What :meth:`sweep` gave for the same θ and images; computed anew unless given.
        """


def student_steps(
    network: nn.Module, *, image_size: int, compiled: bool, device: torch.device | str
) -> Steps:
    """Choose how the steps of a network are differentiated.

    Args:
        network: Gives the architecture and the precision.
        image_size: H = W of the images.
        compiled: Compile at the first call; the result changes by rounding alone.
        device: Device of the run.
    """
    rounds = any(
        module.rounds_to is not None
        for module in network.modules()
        if isinstance(module, Convolution)
    )
    on_cpu = torch.device(device).type == "cpu"
    if compiled and on_cpu and isinstance(network, ConvNet) and not rounds:
        return ConvNetSteps(network, image_size=image_size, compiled=True)
    return StudentSteps(network, compiled=compiled)


class StudentSteps:
    """Differentiates the steps of any network automatically.

    Args:
        network: Gives the architecture; its own parameters are not read.
        compiled: Compile both functions at their first call, once for each shape of mini-batch.
            It pays in long runs (:mod:`iadd.runtime.compile`); the result changes by rounding
            alone.
    """

    def __init__(self, network: nn.Module, *, compiled: bool = False) -> None:
        self._network = network
        # Channels-last convolutions are faster; only eager norms, which compiled code does not
        # have, would be slower.
        self._memory_format = torch.channels_last if compiled else None
        self._gradient = compile_step(self._forward_gradient) if compiled else self._eager_gradient
        self._pull_back = (
            compile_step(self._forward_pull_back) if compiled else self._eager_pull_back
        )

    def sweep(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, None]:
        """Compute ∇_θ ℓ as :meth:`Steps.sweep` says, and keep nothing."""
        return self._gradient(theta, images, labels), None

    def pull_back(
        self, theta: Tensor, images: Tensor, labels: Tensor, adjoint: Tensor, kept: None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute φ and its gradients as :meth:`Steps.pull_back` says."""
        return self._pull_back(theta, images, labels, adjoint)

    def _loss(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        logits = call_with(self._network, theta, images, memory_format=self._memory_format)
        return F.cross_entropy(logits, labels)

    def _eager_gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        theta = theta.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self._loss(theta, images, labels), theta)
        return gradient

    def _eager_pull_back(
        self, theta: Tensor, images: Tensor, labels: Tensor, adjoint: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        theta, images = theta.detach().requires_grad_(), images.detach().requires_grad_()
        loss = self._loss(theta, images, labels)
        (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
        phi = gradient @ adjoint
        by_theta, by_images = torch.autograd.grad(phi, (theta, images))
        return phi.detach(), by_theta, by_images

    def _forward_gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        gradient: Tensor = torch.func.grad(self._loss)(theta, images, labels)
        return gradient

    def _forward_pull_back(
        self, theta: Tensor, images: Tensor, labels: Tensor, adjoint: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        def phi(theta: Tensor, images: Tensor) -> Tensor:
            # Copies cost nothing in compiled code, which rejects tangents that are views of a
            # larger tensor.
            derivative: Tensor = torch.func.jvp(
                lambda at: self._loss(at, images, labels), (theta.clone(),), (adjoint.clone(),)
            )[1]
            return derivative

        gradients, value = torch.func.grad_and_value(phi, argnums=(0, 1))(theta, images)
        by_theta, by_images = gradients
        return value, by_theta, by_images
