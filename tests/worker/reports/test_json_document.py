"""``report.json``: the contract's document, strict, and with nothing of single patients."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from iadd.evaluation.metrics import ROC_POINTS
from tests.worker.reports.sources import MakeSource
from worker.reports import ReportSource, compose, conclusions, render_html, report_json
from worker.reports.json_document import POINTS


def test_document_follows_the_contract(document: dict[str, Any]) -> None:
    assert {
        *("dataset", "preset", "images_per_class", "seed", "versions", "timings"),
        *("utility", "networks", "privacy", "curves"),
    } <= set(document)
    for figures in document["utility"].values():
        assert set(figures["accuracy"]) == {"mean", "std", "n"}
        assert {"balanced_accuracy", "macro_f1", "auroc", "confusion"} <= set(figures)
        for row in figures["per_class"].values():
            assert set(row) == {"sensitivity", "specificity", "auroc", "support"}
    assert document["privacy"]["verdict"] in ("refuted", "inconclusive")
    assert document["randomness"] == "published"
    assert document["image_format"] == "8bit"
    for metric in document["privacy"]["metrics"]:
        assert {"name", "value", "interval", "rule", "outcome"} <= set(metric)
    assert document["networks"]["convnet"]["trained"] == 2


def test_document_is_strict_json(source: ReportSource) -> None:
    """A class without test images has no AUROC; that is null, not NaN."""
    utility = json.loads(json.dumps(source.utility))
    utility["distilled"]["auroc"]["mean"] = math.nan
    utility["full"]["accuracy"]["std"] = math.inf
    document = report_json(replace(source, utility=utility))
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert document["utility"]["distilled"]["auroc"]["mean"] is None
    assert document["utility"]["full"]["intervals"]["accuracy"] is None
    assert "not measured" in render_html(compose(source, document)).decode()
    document["utility"]["distilled"]["balanced_accuracy"]["mean"] = None
    assert conclusions.utility(document).headline == "It could not be measured"
    render_html(compose(source, document))


def test_nothing_of_single_patients_is_in_the_document(document: dict[str, Any]) -> None:
    assert "initial_images" not in json.dumps(document)
    histogram = document["importance_weights"]["histogram"]
    assert len(histogram["counts"]) < 100
    assert sum(histogram["counts"]) == document["importance_weights"]["parameters"]


def test_long_curves_are_thinned_and_keep_their_ends(source: ReportSource) -> None:
    length = 7000
    history = replace(
        source.distilled.history,
        curves={
            name: [float(i) for i in range(length)] for name in source.distilled.history.curves
        },
    )
    document = report_json(replace(source, distilled=replace(source.distilled, history=history)))
    loss = document["curves"]["loss"]
    assert len(loss) == POINTS
    assert (loss[0], loss[-1]) == (0.0, length - 1.0)


def test_the_conclusions_are_those_that_people_read(document: dict[str, Any]) -> None:
    assert [answer["question"] for answer in document["conclusions"]] == [
        "How useful is it?",
        "What does it leak?",
        "What may be done with it?",
    ]
    assert document["conclusions"][1]["detail"] == document["privacy"]["statement"]


def test_each_mean_has_an_interval_around_it(document: dict[str, Any]) -> None:
    for figures in document["utility"].values():
        for name, (low, high) in figures["intervals"].items():
            assert 0 <= low <= figures[name]["mean"] <= high <= 1


def test_curves_rise_from_left_to_right(document: dict[str, Any]) -> None:
    rates = document["roc"]["false_positive_rate"]
    assert (len(rates), rates[0], rates[-1]) == (ROC_POINTS, 0.0, 1.0)
    for key in ("distilled", "random", "full"):
        for curve in document["roc"][key].values():
            assert curve["mean"] == sorted(curve["mean"])
            assert curve["mean"][-1] == 1.0


def test_the_area_under_a_curve_is_its_auroc(document: dict[str, Any]) -> None:
    rates = document["roc"]["false_positive_rate"]
    for name, curve in document["roc"]["full"].items():
        heights = curve["mean"]
        area = sum(
            (rates[i + 1] - rates[i]) * (heights[i] + heights[i + 1]) / 2
            for i in range(len(rates) - 1)
        )
        expected = document["utility"]["full"]["per_class"][name]["auroc"]["mean"]
        assert area == pytest.approx(expected, abs=0.02)


def test_a_class_of_few_test_images_has_no_curve(make_source: MakeSource) -> None:
    few = report_json(make_source(("a", "b"), test_images=9))
    assert few["roc"]["distilled"] == {"a": None, "b": None}
    enough = report_json(make_source(("a", "b"), test_images=10))
    assert set(enough["roc"]["distilled"]["a"]) == {"mean", "std"}


def test_an_evaluation_that_kept_no_curves_says_so(source: ReportSource) -> None:
    utility = {
        key: {name: value for name, value in figures.items() if name != "roc"}
        for key, figures in source.utility.items()
    }
    older = replace(source, utility=utility)
    document = report_json(older)
    assert document["roc"] is None
    assert "ROC curves: not measured" in render_html(compose(older, document)).decode()


def test_the_recipe_is_that_of_the_bundle(source: ReportSource, document: dict[str, Any]) -> None:
    assert document["recipe"]["lr"] == source.distilled.syn_lr
    assert document["recipe"]["epochs"] == source.distilled.config.evaluation.evaluation_epochs


def test_other_networks_are_listed_after_the_one_it_was_made_for(source: ReportSource) -> None:
    measured = {"distilled": source.utility["random"], "random": source.utility["full"]}
    networks = report_json(replace(source, networks={"resnet18": measured}))["networks"]
    assert list(networks) == ["convnet", "resnet18"]
    assert networks["resnet18"]["depth"] is None
    assert networks["resnet18"]["parameters"] > 10**7
    assert networks["resnet18"]["utility"]["auroc"] == source.utility["random"]["auroc"]
    assert networks["resnet18"]["random"]["auroc"] == source.utility["full"]["auroc"]
    assert networks["convnet"]["random"]["auroc"] == source.utility["random"]["auroc"]
