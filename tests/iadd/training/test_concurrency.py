"""The number of networks that are trained together."""

import pytest

from iadd.config import Config
from iadd.networks.build import build_network
from iadd.training.concurrency import as_many_as_fit, bytes_for_reverse_pass, networks_at_once


def test_a_cpu_trains_one_network_at_a_time_by_default(config: Config) -> None:
    networks = [
        build_network(config.network, channels=1, classes=2, image_size=16, seed=s)
        for s in range(5)
    ]
    assert networks_at_once(0, networks=networks, images=8, shape=(1, 16, 16)) == 1
    assert networks_at_once(3, networks=networks, images=8, shape=(1, 16, 16)) == 3
    assert networks_at_once(9, networks=networks, images=8, shape=(1, 16, 16)) == 5


def test_what_the_reverse_pass_keeps_is_counted_by_hand(config: Config) -> None:
    network = build_network(config.network, channels=1, classes=2, image_size=16, seed=0)
    maps = 4 * 16 * 16 + 4 * 8 * 8  # width × pixels of the two blocks
    # Per block the images, the convolution, and the ReLU, that pooling reads too.
    kept = 16 * 16 + 2 * maps + 4 * 8 * 8 + 4 * 4 * 4
    statistics = 2 * 2 * 4
    assert bytes_for_reverse_pass(network, (1, 16, 16)) == 4 * (kept + statistics)


@pytest.mark.parametrize(
    ("free", "fitting"), [(10**9, 5), (40_000, 5), (30_000, 3), (9_000, 1), (0, 1)]
)
def test_as_many_go_together_as_fill_half_of_what_is_free(free: int, fitting: int) -> None:
    assert as_many_as_fit(5, free=free, each=4_000) == fitting


@pytest.mark.gpu
def test_a_gpu_trains_several_at_once_within_its_memory(config: Config) -> None:
    networks = [
        build_network(config.network, channels=1, classes=2, image_size=16, seed=s).cuda()
        for s in range(5)
    ]
    assert networks_at_once(0, networks=networks, images=8, shape=(1, 16, 16)) == 5
    assert networks_at_once(0, networks=networks, images=10**9, shape=(1, 16, 16)) == 1
