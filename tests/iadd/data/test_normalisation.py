import torch

from iadd.data.normalisation import Normalisation


def test_normalised_images_have_mean_zero_and_spread_one_per_channel() -> None:
    images = torch.randint(0, 256, (5000, 2, 4, 4), dtype=torch.uint8)
    images[:, 1] //= 3
    values = Normalisation.of(images).apply(images)
    torch.testing.assert_close(values.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        values.std(dim=(0, 2, 3), correction=0), torch.ones(2), atol=1e-5, rtol=0
    )


def test_what_is_normalised_comes_back_and_what_lies_outside_is_clipped() -> None:
    images = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8)
    normalisation = Normalisation.of(images)
    assert torch.equal(normalisation.invert(normalisation.apply(images)), images)
    assert normalisation.invert(torch.full((1, 1, 1, 1), 99.0)).item() == 255


def test_images_of_one_intensity_are_defined() -> None:
    images = torch.full((2, 1, 4, 4), 7, dtype=torch.uint8)
    assert torch.equal(Normalisation.of(images).apply(images), torch.zeros(2, 1, 4, 4))
