"""A trained network as a file."""

import pytest
import torch

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.networks.build import build_network
from iadd.training.saved_network import NetworkError, TrainedNetwork, load_network


@pytest.fixture
def trained(config: Config) -> TrainedNetwork:
    network = build_network(config.network, channels=1, classes=2, image_size=16, seed=3)
    return TrainedNetwork(network, ("plain", "square"), Normalisation((0.4,), (0.2,)), config)


def test_a_network_that_was_written_answers_as_before(
    trained: TrainedNetwork, images: ImageSet, tmp_path: object
) -> None:
    data = trained.to_bytes()
    again = TrainedNetwork.from_bytes(data)
    assert again.to_bytes() == data
    assert (again.classes, again.config) == (trained.classes, trained.config)
    assert torch.equal(again.predict(images), trained.predict(images))


def test_a_file_that_holds_no_network_is_refused(
    trained: TrainedNetwork, config: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("networks") / "network.safetensors"
    whole = trained.to_bytes()
    others = TrainedNetwork(
        trained.network, ("a", "b", "c"), trained.normalisation, config
    ).to_bytes()
    for damaged in (b"", b"hello", whole[:100], whole[:-8], others):
        path.write_bytes(damaged)
        with pytest.raises(NetworkError, match="does not hold a network"):
            load_network(path)
    path.write_bytes(whole)
    assert load_network(path).classes == ("plain", "square")
