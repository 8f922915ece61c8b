"""Differentiates a ConvNet's step by hand: forward over reverse, with what the sweep computed kept.

A student step is differentiated twice: its gradient g = ∇_θ ℓ moves the student on the way forth,
and on the way back φ = ⟨g, λ⟩ is differentiated for θ and for the images (docs/adr/001). Both read
the same activations. Automatic differentiation computes them anew on the way back; here
:meth:`ConvNetSteps.sweep` returns them, and :meth:`ConvNetSteps.pull_back` starts from them: nine
convolutions per layer instead of eleven. Of these, products that share an operand are one call over
concatenated operands, and the first layer, which has few channels, is a matrix product over its
columns (docs/adr/009).

A dot is the derivative in the direction λ: ẏ of an activation, ġ of a gradient. Since φ is the
derivative of ℓ in that direction, ∂φ/∂x is ġ for x, the derivative of x's gradient. For a block

    y = w∗a + b    c = y − mean y    s = (mean c² + ε)^(−1/2)    n = s·c    a⁺ = pool ReLU(γn + β)

with means over the pixels of an image and a channel. Shapes: m images, D filters, H × W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from iadd.networks.convnet import ConvBlock, ConvNet
from iadd.runtime.compile import compile_step

_CLOSE = torch.channels_last
"""Layout in which convolutions are fastest."""


class Kept(NamedTuple):
    """What a sweep computed and its adjoint step reads; lists have an item per block.

    Attributes:
        probabilities: Softmax of the logits, (m, classes).
        by_logits: ∂ℓ/∂logits, (m, classes).
        features: Inputs of the last layer, (m, features).
        inputs: a, as the block's convolution reads it.
        normal: n, (m, D, …).
        scales: s, (m, D, 1, 1).
        by_outputs: ∂ℓ/∂a⁺, (m, D, H/2, W/2).
        by_products: ∂ℓ/∂y, (m, D, …).
    """

    probabilities: Tensor
    by_logits: Tensor
    features: Tensor
    inputs: list[Tensor]
    normal: list[Tensor]
    scales: list[Tensor]
    by_outputs: list[Tensor]
    by_products: list[Tensor]


class ConvNetSteps:
    """Differentiates the steps of one ConvNet of plain precision.

    Args:
        network: Gives the architecture; its own parameters are not read.
        image_size: H = W of the images.
        compiled: Compile at the first call, once for each shape of mini-batch.
    """

    def __init__(self, network: ConvNet, *, image_size: int, compiled: bool = False) -> None:
        self._shapes = [parameter.shape for parameter in network.parameters()]
        self._depth = len(network.blocks)
        self._epsilon = cast(ConvBlock, network.blocks[0]).norm.eps
        self._blocks: list[_Convolution] = [
            _Spread() if number == 0 and image_size % 2 == 0 else _Plain()
            for number in range(self._depth)
        ]
        self._sweep, self._pull_back = self._compute_sweep, self._compute_pull_back
        if compiled:
            self._sweep = compile_step(self._compute_sweep)
            self._pull_back = compile_step(self._compute_pull_back)

    def sweep(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Kept]:
        """Compute ∇_θ ℓ of eq. 2, (P,), and what the adjoint step reads.

        Args:
            theta: θ, (P,).
            images: b after augmentation, (m, C, H, W).
            labels: (m,) int64.
        """
        gradient, kept = self._sweep(theta, images, labels)
        return gradient, Kept(*kept)

    def pull_back(
        self,
        theta: Tensor,
        images: Tensor,
        labels: Tensor,
        adjoint: Tensor,
        kept: Kept | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute φ, a scalar, ∂φ/∂θ, (P,), and ∂φ/∂b, (m, C, H, W).

        Args:
            theta: θ, (P,).
            images: b after augmentation, (m, C, H, W).
            labels: (m,) int64.
            adjoint: λ, (P,).
            kept: What :meth:`sweep` returned for the same θ and images; computed anew, to the same
                bits, unless given.
        """
        if kept is None:
            _, kept = self.sweep(theta, images, labels)
        phi, by_theta, by_images = self._pull_back(theta, adjoint, *kept)
        return phi, by_theta, by_images.view_as(images)

    def _layers(self, theta: Tensor) -> tuple[list["_Layer"], Tensor, Tensor]:
        """Cut a vector (P,) into layers of blocks, and weight and bias of the last layer."""
        parts = theta.split([shape.numel() for shape in self._shapes])
        formed = [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]
        layers = [
            _Layer(
                formed[at].contiguous(memory_format=_CLOSE),
                *(one[:, None, None] for one in formed[at + 1 : at + 4]),
            )
            for at in range(0, 4 * self._depth, 4)
        ]
        return layers, formed[-2], formed[-1]

    def _compute_sweep(
        self, theta: Tensor, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, tuple[Any, ...]]:
        layers, weight, bias = self._layers(theta)
        inputs: list[Tensor] = []
        normal: list[Tensor] = []
        scales: list[Tensor] = []
        passed = images
        for block, layer in zip(self._blocks, layers, strict=True):
            inputs.append(block.lay_out(passed))
            product = block.products([inputs[-1]], [layer.weight]) + layer.bias
            centred = product - _mean(product)
            scales.append(torch.rsqrt(_mean(centred.square()) + self._epsilon))
            normal.append(centred * scales[-1])
            passed = block.pool(
                F.relu(normal[-1] * layer.gain + layer.shift), side=passed.shape[2] // 2
            )
        features = passed.flatten(1)
        probabilities = (features @ weight.T + bias).softmax(dim=1)
        seen = F.one_hot(labels, len(bias)).to(probabilities.dtype)
        by_logits = (probabilities - seen) / len(labels)

        gradients = [by_logits.T @ features, by_logits.sum(dim=0)]
        by_output = (by_logits @ weight).view(passed.shape)
        by_outputs: list[Tensor] = []
        by_products: list[Tensor] = []
        for number in reversed(range(self._depth)):
            block, layer = self._blocks[number], layers[number]
            n, s = normal[number], scales[number]
            by_outputs.insert(0, by_output)
            by_active = torch.where(_active(n, layer), block.unpool(by_output, n.shape), 0.0)
            by_normal = by_active * layer.gain
            by_product = s * (by_normal - _mean(by_normal) - n * _mean(by_normal * n))
            by_product = block.lay_out_product(by_product)
            by_products.insert(0, by_product)
            gradients = [
                block.by_weight([by_product], [inputs[number]], layer.weight),
                by_product.sum(dim=(0, 2, 3)),
                (by_active * n).sum(dim=(0, 2, 3)),
                by_active.sum(dim=(0, 2, 3)),
                *gradients,
            ]
            if number:
                by_output = block.by_input([by_product], [layer.weight], inputs[number])
        # A plain tuple, in the order of Kept: what is compiled returns no classes of ours.
        kept = (probabilities, by_logits, features, inputs, normal, scales, by_outputs, by_products)
        return _joined(gradients), kept

    def _compute_pull_back(
        self,
        theta: Tensor,
        adjoint: Tensor,
        probabilities: Tensor,
        by_logits: Tensor,
        features: Tensor,
        inputs: list[Tensor],
        normal: list[Tensor],
        scales: list[Tensor],
        by_outputs: list[Tensor],
        by_products: list[Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        layers, weight, _ = self._layers(theta)
        turned, weight_dot, bias_dot = self._layers(adjoint)

        # Forwards: what λ does to each activation.
        inputs_dot: list[Tensor] = []
        products_dot: list[Tensor] = []
        passed: Tensor | None = None
        for number, (block, layer, dot) in enumerate(
            zip(self._blocks, layers, turned, strict=True)
        ):
            n = normal[number]
            if passed is None:
                product = block.products([inputs[number]], [dot.weight])
            else:
                inputs_dot.append(block.lay_out(passed))
                product = block.products(
                    [inputs_dot[-1], inputs[number]], [layer.weight, dot.weight]
                )
            products_dot.append(product + dot.bias)
            n_dot = _normal_dot(products_dot[-1], n, scales[number])
            active = dot.gain * n + layer.gain * n_dot + dot.shift
            passed = block.pool(
                torch.where(_active(n, layer), active, 0.0), side=by_outputs[number].shape[2]
            )
        assert passed is not None, "a ConvNet has at least one block"
        features_dot = passed.flatten(1)
        logits_dot = features_dot @ weight.T + features @ weight_dot.T + bias_dot
        phi = (by_logits * logits_dot).sum()

        # Backwards: what λ does to each gradient.
        spread = probabilities * logits_dot
        by_logits_dot = spread - probabilities * spread.sum(dim=1, keepdim=True)
        by_logits_dot = by_logits_dot / len(probabilities)
        gradients = [by_logits_dot.T @ features + by_logits.T @ features_dot, by_logits_dot.sum(0)]
        by_output_dot = (by_logits_dot @ weight + by_logits @ weight_dot).view(passed.shape)
        for number in reversed(range(self._depth)):
            block, layer, dot = self._blocks[number], layers[number], turned[number]
            n, s = normal[number], scales[number]
            centred_dot = products_dot[number] - _mean(products_dot[number])
            along = _mean(n * centred_dot)
            n_dot, s_dot = s * (centred_dot - n * along), -s.square() * along
            active = _active(n, layer)
            by_active = torch.where(active, block.unpool(by_outputs[number], n.shape), 0.0)
            by_active_dot = torch.where(active, block.unpool(by_output_dot, n.shape), 0.0)
            by_normal = layer.gain * by_active
            by_normal_dot = dot.gain * by_active + layer.gain * by_active_dot
            across = _mean(by_normal * n)
            by_product_dot = s_dot * (by_normal - _mean(by_normal) - n * across) + s * (
                by_normal_dot
                - _mean(by_normal_dot)
                - n_dot * across
                - n * _mean(by_normal_dot * n + by_normal * n_dot)
            )
            by_product_dot = block.lay_out_product(by_product_dot)
            by_product = by_products[number]
            if number:
                by_weight_dot = block.by_weight(
                    [by_product, by_product_dot],
                    [inputs_dot[number - 1], inputs[number]],
                    layer.weight,
                )
            else:
                by_weight_dot = block.by_weight([by_product_dot], [inputs[0]], layer.weight)
            gradients = [
                by_weight_dot,
                by_product_dot.sum(dim=(0, 2, 3)),
                (by_active_dot * n + by_active * n_dot).sum(dim=(0, 2, 3)),
                by_active_dot.sum(dim=(0, 2, 3)),
                *gradients,
            ]
            by_output_dot = block.by_input(
                [by_product_dot, by_product], [layer.weight, dot.weight], inputs[number]
            )
        return phi, _joined(gradients), by_output_dot.contiguous()


@dataclass(frozen=True)
class _Layer:
    """One block's part of a vector like θ.

    Attributes:
        weight: w, (D, C, 3, 3).
        bias: b, (D, 1, 1).
        gain: γ, (D, 1, 1).
        shift: β, (D, 1, 1).
    """

    weight: Tensor
    bias: Tensor
    gain: Tensor
    shift: Tensor


class _Convolution(Protocol):
    """A block's convolution and pooling, with the sums of products that derivatives consist of."""

    def lay_out(self, images: Tensor) -> Tensor:
        """Lay out a block's input (m, C, H, W) as :meth:`products` reads it."""

    def lay_out_product(self, by_product: Tensor) -> Tensor:
        """Lay out a gradient like a product."""

    def products(self, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        """Compute Σ wᵢ∗aᵢ, (m, D, …)."""

    def by_weight(
        self, by_products: Sequence[Tensor], inputs: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        """Sum the gradients for the weight of several products, (D, C, 3, 3)."""

    def by_input(
        self, by_products: Sequence[Tensor], weights: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        """Sum the gradients for the input of several products, (m, C, H, W)."""

    def pool(self, active: Tensor, *, side: int) -> Tensor:
        """Average 2×2 pixels of (m, D, …) into (m, D, side, side)."""

    def unpool(self, by_output: Tensor, shape: torch.Size) -> Tensor:
        """Spread the gradient of :meth:`pool` over the pixels of a product of this shape."""


class _Plain:
    """Any block: PyTorch's convolutions, several products in one by concatenated channels."""

    def lay_out(self, images: Tensor) -> Tensor:
        return images.contiguous(memory_format=_CLOSE)

    def lay_out_product(self, by_product: Tensor) -> Tensor:
        return by_product.contiguous(memory_format=_CLOSE)

    def products(self, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        return F.conv2d(_together(inputs, dim=1), _together(weights, dim=1), padding=1)

    def by_weight(
        self, by_products: Sequence[Tensor], inputs: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        return _backward(_together(by_products), _together(inputs), like, for_weight=True)

    def by_input(
        self, by_products: Sequence[Tensor], weights: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        return _backward(
            _together(by_products, dim=1), like, _together(weights, dim=0), for_weight=False
        )

    def pool(self, active: Tensor, *, side: int) -> Tensor:
        return F.avg_pool2d(active, kernel_size=2)

    def unpool(self, by_output: Tensor, shape: torch.Size) -> Tensor:
        height, width = by_output.shape[2:]
        spread = (by_output * 0.25)[:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2)
        spread = spread.reshape(*by_output.shape[:2], 2 * height, 2 * width)
        # Pooling leaves out the last row and column of an odd side.
        return F.pad(spread, (0, shape[3] - 2 * width, 0, shape[2] - 2 * height))


class _Spread:
    """The first block, of even sides: a matrix product over the 3×3 neighbourhoods of all pixels.

    The four pixels of a pooling window are planes of their own, (m, …, 4, H·W/4), so that pooling
    is a mean over planes.
    """

    def lay_out(self, images: Tensor) -> Tensor:
        m, channels, height, width = images.shape
        columns = F.unfold(images, kernel_size=3, padding=1)
        windows = columns.view(m, 9 * channels, height // 2, 2, width // 2, 2)
        return windows.permute(0, 1, 3, 5, 2, 4).reshape(m, 9 * channels, height * width)

    def lay_out_product(self, by_product: Tensor) -> Tensor:
        return by_product.contiguous()

    def products(self, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
        # One at most: nothing turns the images themselves.
        (columns,), (weight,) = inputs, weights
        planes: Tensor = (weight.flatten(1) @ columns).unflatten(2, (4, -1))
        return planes

    def by_weight(
        self, by_products: Sequence[Tensor], inputs: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        (by_product,), (columns,) = by_products, inputs
        gradient = torch.bmm(by_product.flatten(2), columns.transpose(1, 2)).sum(dim=0)
        return gradient.view(like.shape)

    def by_input(
        self, by_products: Sequence[Tensor], weights: Sequence[Tensor], like: Tensor
    ) -> Tensor:
        columns = sum(
            weight.flatten(1).T @ by_product.flatten(2)
            for by_product, weight in zip(by_products, weights, strict=True)
        )
        assert isinstance(columns, Tensor)
        m, rows, pixels = columns.shape
        side = round(pixels**0.5)
        windows = columns.view(m, rows, 2, 2, side // 2, side // 2).permute(0, 1, 4, 2, 5, 3)
        return F.fold(windows.reshape(m, rows, pixels), (side, side), kernel_size=3, padding=1)

    def pool(self, active: Tensor, *, side: int) -> Tensor:
        averaged: Tensor = active.mean(dim=2).unflatten(2, (side, side))
        return averaged

    def unpool(self, by_output: Tensor, shape: torch.Size) -> Tensor:
        return (by_output * 0.25).flatten(2)[:, :, None].expand(-1, -1, 4, -1)


def _backward(by_product: Tensor, inputs: Tensor, weight: Tensor, *, for_weight: bool) -> Tensor:
    """Differentiate a convolution for its weight, or else for its input, and for nothing else."""
    mask = [not for_weight, for_weight, False]
    ones, none = [1, 1], [0, 0]
    found = torch.ops.aten.convolution_backward(
        by_product, inputs, weight, None, ones, ones, ones, False, none, 1, mask
    )
    gradient: Tensor = found[1 if for_weight else 0]
    return gradient


def _mean(values: Tensor) -> Tensor:
    """Average over the pixels, (m, D, 1, 1)."""
    return values.mean(dim=(2, 3), keepdim=True)


def _active(normal: Tensor, layer: _Layer) -> Tensor:
    """Where ReLU lets through."""
    return normal * layer.gain + layer.shift > 0


def _normal_dot(product_dot: Tensor, normal: Tensor, scale: Tensor) -> Tensor:
    """Compute ṅ from ẏ."""
    centred = product_dot - _mean(product_dot)
    return scale * (centred - normal * _mean(normal * centred))


def _together(parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat([*parts], dim=dim)


def _joined(gradients: Sequence[Tensor]) -> Tensor:
    """Join the gradients of all parameters into a vector (P,)."""
    return torch.cat([gradient.contiguous().flatten() for gradient in gradients])
