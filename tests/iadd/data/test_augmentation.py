import pytest
import torch
from torch import Tensor

from iadd.config import AUGMENTATIONS, AugmentationConfig
from iadd.data.augmentation import AugmentationDraw, augment, draw_augmentation

ALL = AugmentationConfig(augmentation=AUGMENTATIONS)


def apply(operation: str, uniforms: list[float], images: Tensor) -> Tensor:
    values = torch.tensor([uniforms + [0.5] * (4 - len(uniforms))]).expand(len(images), 4)
    return augment(images, AugmentationDraw(operation, values), ALL)


@pytest.fixture
def gradient_image() -> Tensor:
    """Brighter to the right, (1, 1, 16, 16)."""
    return torch.linspace(-1, 1, 16).expand(1, 1, 16, 16).clone()


@pytest.mark.parametrize("operation", AUGMENTATIONS)
def test_a_draw_replays_exactly_and_in_parts(operation: str) -> None:
    images = torch.randn(5, 3, 16, 16)
    settings = AugmentationConfig(augmentation=(operation,))
    draw = draw_augmentation(settings, 5, torch.Generator().manual_seed(1))
    whole = augment(images, draw, settings)
    assert whole.shape == images.shape
    assert not torch.equal(whole, images)
    assert torch.equal(whole, augment(images, draw, settings))
    parts = [
        augment(images[part], draw.part(part), settings) for part in (slice(0, 2), slice(2, 5))
    ]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_every_image_has_parameters_of_its_own() -> None:
    images = torch.randn(1, 1, 16, 16).expand(8, 1, 16, 16)
    draw = draw_augmentation(
        AugmentationConfig(augmentation=("rotate",)), 8, torch.Generator().manual_seed(1)
    )
    rotated = augment(images, draw, ALL)
    assert all(not torch.equal(rotated[0], other) for other in rotated[1:])


def test_operations_are_drawn_from_the_settings_alone() -> None:
    settings = AugmentationConfig(augmentation=("crop", "scale"))
    generator = torch.Generator().manual_seed(0)
    drawn = {draw_augmentation(settings, 1, generator).operation for _ in range(50)}
    assert drawn == {"crop", "scale"}


def test_no_operation_changes_nothing() -> None:
    images = torch.randn(2, 1, 8, 8)
    draw = draw_augmentation(AugmentationConfig(augmentation=()), 2, torch.Generator())
    assert augment(images, draw, ALL) is images


def test_the_middle_of_every_range_is_the_identity(gradient_image: Tensor) -> None:
    neutral = {"color": [0.5, 0.5, 0.5], "rotate": [0.5], "crop": [0.5, 0.5]}
    for operation, uniforms in neutral.items():
        torch.testing.assert_close(
            apply(operation, uniforms, gradient_image), gradient_image, atol=1e-5, rtol=0
        )


def test_flip_mirrors_left_and_right(gradient_image: Tensor) -> None:
    assert torch.equal(apply("flip", [0.1], gradient_image), gradient_image.flip(-1))
    assert torch.equal(apply("flip", [0.9], gradient_image), gradient_image)


def test_crop_shifts_by_at_most_the_padding_and_fills_with_zeros(gradient_image: Tensor) -> None:
    shifted = apply("crop", [0.5, 0.0], gradient_image)
    assert torch.equal(shifted[..., 2:], gradient_image[..., :-2])
    assert torch.equal(shifted[..., :2], torch.zeros(1, 1, 16, 2))


def test_cutout_blanks_a_square_of_half_the_side() -> None:
    images = torch.ones(1, 1, 16, 16)
    assert (apply("cutout", [0.5, 0.5], images) == 0).sum() == 8 * 8
    assert (apply("cutout", [0.0, 0.0], images) == 0).sum() < 8 * 8


def test_scale_zooms_between_its_ratio_and_the_inverse() -> None:
    images = torch.zeros(1, 1, 33, 33)
    images[..., 12:21, 12:21] = 1
    area = images.sum()
    assert (
        apply("scale", [0.0, 0.0], images).sum()
        > area
        > apply("scale", [0.999, 0.999], images).sum()
    )


def test_gradients_flow_back_to_the_pixels() -> None:
    for operation in AUGMENTATIONS:
        images = torch.randn(2, 1, 16, 16, dtype=torch.float64, requires_grad=True)
        uniforms = torch.full((2, 4), 0.3)
        augment(images, AugmentationDraw(operation, uniforms), ALL).sum().backward()
        assert images.grad is not None
        assert images.grad.abs().sum() > 0
