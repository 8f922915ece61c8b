"""Whitened images have unit covariance, and become pictures again through the exact inverse."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import iadd
from iadd.bundle.bundle import BundleError
from iadd.bundle.image_grid import draw_image_grid
from iadd.config import Config, ConfigError
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation, fit_normalisation
from iadd.data.whitening import Whitening, WhiteningError
from iadd.reproduce.runner import run_study
from iadd.reproduce.small_sets import as_small_set
from iadd.reproduce.study import Row, Study
from iadd.training.saved_network import TrainedNetwork
from iadd.trajectories.buffer import TrajectoryError
from tests.iadd.factories import make_images


def _colour(count: int = 60, size: int = 8) -> Tensor:
    """Smooth colour pictures: neighbours and channels go together."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 3, 3, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    smooth += smooth.mean(dim=1, keepdim=True)
    noise = 4 * torch.rand(count, 3, size, size, generator=generator, dtype=torch.float64)
    return (smooth * 120 + noise).clamp(0, 255).to(torch.uint8)


@pytest.fixture
def whitened(config: Config) -> Config:
    return config.override({"whitening": "zca", "image_format": "float", "initialisation": "real"})


def test_the_inverse_is_exact_in_float64() -> None:
    images = _colour(200).double() / 255
    whitening = Whitening.of(images.float(), epsilon=1e-4)
    error = (whitening.invert(whitening.apply(images)) - images).abs().max()
    assert error < 1e-6
    identity = whitening.matrix.double() @ whitening.inverse
    torch.testing.assert_close(identity, torch.eye(192, dtype=torch.float64), atol=1e-9, rtol=0)


@pytest.mark.parametrize("epsilon", [0.1, 1e-4])
def test_it_is_zca_of_the_covariance(epsilon: float) -> None:
    """W (C + ε) W = 1, W symmetric and positive: the definition, by no eigenvectors."""
    images = Normalisation.of(_colour(300)).apply(_colour(300))
    whitening = Whitening.of(images, epsilon=epsilon)
    rows = images.flatten(1).double()
    covariance = torch.cov(rows.T) + epsilon * torch.eye(192, dtype=torch.float64)
    matrix = whitening.matrix.double()
    assert torch.equal(matrix, matrix.T)
    assert torch.linalg.eigvalsh(matrix).min() > 0
    torch.testing.assert_close(
        matrix @ covariance @ matrix, torch.eye(192, dtype=torch.float64), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        whitening.apply(images.double()),
        (rows - rows.mean(0)).mm(matrix).view(images.shape),
        atol=1e-4,
        rtol=0,
    )


def test_a_normalisation_shows_pictures_again(config: Config) -> None:
    images = _colour()
    settings = {"whitening": "zca", "image_format": "float", "whitening_epsilon": 0.01}
    normalisation = fit_normalisation(images, config.override(settings))
    assert normalisation.whitening is not None
    normalised = normalisation.apply(images)
    assert (normalised - Normalisation.of(images).apply(images)).abs().max() > 0.1
    assert torch.equal(normalisation.invert(normalised), images)
    assert torch.equal(normalisation.round_to_grey_levels(normalised), normalised)
    clipped = normalisation.to_intensities(normalisation.clip(normalised * 5))
    assert clipped.min() > -1e-3
    assert clipped.max() < 1 + 1e-3


def test_it_is_fitted_once_and_tells_images_apart(config: Config) -> None:
    settings = config.override({"whitening": "zca", "image_format": "float"})
    one, other = _colour(), 255 - _colour()
    first = fit_normalisation(one, settings)
    assert fit_normalisation(one.clone(), settings).whitening is first.whitening
    assert fit_normalisation(other, settings) != first
    assert fit_normalisation(one, settings.override({"whitening_epsilon": 0.2})) != first
    assert fit_normalisation(one, config) == Normalisation.of(one)
    assert hash(first) != hash(Normalisation.of(one))


def test_what_cannot_be_whitened_is_refused() -> None:
    with pytest.raises(WhiteningError, match="set whitening to none"):
        Whitening.of(torch.zeros(2, 1, 200, 200), epsilon=0.1)
    with pytest.raises(WhiteningError, match="two images"):
        Whitening.of(torch.zeros(1, 1, 2, 2), epsilon=0.1)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_format": "8bit"},
        {"audit_test_runs": 4},
        {"privacy": "dp", "validate_every": 0, "initialisation": "noise"},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_set_that_is_released_is_not_whitened(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="whitening"):
        Config().override({"whitening": "zca", "image_format": "float", **settings})


def test_teachers_of_earlier_versions_keep_their_key() -> None:
    config = Config(image_size=112)
    assert config.teacher_key() == "829048f1d14c6bb5"
    settings = {"whitening": "zca", "image_format": "float"}
    assert config.override(settings).teacher_key() != config.teacher_key()
    assert config.override({"whitening_epsilon": 0.2}).teacher_key() == config.teacher_key()


def test_teachers_and_sets_are_whitened_and_stored_with_their_whitening(
    images: ImageSet, whitened: Config, tmp_path: Path
) -> None:
    buffer = iadd.record_trajectories(images, whitened, out=tmp_path / "teachers")
    assert buffer.normalisation.whitening is not None
    assert len(list((tmp_path / "teachers").glob("whitening-*.safetensors"))) == 1
    again = iadd.TrajectoryBuffer.open(tmp_path / "teachers", whitened)
    assert again.normalisation == buffer.normalisation
    plain = whitened.override({"whitening": "none"})
    unlike = iadd.record_trajectories(images, plain, out=tmp_path / "plain")
    assert not torch.equal(unlike.snapshot(0, 1), buffer.snapshot(0, 1))

    distilled = iadd.distill(images, buffer, whitened)
    stored = DistilledDataset.from_bytes(distilled.to_bytes())
    assert stored.normalisation == distilled.normalisation == buffer.normalisation
    assert stored.to_bytes() == distilled.to_bytes()
    # What it started from are training images: shown again, they are these to the grey level.
    assert stored.initial_images is not None
    shown = stored.normalisation.invert(stored.initial_images)
    known = {image.numpy().tobytes() for image in images.part("train").images}
    assert {image.numpy().tobytes() for image in shown} <= known
    assert draw_image_grid(stored).size[0] > 0
    assert iadd.evaluate(stored, images, whitened).to_dict()["training_images"] == 4
    with pytest.raises(BundleError, match="whitening none"):
        iadd.write_bundle(
            tmp_path / "bundle.zip", stored, report_html=b"", report_json={"versions": {}}
        )

    (tmp_path / "teachers").joinpath(
        next((tmp_path / "teachers").glob("whitening-*")).name
    ).unlink()
    with pytest.raises(TrajectoryError, match="whitening"):
        iadd.TrajectoryBuffer.open(tmp_path / "teachers", whitened)


def test_a_teacher_that_is_added_takes_the_whitening_that_is_there(
    images: ImageSet, whitened: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = whitened.override({"teachers": 1})
    iadd.record_trajectories(images, one, out=tmp_path)
    path = next(tmp_path.glob("whitening-*"))
    before = path.read_bytes()
    monkeypatch.setattr(Whitening, "of", None)  # Whoever fits it again fails.
    buffer = iadd.record_trajectories(images, whitened, out=tmp_path)
    assert len(buffer) == 2
    assert path.read_bytes() == before


def test_a_network_is_saved_with_its_whitening(images: ImageSet, whitened: Config) -> None:
    train = images.part("train")
    chosen = torch.tensor([0, 2, 1, 3])
    small, _ = as_small_set(images, chosen, whitened)
    network = TrainedNetwork(
        iadd.train(small, whitened), train.classes, small.normalisation, whitened
    )
    read = TrainedNetwork.from_bytes(network.to_bytes())
    assert read.normalisation == small.normalisation
    assert torch.equal(read.predict(images), network.predict(images))


@pytest.mark.slow
def test_every_row_runs_on_whitened_colour_images(whitened: Config, tmp_path: Path) -> None:
    grey = make_images()
    images = replace(grey, images=grey.images.expand(-1, 3, -1, -1).contiguous())
    condensing = {"teachers": 1, "lr_img": 1.0, "network_epochs": 1}
    study = Study(
        name="whitened",
        title="",
        rows=(
            *(Row(name=name, settings={"method": name}) for name in ("iadd", "mtt", "ddpp")),
            *(
                Row(name=name, settings={**condensing, "method": name})
                for name in ("dc", "dsa", "dm")
            ),
            *(Row(name=kind, kind=kind) for kind in ("random", "herding", "forgetting", "full")),
            Row(name="start", kind="start"),
            Row(name="centres", kind="centres"),
        ),
        reference="mtt",
    )
    records = run_study(study, images, whitened, out=tmp_path, architectures=[])
    assert all(record.networks for record in records)
    assert len(list((tmp_path / "teachers").glob("whitening-*"))) == 1
