"""The report describes W, for each method and each course of it."""

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from iadd.config import Config, DistillationConfig, NetworkConfig, TeacherConfig
from iadd.data.distilled_dataset import CURVES, DistilledDataset, History
from iadd.data.normalisation import Normalisation
from iadd.networks.build import build_network
from worker.reports.figures import Figure, figures_of
from worker.reports.weights_data import importance_json

CLASSES = ("a", "b", "c")


def distilled(
    weights: Tensor | None, difference: Tensor | None, **settings: Any
) -> DistilledDataset:
    curves = {name: [1.0, 0.9, 0.8] for name in CURVES} | {"iteration": [1.0, 2.0, 3.0]}
    return DistilledDataset(
        images=torch.zeros(3, 1, 16, 16),
        labels=torch.arange(3),
        classes=CLASSES,
        syn_lr=0.01,
        importance_weights=weights,
        difference=difference,
        history=History(curves),
        config=Config(
            image_size=16,
            network=NetworkConfig(depth=2, width=4),
            teacher=TeacherConfig(teachers=1),
            distillation=DistillationConfig(**settings),
        ),
        normalisation=Normalisation((0.5,), (0.2,)),
        initial_images=None,
        best_iteration=3,
    )


def parameters() -> int:
    network = build_network(
        NetworkConfig(depth=2, width=4), channels=1, classes=3, image_size=16, seed=0
    )
    return sum(parameter.numel() for parameter in network.parameters())


def document_of(run: DistilledDataset) -> dict[str, Any]:
    return {
        "curves": {**run.history.curves, "validation": []},
        "best_iteration": 3,
        "importance_weights": importance_json(run),
        "settings": run.config.to_dict(),
    }


def figures(run: DistilledDataset) -> dict[str, Figure]:
    return {figure.title: figure for figure in figures_of(document_of(run))}


def spread_out(low: float, high: float) -> Tensor:
    return torch.linspace(high, low, parameters())


def test_each_layer_has_its_own_means() -> None:
    weights, difference = spread_out(0.8, 1.0), spread_out(0.0, 2.0)
    told = importance_json(distilled(weights, difference))
    assert told is not None
    first = told["layers"][0]
    assert first["name"] == "blocks.0.conv.weight"
    assert first["title"] == "Convolution 1 weight"
    assert first["parameters"] == 4 * 9
    assert first["mean"] == pytest.approx(weights[:36].mean().item())
    assert first["min"] == pytest.approx(weights[35].item())
    assert first["difference"] == pytest.approx(difference[:36].mean().item())
    titles = [layer["title"] for layer in told["layers"]]
    assert titles[2:6] == [
        "Norm 1 weight",
        "Norm 1 bias",
        "Convolution 2 weight",
        "Convolution 2 bias",
    ]
    assert titles[-1] == "Classifier bias"
    assert sum(layer["parameters"] for layer in told["layers"]) == told["parameters"]


def test_a_small_layer_shows_no_weight_of_a_single_parameter() -> None:
    told = importance_json(distilled(spread_out(0.8, 1.0), None))
    assert told is not None
    for layer in told["layers"]:
        assert (layer["min"] is None) == (layer["parameters"] < 16)


@pytest.mark.parametrize("network", ["alexnet", "vgg11", "resnet18"])
def test_the_layers_of_every_network_have_names_of_their_own(network: Any) -> None:
    form = NetworkConfig(network=network)
    count = sum(
        p.numel()
        for p in build_network(form, channels=1, classes=3, image_size=32, seed=0).parameters()
    )
    run = distilled(torch.ones(count), torch.ones(count))
    told = importance_json(replace(run, config=replace(run.config, image_size=32, network=form)))
    assert told is not None
    titles = [layer["title"] for layer in told["layers"]]
    assert len(set(titles)) == len(titles)
    assert all(re.match(r"(Convolution \d+|Norm \d+|Classifier) (weight|bias)$", t) for t in titles)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (spread_out(0.9995, 1.0), "W stayed at 1: on average it fell by 0.0003"),
        (spread_out(0.7, 1.0), "W starts at 1 and only falls"),
        (spread_out(0.0, 0.8), "W has collapsed, to a mean of 0.40"),
        (
            torch.cat(
                [
                    torch.zeros(parameters() * 6 // 10),
                    torch.ones(parameters() - parameters() * 6 // 10),
                ]
            ),
            "W has collapsed",
        ),
    ],
)
def test_the_course_of_w_is_described(weights: Tensor, words: str) -> None:
    shown = figures(distilled(weights, torch.ones_like(weights)))
    assert words in shown["Importance weights W"].caption


def test_weights_on_both_sides_of_the_loss_may_rise() -> None:
    run = distilled(spread_out(0.9, 1.1), spread_out(0.0, 1.0), relative_to="weighted")
    assert "rises elsewhere" in figures(run)["Importance weights W"].caption


def test_a_run_without_w_shows_no_weights() -> None:
    shown = figures(distilled(torch.ones(parameters()), spread_out(0.0, 1.0), method="mtt"))
    assert list(shown) == ["Matching loss", "Learning rate α", "Layer by layer"]
    assert "W stays at 1 (method mtt)" in shown["Layer by layer"].caption
    assert shown["Layer by layer"].table.heads == ["Layer", "Parameters", "Mean |θ_J − θ*|"]
    assert shown["Matching loss"].table.heads == ["Iteration", "Loss"]


def test_a_pruned_run_shows_how_often_parameters_counted_and_no_collapse() -> None:
    run = distilled(spread_out(0.0, 0.6), spread_out(0.0, 1.0), method="ddpp")
    shown = figures(run)
    assert "in the end 30% on average" in shown["How often parameters count"].caption
    assert not any("collapse" in figure.caption for figure in shown.values())
    told = importance_json(run)
    assert told is not None
    assert told["collapsed"] is False


def test_a_run_of_hop_tm_shows_how_many_parameters_entered() -> None:
    entered = (spread_out(0.0, 1.0) < 0.25).float()
    shown = figures(distilled(entered, spread_out(0.0, 1.0), method="hop_tm"))
    assert "in the end 25%" in shown["How many parameters count"].caption
    assert "came near the teacher in" in shown["Layer by layer"].caption


def test_a_run_that_follows_no_teacher_shows_its_loss_alone() -> None:
    shown = figures(distilled(None, None, method="dm"))
    assert list(shown) == ["Matching loss"]
    assert "real images" in shown["Matching loss"].caption


def test_a_warm_start_is_named_where_its_loss_is_shown() -> None:
    run = distilled(spread_out(0.7, 1.0), None, iterations=4, warm_start_share=0.5)
    assert "first 2 iterations compare" in figures(run)["Matching loss"].caption


def test_the_layers_of_lowest_w_and_largest_difference_are_named() -> None:
    weights, difference = torch.ones(parameters()), torch.zeros(parameters())
    weights[-3:] = 0.6
    difference[:36] = 0.25
    caption = figures(distilled(weights, difference))["Layer by layer"].caption
    assert "farthest in the weight of convolution 1 (0.25)" in caption
    assert "W is lowest in the bias of the classifier (mean 0.6)" in caption


def test_an_older_set_without_differences_still_shows_its_weights() -> None:
    shown = figures(distilled(spread_out(0.7, 1.0), None))["Layer by layer"]
    assert shown.table.heads == ["Layer", "Parameters", "Mean W"]
    assert figures(distilled(None, None)).keys() == {"Matching loss", "Learning rate α"}


def test_the_numbers_of_a_plot_hold_its_ends() -> None:
    run = distilled(spread_out(0.7, 1.0), None)
    long = {name: [i / 1000 for i in range(1000)] for name in CURVES}
    table = figures(replace(run, history=History(long)))["Importance weights W"].table
    assert len(table.rows) <= 11
    assert (table.rows[0][1], table.rows[-1][1]) == ("0", "0.999")
