import torch

from iadd.runtime.seed import make_generator


def draw(seed: int, *key: str) -> list[float]:
    return torch.rand(1000, generator=make_generator(seed, *key)).tolist()


def test_equal_seeds_and_keys_draw_equal_numbers_and_others_do_not() -> None:
    for seed in (3, 2**100):
        assert draw(seed, "a") == draw(seed, "a")
        assert draw(seed, "a") != draw(seed, "b")
        assert draw(seed, "a") != draw(seed + 1, "a")


def test_a_private_seed_fills_the_whole_state_which_32_bits_of_a_seed_cannot_reach() -> None:
    state = make_generator(2**100, "a").get_state()[24 : 24 + 8 * 624].view(torch.int64)
    seeded = torch.Generator().manual_seed(int(state[0])).get_state()
    reached = seeded[24 : 24 + 8 * 624].view(torch.int64)
    # The first word of a seeded state is the seed: no other seed could have made this one.
    assert int(reached[0]) == int(state[0])
    assert not torch.equal(reached, state)


def test_numbers_of_a_private_seed_are_spread_evenly() -> None:
    numbers = torch.rand(100_000, generator=make_generator(2**127 + 5, "x"))
    assert abs(numbers.mean().item() - 0.5) < 0.005
    assert abs(numbers.var().item() - 1 / 12) < 0.002
