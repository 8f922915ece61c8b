import torch

from iadd.distillation.importance import ImportanceWeights, Pruning, is_collapsed, similarity


def test_weights_start_at_one_and_fall_most_where_the_gradient_is_largest() -> None:
    weights = ImportanceWeights.ones(3)
    assert torch.equal(weights.values, torch.ones(3))
    weights.step(torch.tensor([0.0, 1.0, 2.0]), 0.1, "literal")
    torch.testing.assert_close(weights.values, torch.tensor([1.0, 0.9, 0.8]))


def test_the_mean_reading_scales_the_step_by_the_number_of_parameters() -> None:
    weights = ImportanceWeights.ones(4)
    weights.step(torch.full((4,), 0.01), 0.1, "mean")
    torch.testing.assert_close(weights.values, torch.full((4,), 1 - 0.1 * 4 * 0.01))


def test_weights_stop_at_zero() -> None:
    weights = ImportanceWeights.ones(2)
    weights.step(torch.tensor([50.0, 0.0]), 1.0, "literal")
    assert torch.equal(weights.values, torch.tensor([0.0, 1.0]))


def test_the_literal_reading_moves_weights_too_little_for_one_plus_a_step_in_float32() -> None:
    step = torch.tensor([3e-6])  # ∂L/∂w of a loss of 1 shared by 600,000 parameters
    weights = ImportanceWeights.ones(1)
    naive = torch.ones(1)
    for _ in range(5000):
        weights.step(step, 1e-4, "literal")
        naive = naive - 1e-4 * step
    assert naive.item() == 1.0
    torch.testing.assert_close(weights.offset, torch.tensor([-1.5e-6]), rtol=1e-3, atol=0)


def test_by_layer_every_layer_takes_the_same_mean_step() -> None:
    weights = ImportanceWeights.ones(5, layers=(slice(0, 2), slice(2, 4), slice(4, 5)))
    weights.step(torch.tensor([1e-9, 3e-9, 10.0, 30.0, 0.0]), 0.1, "layer")
    torch.testing.assert_close(weights.values, torch.tensor([0.9, 0.7, 0.9, 0.7, 1.0]))


def test_pruning_leaves_out_what_is_not_alike() -> None:
    end = torch.tensor([1.0, -1.0, 1.0, 0.0, 0.0])
    target = torch.tensor([2.0, -3.0, -1.0, 0.0, 1.0])
    torch.testing.assert_close(similarity(end, target), torch.tensor([0.5, 1 / 3, 0.0, 1.0, 0.0]))
    assert Pruning(0.5)(end, target).tolist() == [1, 0, 0, 1, 0]
    assert Pruning(0.0)(end, target).tolist() == [1, 1, 1, 1, 1]


def test_collapse_is_a_low_mean_or_a_majority_near_zero() -> None:
    assert not is_collapsed(torch.tensor([1.0, 0.0, 0.6, 0.9]))
    assert is_collapsed(torch.tensor([0.4, 0.4, 0.5, 0.5]))
    assert is_collapsed(torch.tensor([3.0, 3.0, 0.0, 0.0, 0.05]))
